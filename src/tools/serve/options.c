#include "tools/serve/options.h"

#define FIELD(name) offsetof(struct serve_options, name)

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .help = "Models"},
    {OPTION_LIST, "model-repository", "model-store", FIELD(repositories), NULL, "DIR",
     "Folder of models, <DIR>/<model>/config.pbtxt and <DIR>/<model>/<version>/. May be given several times.", 0, 0,
     NULL},
    {OPTION_STRING, "backend-directory", NULL, FIELD(backend_directory), NULL, "DIR",
     "Folder of the engines' plug-ins, inferd_backend_<name>.so. Default: lib/inferd beside the program or one folder "
     "up.",
     0, 0, NULL},
    {OPTION_BOOL, "exit-on-error", NULL, FIELD(exit_on_error), "false", NULL,
     "Stop with exit code 1 when a model cannot be loaded at start.", 0, 0, NULL},
    {OPTION_BOOL, "strict-readiness", NULL, FIELD(strict_readiness), "true", NULL,
     "Be ready only when every model is; false: also when some could not be loaded.", 0, 0, NULL},
    {OPTION_INT, "exit-timeout-secs", NULL, FIELD(exit_timeout_secs), "30", "SECONDS",
     "How long requests under way may take to finish after SIGTERM; exit code 1 if they do not.", 0, 86400, NULL},

    {.type = OPTION_HEADING,
     .help = "Addresses (HTTP/1.1, HTTP/2 and gRPC are told apart on either of the first two ports)"},
    {OPTION_STRING, "http-address", NULL, FIELD(http_address), "0.0.0.0", "ADDRESS", "Where to listen for HTTP.", 0, 0,
     NULL},
    {OPTION_INT, "http-port", NULL, FIELD(http_port), "8000", "PORT", "Port for HTTP; 0: a free one, which is logged.",
     0, 65535, NULL},
    {OPTION_STRING, "grpc-address", NULL, FIELD(grpc_address), "0.0.0.0", "ADDRESS", "Where to listen for gRPC.", 0, 0,
     NULL},
    {OPTION_INT, "grpc-port", NULL, FIELD(grpc_port), "8001", "PORT", "Port for gRPC; 0: a free one, which is logged.",
     0, 65535, NULL},
    {OPTION_STRING, "metrics-address", NULL, FIELD(metrics_address), "0.0.0.0", "ADDRESS",
     "Where to listen for requests of /metrics.", 0, 0, NULL},
    {OPTION_INT, "metrics-port", NULL, FIELD(metrics_port), "8002", "PORT",
     "Port for /metrics; 0: a free one, which is logged.", 0, 65535, NULL},
    {OPTION_INT, "http-thread-count", NULL, FIELD(thread_count), "0", "N",
     "Threads that serve connections, of all ports together; 0: half the CPUs, at least 1 and at most 8.", 0, 256,
     NULL},

    {.type = OPTION_HEADING, .help = "Limits"},
    {OPTION_INT, "max-request-size", "http-max-input-size", FIELD(max_request_bytes), "67108864", "BYTES",
     "Largest request body or gRPC message, also after decompression.", 1, (int64_t)1 << 40, NULL},
    {OPTION_INT, "max-inflight-size", NULL, FIELD(max_inflight_bytes), "2147483648", "BYTES",
     "Request bodies and gRPC messages in memory at once, of all clients together; more are refused as unavailable.", 1,
     (int64_t)1 << 40, NULL},
    {OPTION_INT, "max-connections", NULL, FIELD(max_connections), "4096", "N",
     "Connections open at once, for each port; more are closed at once.", 1, 1000000, NULL},
    {OPTION_INT, "max-streams", NULL, FIELD(max_streams), "256", "N", "HTTP/2 requests at once on one connection.", 1,
     100000, NULL},
    {OPTION_INT, "max-queue-size", NULL, FIELD(max_queue_size), "4096", "N",
     "Requests that may wait for each model; more are refused as unavailable.", 1, 10000000, NULL},
    {OPTION_INT, "idle-timeout-secs", NULL, FIELD(idle_timeout_secs), "300", "SECONDS",
     "Close a connection without a request after this time.", 1, 86400, NULL},
    {OPTION_INT, "request-timeout-secs", NULL, FIELD(request_timeout_secs), "60", "SECONDS",
     "Give a client up that sends nothing of a request it has begun, or takes nothing of an answer.", 1, 86400, NULL},

    {.type = OPTION_HEADING, .help = "Log (on stderr)"},
    {OPTION_INT, "log-verbose", NULL, FIELD(log_verbose), "0", "LEVEL", "1: also a line for each request; 0: none.", 0,
     1, NULL},
    {OPTION_BOOL, "log-info", NULL, FIELD(log_info), "true", NULL, "Write information.", 0, 0, NULL},
    {OPTION_BOOL, "log-warning", NULL, FIELD(log_warning), "true", NULL, "Write warnings.", 0, 0, NULL},
    {OPTION_BOOL, "log-error", NULL, FIELD(log_error), "true", NULL, "Write errors.", 0, 0, NULL},
    {OPTION_CHOICE, "log-format", NULL, FIELD(log_format), "default", "FORMAT", "Form of the time in a line.", 0, 0,
     "default|ISO8601"},
};

const struct option_table serve_option_table = {
    .program = "inferd serve",
    .synopsis = "--model-repository DIR [options]",
    .summary =
        "Serves the models of a repository by the KServe v2 protocol, over HTTP and gRPC, until SIGTERM or SIGINT.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};
