#include "tools/perf/perf_options.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "tools/perf/perf_values.h"

#define AT(member) offsetof(struct perf_options, member)
#define REFUSED(flag, reason)                                                                                          \
    { .type = OPTION_REFUSED, .name = flag, .help = reason }

/* clang-format off */
static const struct option_row rows[] = {
    {OPTION_HEADING, NULL, NULL, 0, NULL, NULL, "The model and its server", 0, 0, NULL},
    {OPTION_STRING, "model", "m", AT(model), NULL, "NAME", "The model to load.", 0, 0, NULL},
    {OPTION_STRING, "model-version", "x", AT(model_version), "", "VERSION", "Its version; the server chooses where none, or -1, is given.", 0, 0, NULL},
    {OPTION_STRING, "url", "u", AT(url), NULL, "[https://]HOST:PORT", "The server: localhost:8000 for HTTP, localhost:8001 for gRPC where none is given.", 0, 0, NULL},
    {OPTION_STRING, "protocol", "i", AT(protocol_name), "http", "http|grpc", "What carries it: HTTP/1.1 or gRPC.", 0, 0, NULL},
    {OPTION_CHOICE, "service-kind", NULL, AT(service_kind), "triton", NULL, "What the server speaks: KServe v2 with Triton's extensions, or TRTIS v1, as the servers of 2019; then the table is perf_client's. in_process (or triton_c_api): there is none; the core of one runs in this program, without a network.", 0, 0, "triton|trtis|in_process|triton_c_api"},
    {OPTION_BOOL, "streaming", NULL, AT(streaming), NULL, NULL, "gRPC: inferences are messages of one ModelStreamInfer (StreamInfer) call a connection; decoupled models need it.", 0, 0, NULL},
    {OPTION_CHOICE, "grpc-compression-algorithm", NULL, AT(grpc_compression), "none", NULL, "How requests of gRPC are compressed.", 0, 0, "none|gzip|deflate"},
    {OPTION_LIST, "model-repository", NULL, AT(repositories), NULL, "DIR", "In process: where the model lies (may be given more than once).", 0, 0, ":"},
    {OPTION_STRING, "backend-directory", NULL, AT(backend_directory), NULL, "DIR", "In process: where the plug-ins of engines lie, if not where inferd serve finds them.", 0, 0, NULL},
    {OPTION_LIST, "header", "H", AT(header_texts), NULL, "NAME:VALUE", "A header of every request; with gRPC, its metadata.", 0, 0, NULL},
    {OPTION_LIST, "request-parameter", NULL, AT(parameter_texts), NULL, "NAME:VALUE:TYPE", "A parameter of every inference; TYPE is bool, int, double or string.", 0, 0, NULL},
    {OPTION_DOUBLE, "request-timeout", NULL, AT(request_timeout_s), "0", "SECONDS", "A request without an answer by then has failed; 0 waits for ever.", 0, 86400, NULL},
    {OPTION_INT, "connections", NULL, AT(connections), "0", "N", "Most connections; 0: for a concurrency with an end one for each request in flight over HTTP, one for 16 of them (16 at most) over gRPC; else 1024 and 4.", 0, INFER_CLIENT_CONNECTIONS_MAX, NULL},

    {OPTION_HEADING, NULL, NULL, 0, NULL, NULL, "The load: one of concurrency, periodic concurrency, rate, intervals, a fixed schedule, a record", 0, 0, NULL},
    {OPTION_STRING, "concurrency-range", NULL, AT(concurrency_text), NULL, "START:END:STEP", "Closed loop: so many requests in flight (1 where none is given), raised by STEP up to END. END 0 goes on until --latency-threshold.", 0, 0, NULL},
    {OPTION_STRING, "periodic-concurrency-range", NULL, AT(periodic_text), NULL, "START:END:STEP", "Closed loop that grows: START requests, then STEP more whenever each of the latest has had --request-period answers, END in all. Needs --streaming and --profile-export-file.", 0, 0, NULL},
    {OPTION_INT, "request-period", NULL, AT(request_period), "10", "N", "Answers of a request after which --periodic-concurrency-range goes on.", 1, 1000000000, NULL},
    {OPTION_STRING, "request-rate-range", NULL, AT(rate_text), NULL, "START:END:STEP", "Open loop: so many requests a second, whatever the answers. Latency counts from when a request was due.", 0, 0, NULL},
    {OPTION_STRING, "request-intervals", NULL, AT(intervals_path), NULL, "FILE", "Open loop: gaps between requests, in microseconds, one a line, over and over.", 0, 0, NULL},
    {OPTION_BOOL, "fixed-schedule", NULL, AT(fixed_schedule), NULL, NULL, "Open loop: each item of the JSON input data once, at its \"timestamp\" in milliseconds.", 0, 0, NULL},
    {OPTION_CHOICE, "request-distribution", NULL, AT(distribution), "constant", NULL, "How the requests of a rate are spaced.", 0, 0, "constant|poisson"},
    {OPTION_STRING, "replay", NULL, AT(replay), NULL, "FILE", "Open loop: the inferences that `inferd serve --record` has written to this file, when they came; with -m only those of that model.", 0, 0, NULL},
    {OPTION_DOUBLE, "speed", NULL, AT(speed), "1", "X", "Replay so many times as fast, from 0.001 to 1000.", 0, 1000, NULL},
    {OPTION_BOOL, "async", "a", AT(async), NULL, NULL, "Said for the sake of old command lines: requests are always asynchronous, from one thread.", 0, 0, NULL},
    {OPTION_INT, "max-threads", NULL, AT(max_threads), "16", "N", "Said for the sake of old command lines: most threads that make the load. One makes any, so that every N is kept.", 1, INT32_MAX, NULL},
    {OPTION_INT, "v1-concurrency", "t", AT(v1_concurrency), "0", "N", "perf_client's -t: --concurrency-range N, or with -d its start.", 0, 1 << 16, NULL},
    {OPTION_BOOL, "v1-dynamic", "d", AT(v1_dynamic), NULL, NULL, "perf_client's -d: raise the concurrency by 1 until -l or -c.", 0, 0, NULL},
    {OPTION_INT, "v1-max-concurrency", "c", AT(v1_max_concurrency), "0", "N", "perf_client's -c: the last concurrency of -d; 0: until -l.", 0, 1 << 16, NULL},

    {OPTION_HEADING, NULL, NULL, 0, NULL, NULL, "Measuring", 0, 0, NULL},
    {OPTION_CHOICE, "measurement-mode", NULL, AT(measurement_mode), "time_windows", NULL, "What ends a window: time, or a number of answers.", 0, 0, "time_windows|count_windows"},
    {OPTION_INT, "measurement-interval", "p", AT(interval_ms), "5000", "MS", "Length of a time window.", 1, 86400000, NULL},
    {OPTION_INT, "measurement-request-count", NULL, AT(window_requests), "50", "N", "Answers of a count window.", 1, 1000000000, NULL},
    {OPTION_DOUBLE, "stability-percentage", "s", AT(stability_percent), "10", "PERCENT", "Three windows are stable when their throughputs, and their latencies, are within so much of the lowest.", 0, 100000, NULL},
    {OPTION_DOUBLE, "percentile", NULL, AT(percentile), "-1", "P", "The latency that has to be stable and stay under the threshold, from 1 to 99.999; -1: the average.", 0, 0, NULL},
    {OPTION_INT, "max-trials", "r", AT(max_trials), "10", "N", "Most windows of one point.", 1, 100000, NULL},
    {OPTION_INT, "request-count", NULL, AT(request_count), "0", "N", "Send exactly so many requests as one window, instead of measuring until stable.", 0, 1000000000, NULL},
    {OPTION_INT, "warmup-request-count", NULL, AT(warmup_requests), "0", "N", "Answers that come before the first window.", 0, 1000000000, NULL},
    {OPTION_DOUBLE, "latency-threshold", "l", AT(latency_limit_ms), "0", "MS", "The search ends at the first point over it; 0: none.", 0, 86400000, NULL},
    {OPTION_BOOL, "binary-search", NULL, AT(binary_search), NULL, NULL, "Search the range for the highest load under --latency-threshold by halving, down to STEP.", 0, 0, NULL},
    {OPTION_BOOL, "saturation-search", NULL, AT(saturation_search), NULL, NULL, "Double the load from START until it brings no more throughput; with a rate, then halve down to STEP.", 0, 0, NULL},
    {OPTION_DOUBLE, "goodput-latency", NULL, AT(goodput_ms), "0", "MS", "Also report the inferences a second that were answered within this time; 0: do not.", 0, 86400000, NULL},

    {OPTION_HEADING, NULL, NULL, 0, NULL, NULL, "What is sent", 0, 0, NULL},
    {OPTION_INT, "batch-size", "b", AT(batch_size), "1", "N", "Items of one request.", 1, 1 << 20, NULL},
    {OPTION_LIST, "input-data", NULL, AT(input_data), NULL, "SOURCE", "zero, random (the default), a folder with a file for each input, or a JSON file (may be given more than once).", 0, 0, NULL},
    {OPTION_BOOL, "fresh-data", NULL, AT(fresh_data), NULL, NULL, "Draw random data anew for every request, so that no cache can answer.", 0, 0, NULL},
    {OPTION_INT, "random-seed", NULL, AT(seed), "0", "N", "Of random data and Poisson gaps.", 0, INT64_MAX, NULL},
    {OPTION_LIST, "shape", NULL, AT(shape_texts), NULL, "NAME:D,D", "The shape of an input with variable dims, without the batch.", 0, 0, NULL},
    {OPTION_INT, "string-length", NULL, AT(string_length), "128", "N", "Length of random strings.", 0, 1 << 24, NULL},
    {OPTION_STRING, "string-data", NULL, AT(string_data), NULL, "TEXT", "What every string is, instead of random letters.", 0, 0, NULL},
    {OPTION_CHOICE, "shared-memory", NULL, AT(shared_memory), "none", NULL, "system: inputs and outputs are in memory that the server, on this machine, shares.", 0, 0, "none|system"},
    {OPTION_INT, "output-shared-memory-size", NULL, AT(output_memory_bytes), "102400", "BYTES", "Room in shared memory for an output of strings or of variable size, for each item of a batch.", 1, 1 << 30, NULL},
    {OPTION_CHOICE, "input-tensor-format", NULL, AT(input_format), "binary", NULL, "HTTP: how inputs are sent. For json the generator writes every element of every request.", 0, 0, "binary|json"},
    {OPTION_CHOICE, "output-tensor-format", NULL, AT(output_format), "binary", NULL, "HTTP: how outputs are asked for. For json the generator reads every element of every answer.", 0, 0, "binary|json"},
    {OPTION_STRING, "text", NULL, AT(text), NULL, "FILE", "The questions and paragraphs of a SQuAD file, tokenized for a BERT model: requests of real lengths.", 0, 0, NULL},
    {OPTION_STRING, "vocab", NULL, AT(vocab), NULL, "FILE", "vocab.txt for --text; the uncased English one is compiled in.", 0, 0, NULL},
    {OPTION_CHOICE, "pad", NULL, AT(pad), "none", NULL, "What --text does to short windows: nothing, or padding to the longest length.", 0, 0, "none|max"},
    {OPTION_INT, "max-seq-length", NULL, AT(max_seq_length), "0", "N", "Most tokens of a window of --text; 0: what the model's config says, or 384.", 0, 65536, NULL},
    {OPTION_INT, "doc-stride", NULL, AT(doc_stride), "128", "N", "Tokens between the starts of two windows of a paragraph.", 1, 65536, NULL},
    {OPTION_INT, "max-query-length", NULL, AT(max_query_length), "64", "N", "Tokens of a question; the rest is dropped.", 1, 65536, NULL},
    {OPTION_BOOL, "v1-zero", "z", AT(v1_zero), NULL, NULL, "perf_client's -z: --input-data zero.", 0, 0, NULL},
    {OPTION_STRING, "data-directory", NULL, AT(v1_data_directory), NULL, "DIR", "perf_client's: --input-data DIR.", 0, 0, NULL},

    {OPTION_HEADING, NULL, NULL, 0, NULL, NULL, "Sequences: for models that have them, or where one of these is given", 0, 0, NULL},
    {OPTION_INT, "num-of-sequences", NULL, AT(sequence_count), "4", "N", "Sequences under way in an open loop; in a closed loop the concurrency says.", 1, 1 << 16, NULL},
    {OPTION_INT, "sequence-length", NULL, AT(sequence_length), "20", "N", "Requests of a sequence; with streams of JSON data, as long as its stream where this is not given.", 1, 1000000000, NULL},
    {OPTION_DOUBLE, "sequence-length-variation", NULL, AT(sequence_variation), "20", "PERCENT", "Lengths are drawn from so much more or less.", 0, 100, NULL},
    {OPTION_STRING, "sequence-id-range", NULL, AT(sequence_id_text), "1", "START:END", "Ids, END excluded, over and over; without END every sequence has a new one.", 0, 0, NULL},
    {OPTION_BOOL, "serial-sequences", NULL, AT(serial_sequences), NULL, NULL, "One request of a sequence at a time, in an open loop too.", 0, 0, NULL},

    {OPTION_HEADING, NULL, NULL, 0, NULL, NULL, "What is reported", 0, 0, NULL},
    {OPTION_STRING, "csv", "f", AT(csv), NULL, "FILE", "Write perf_analyzer's table, a row for each point, sorted by throughput.", 0, 0, NULL},
    {OPTION_BOOL, "verbose-csv", NULL, AT(verbose_csv), NULL, NULL, "With perf_analyzer's additional columns.", 0, 0, NULL},
    {OPTION_BOOL, "full-csv", NULL, AT(full_csv), NULL, NULL, "With those, and with columns of our own: p99.9, p99.99, confidence, failures, and whether the generator was the bottleneck, which inferd figures shows.", 0, 0, NULL},
    {OPTION_STRING, "json", NULL, AT(json), NULL, "FILE", "Write everything that is known about every point, its latency histogram included.", 0, 0, NULL},
    {OPTION_STRING, "profile-export-file", NULL, AT(profile_export), NULL, "FILE", "Write the times of every request, as perf_analyzer does.", 0, 0, NULL},
    {OPTION_BOOL, "profile-export-values", NULL, AT(profile_values), NULL, NULL, "With the values of inputs and outputs in it, as perf_analyzer's has them: this costs the generator time and memory.", 0, 0, NULL},
    {OPTION_BOOL, "collect-metrics", NULL, AT(collect_metrics), NULL, NULL, "Ask the server for its metrics during the measurement: its GPUs, its CPU and memory, the model's queue.", 0, 0, NULL},
    {OPTION_STRING, "metrics-url", NULL, AT(metrics_url), "localhost:8002/metrics", "[https://]HOST:PORT/PATH", "Where --collect-metrics finds them.", 0, 0, NULL},
    {OPTION_INT, "metrics-interval", NULL, AT(metrics_interval_ms), "1000", "MS", "How often it asks; at most ten times a second.", 1, 86400000, NULL},
    {OPTION_LIST, "trace-level", NULL, AT(trace_levels), NULL, "OFF|TIMESTAMPS|TENSORS", "What the server is to trace while it is measured (may be given more than once); then its settings are put back.", 0, 0, NULL},
    {OPTION_INT, "trace-rate", NULL, AT(trace_rate), "1000", "N", "Of how many inferences it traces one, for as long.", 1, UINT32_MAX, NULL},
    {OPTION_INT, "trace-count", NULL, AT(trace_count), "-1", "N", "How many traces it makes, for as long; -1: any number.", -1, INT32_MAX, NULL},
    {OPTION_INT, "log-frequency", NULL, AT(log_frequency), "0", "N", "After how many traces it begins a new file, for as long; 0: never.", 0, UINT32_MAX, NULL},
    {OPTION_STRING, "bls-composing-models", NULL, AT(composing_models), NULL, "A,B", "Models that the model calls: their part of the server's time is shown too.", 0, 0, NULL},
    {OPTION_CHOICE, "progress", NULL, AT(progress), "auto", NULL, "auto: how the measurement goes, on stderr: a live line on a terminal, else a line for each window.", 0, 0, "auto|never"},
    {OPTION_BOOL, "verbose", "v", AT(verbose), NULL, NULL, "Show every window.", 0, 0, NULL},

    {OPTION_HEADING, NULL, NULL, 0, NULL, NULL, "TLS: for a URL that begins with https://, or --ssl-grpc-use-ssl", 0, 0, NULL},
    {OPTION_STRING, "ssl-https-ca-certificates-file", NULL, AT(tls_flags.https_ca), NULL, "FILE", "PEM: the authorities that the server's certificate may be of; the system's where none are given.", 0, 0, NULL},
    {OPTION_STRING, "ssl-https-client-certificate-file", NULL, AT(tls_flags.https_certificate), NULL, "FILE", "Our own certificate, for a server that asks for one.", 0, 0, NULL},
    {OPTION_CHOICE, "ssl-https-client-certificate-type", NULL, AT(tls_flags.https_certificate_type), "PEM", NULL, "The form of that.", 0, 0, "PEM|DER"},
    {OPTION_STRING, "ssl-https-private-key-file", NULL, AT(tls_flags.https_key), NULL, "FILE", "Its key, without a passphrase, which not everybody may read.", 0, 0, NULL},
    {OPTION_CHOICE, "ssl-https-private-key-type", NULL, AT(tls_flags.https_key_type), "PEM", NULL, "The form of that.", 0, 0, "PEM|DER"},
    {OPTION_INT, "ssl-https-verify-peer", NULL, AT(tls_flags.https_verify_peer), "1", "0|1", "0: take a certificate of anybody.", 0, 1, NULL},
    {OPTION_INT, "ssl-https-verify-host", NULL, AT(tls_flags.https_verify_host), "2", "0|1|2", "0: take a certificate for any host; 1 is the same as 2.", 0, 2, NULL},
    {OPTION_BOOL, "ssl-grpc-use-ssl", NULL, AT(tls_flags.grpc_use), NULL, NULL, "gRPC over TLS.", 0, 0, NULL},
    {OPTION_STRING, "ssl-grpc-root-certifications-file", NULL, AT(tls_flags.grpc_ca), NULL, "FILE", "As --ssl-https-ca-certificates-file.", 0, 0, NULL},
    {OPTION_STRING, "ssl-grpc-certificate-chain-file", NULL, AT(tls_flags.grpc_certificate), NULL, "FILE", "Our own certificate, in PEM, with the chain of its issuers.", 0, 0, NULL},
    {OPTION_STRING, "ssl-grpc-private-key-file", NULL, AT(tls_flags.grpc_key), NULL, "FILE", "Its key, in PEM.", 0, 0, NULL},

    REFUSED("sync", "requests are always asynchronous, so that none waits for a thread; leave it out"),
    REFUSED("endpoint", "only servers of KServe v2 or TRTIS v1 are driven"),
    REFUSED("model-signature-name", "only servers of KServe v2 or TRTIS v1 are driven"),
    REFUSED("grpc-method", "only servers of KServe v2 or TRTIS v1 are driven"),
    REFUSED("proto", "only servers of KServe v2 or TRTIS v1 are driven"),
    REFUSED("enable-mpi", "start one inferd perf on each machine"),
    REFUSED("triton-server-directory", "the core of the server is in this program; leave it out"),
    REFUSED("version", "inferd --version tells it"),
    REFUSED("session-concurrency", "sessions of chats are not driven"),
};
/* clang-format on */

static const struct option_table table = {
    "inferd perf",
    "-m NAME [options]",
    "Loads a server with inferences and tells its throughput and latency, and the server's own part in it. Flags mean "
    "what they mean to perf_analyzer. Exit code: 0, or 2 when a point was not stable, 3 for a wrong command line, 99 "
    "for another failure, 130 when it was interrupted before anything was measured.",
    rows,
    sizeof rows / sizeof rows[0],
    false,
};

static struct status contradiction(const char *text) {
    return status_error(STATUS_INVALID_ARGUMENT, "%s", text);
}

/* ---- derived values ---- */

static struct status take_protocol(struct perf_options *options) {
    bool http = strcasecmp(options->protocol_name, "http") == 0, grpc = strcasecmp(options->protocol_name, "grpc") == 0;
    if (!http && !grpc)
        return status_error(STATUS_INVALID_ARGUMENT, "--protocol: expected http or grpc, got \"%.100s\"",
                            options->protocol_name);
    options->protocol = http ? PERF_HTTP : PERF_GRPC;
    options->service = strcmp(options->service_kind, "trtis") == 0    ? PERF_TRTIS
                       : strcmp(options->service_kind, "triton") == 0 ? PERF_TRITON
                                                                      : PERF_IN_PROCESS;
    options->json_inputs = strcmp(options->input_format, "json") == 0;
    options->json_outputs = strcmp(options->output_format, "json") == 0;
    if (strcmp(options->model_version, "-1") == 0) /* perf_client's word for the latest */
        options->model_version = "";
    if (options->url == NULL)
        options->url = http ? "localhost:8000" : "localhost:8001";
    STATUS_TRY(perf_version_check(options->model_version));
    return perf_url_check(options->url);
}

static struct status take_v1_flags(struct perf_options *options) {
    bool any = options->v1_concurrency > 0 || options->v1_dynamic || options->v1_max_concurrency > 0;
    double start = options->v1_concurrency > 0 ? (double)options->v1_concurrency : 1;
    if (options->v1_zero || options->v1_data_directory != NULL) {
        if (options->input_data.count > 0 || (options->v1_zero && options->v1_data_directory != NULL))
            return contradiction("--input-data, -z and --data-directory: only one of them");
        options->input_data.items[options->input_data.count++] = options->v1_zero ? "zero" : options->v1_data_directory;
    }
    if (!any)
        return status_ok();
    if (options->concurrency_text != NULL || options->periodic_text != NULL || options->rate_text != NULL ||
        options->intervals_path != NULL || options->fixed_schedule || options->replay != NULL)
        return contradiction("-t, -d and -c are perf_client's: they do not go with --concurrency-range and its like");
    if (options->v1_max_concurrency > 0 && !options->v1_dynamic)
        return contradiction("-c is the last concurrency of -d, which was not given");
    if (options->v1_max_concurrency > 0 && options->v1_max_concurrency < options->v1_concurrency)
        return contradiction("-c, the last concurrency, is below -t, the first");
    options->range = options->v1_dynamic ? (struct perf_range){start, (double)options->v1_max_concurrency, 1, true}
                                         : (struct perf_range){start, start, 1, false};
    return status_ok();
}

static struct status take_load(struct perf_options *options) {
    int given = (options->concurrency_text != NULL) + (options->periodic_text != NULL) + (options->rate_text != NULL) +
                (options->intervals_path != NULL) + options->fixed_schedule + (options->replay != NULL);
    if (given > 1)
        return contradiction("--concurrency-range, --periodic-concurrency-range, --request-rate-range, "
                             "--request-intervals, --fixed-schedule and --replay: only one of them");
    options->range = (struct perf_range){1, 1, 1, false};
    STATUS_TRY(take_v1_flags(options));
    if (options->rate_text != NULL) {
        options->load = PERF_LOAD_RATE;
        STATUS_TRY(perf_range_parse("--request-rate-range", options->rate_text, false, &options->range));
    } else if (options->intervals_path != NULL) {
        options->load = PERF_LOAD_INTERVALS;
    } else if (options->fixed_schedule || options->replay != NULL) {
        options->load = PERF_LOAD_FIXED;
    } else if (options->concurrency_text != NULL) {
        STATUS_TRY(perf_range_parse("--concurrency-range", options->concurrency_text, true, &options->range));
    } else if (options->periodic_text != NULL) {
        STATUS_TRY(perf_range_parse("--periodic-concurrency-range", options->periodic_text, true, &options->range));
    }
    options->poisson = strcmp(options->distribution, "poisson") == 0;
    if (options->poisson && options->load != PERF_LOAD_RATE)
        return contradiction("--request-distribution is of --request-rate-range, which was not given");
    return status_ok();
}

/* A record brings all that a request is made of. */
static struct status check_replay(const struct perf_options *options, bool sources_given) {
    if (options->replay == NULL)
        return options->speed != 1 ? contradiction("--speed is of --replay, which was not given") : status_ok();
    if (options->speed < 0.001)
        return contradiction("--speed: expected a number from 0.001 to 1000");
    if (sources_given || options->text != NULL || options->shape_texts.count > 0 || options->string_data != NULL)
        return contradiction("--replay brings its own data and shapes: it goes with no flag for them");
    if (options->batch_size != 1 || options->parameter_texts.count > 0 || options->model_version[0] != '\0')
        return contradiction("--replay sends what was recorded: it goes neither with -b, -x nor --request-parameter");
    if (options->wants_sequences)
        return contradiction("--replay sends the sequences that were recorded: it goes with no flag for them");
    if (strcmp(options->shared_memory, "none") != 0)
        return contradiction("--replay sends its data in the requests: it does not go with --shared-memory");
    return status_ok();
}

static struct status check_data(const struct perf_options *options, bool sources_given) {
    if (options->text != NULL && (sources_given || options->fresh_data || options->shape_texts.count > 0))
        return contradiction("--text brings its own data: it goes neither with --input-data, --fresh-data nor --shape");
    return status_ok();
}

static struct status take_shapes(struct perf_options *options) {
    for (size_t i = 0; i < options->shape_texts.count; i++) {
        STATUS_TRY(workload_parse_shape(options->shape_texts.items[i], &options->shapes[i]));
        for (size_t before = 0; before < i; before++) {
            if (slice_equal(options->shapes[before].name, options->shapes[i].name))
                return status_error(STATUS_INVALID_ARGUMENT, "--shape %.*s was given twice",
                                    SLICE_ARGS(options->shapes[i].name));
        }
    }
    return status_ok();
}

static struct status take_lists(struct perf_options *options, struct arena *arena) {
    options->shapes = arena_calloc(arena, options->shape_texts.count, sizeof *options->shapes);
    options->headers = arena_calloc(arena, options->header_texts.count, sizeof *options->headers);
    options->parameters = arena_calloc(arena, options->parameter_texts.count, sizeof *options->parameters);
    if (options->shapes == NULL || options->headers == NULL || options->parameters == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the command line");
    STATUS_TRY(take_shapes(options));
    for (size_t i = 0; i < options->header_texts.count; i++)
        STATUS_TRY(perf_header_parse(options->header_texts.items[i], options->protocol == PERF_GRPC, arena,
                                     &options->headers[i]));
    for (size_t i = 0; i < options->parameter_texts.count; i++)
        STATUS_TRY(perf_parameter_parse(options->parameter_texts.items[i], &options->parameters[i]));
    STATUS_TRY(check_data(options, options->input_data.count > 0));
    STATUS_TRY(check_replay(options, options->input_data.count > 0));
    if (options->input_data.count == 0)
        options->input_data.items[options->input_data.count++] = "random";
    return status_ok();
}

static struct status take_sequences(int argc, char **argv, struct perf_options *options) {
    static const char *const flags[] = {"num-of-sequences", "sequence-length", "sequence-length-variation",
                                        "sequence-id-range", "serial-sequences"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        options->wants_sequences = options->wants_sequences || options_was_given(&table, argc, argv, flags[i]);
    options->sequence_length_given = options_was_given(&table, argc, argv, "sequence-length");
    return perf_ids_parse(options->sequence_id_text, &options->sequence_first, &options->sequence_end);
}

/* ---- contradictions ---- */

static bool was_given(int argc, char **argv, const char *flag) {
    return options_was_given(&table, argc, argv, flag);
}

/* For what has no use beside the rest: the environment may name it for other runs, and other commands. */
static bool was_typed(int argc, char **argv, const char *flag) {
    return options_was_typed(&table, argc, argv, flag);
}

/* What only a server that is elsewhere has. */
static struct status check_in_process(int argc, char **argv, struct perf_options *options) {
    static const char *const flags[] = {"url",           "protocol",    "streaming",
                                        "header",        "connections", "collect-metrics",
                                        "shared-memory", "replay",      "grpc-compression-algorithm"};
    enum { SHARED = 2 }; /* the first flags, which other commands have too */
    bool in_process = options->service == PERF_IN_PROCESS;
    if (!in_process && (was_typed(argc, argv, "model-repository") || was_typed(argc, argv, "backend-directory")))
        return contradiction("--model-repository and --backend-directory are of --service-kind in_process");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && in_process; i++) {
        if (i < SHARED ? was_typed(argc, argv, flags[i]) : was_given(argc, argv, flags[i]))
            return status_error(STATUS_INVALID_ARGUMENT,
                                "--%s is of a server that is reached over the network: it does not go with "
                                "--service-kind %s",
                                flags[i], options->service_kind);
    }
    if (in_process && options->tls.used)
        return contradiction("TLS is of a server that is reached over the network");
    if (in_process && options->repositories.count == 0)
        return contradiction("--service-kind in_process needs --model-repository DIR");
    if (in_process)
        options->url = options->repositories.items[0];
    return status_ok();
}

/* What would be ignored without another flag, or beside one. */
static struct status check_ignored(int argc, char **argv, const struct perf_options *options) {
    static const struct {
        const char *flag, *of;
    } parts[] = {
        {"metrics-url", "collect-metrics"},
        {"metrics-interval", "collect-metrics"},
        {"request-period", "periodic-concurrency-range"},
        {"vocab", "text"},
        {"pad", "text"},
        {"max-seq-length", "text"},
        {"doc-stride", "text"},
        {"max-query-length", "text"},
        {"output-shared-memory-size", "shared-memory"},
    };
    static const char *const window_flags[] = {"measurement-interval", "measurement-mode", "measurement-request-count",
                                               "stability-percentage", "max-trials"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (was_typed(argc, argv, parts[i].flag) && !was_given(argc, argv, parts[i].of))
            return status_error(STATUS_INVALID_ARGUMENT, "--%s is of --%s, which was not given", parts[i].flag,
                                parts[i].of);
    }
    const char *whole = options->replay != NULL          ? "replay"
                        : options->fixed_schedule        ? "fixed-schedule"
                        : options->periodic_text != NULL ? "periodic-concurrency-range"
                                                         : NULL;
    for (size_t i = 0; whole != NULL && i < sizeof window_flags / sizeof window_flags[0]; i++) {
        if (was_given(argc, argv, window_flags[i]))
            return status_error(STATUS_INVALID_ARGUMENT,
                                "--%s does not go with --%s, which is one window of all requests", window_flags[i],
                                whole);
    }
    if ((was_typed(argc, argv, "metrics-url") || was_typed(argc, argv, "metrics-interval")) &&
        !options->collect_metrics)
        return contradiction("--metrics-url and --metrics-interval are of --collect-metrics, which is off");
    if (was_typed(argc, argv, "output-shared-memory-size") && strcmp(options->shared_memory, "none") == 0)
        return contradiction("--output-shared-memory-size is of --shared-memory, which is none");
    if (was_given(argc, argv, "string-length") && options->string_data != NULL)
        return contradiction("--string-data is what every string is: it does not go with --string-length");
    return status_ok();
}

/* What the environment tells of version and batch is for runs that make their requests themselves. */
static void pass_over_unused(int argc, char **argv, struct perf_options *options) {
    if (options->replay != NULL && !was_typed(argc, argv, "model-version"))
        options->model_version = "";
    if (options->replay != NULL && !was_typed(argc, argv, "batch-size"))
        options->batch_size = 1;
}

static struct status check_service(const struct perf_options *options) {
    if (options->service == PERF_TRTIS && options->replay != NULL)
        return contradiction("--replay sends what v1 has no words for: it does not go with --service-kind trtis");
    if (options->service == PERF_TRTIS && options->parameter_texts.count > 0)
        return contradiction("--request-parameter: requests of v1 have none");
    if (options->service == PERF_TRTIS && options->profile_values)
        return contradiction("--profile-export-values: answers of v1 do not tell the datatypes of outputs");
    return status_ok();
}

/* Tensors in JSON are of HTTP, and travel with the requests. */
static struct status check_formats(const struct perf_options *options) {
    const char *flag = options->json_inputs ? "--input-tensor-format" : "--output-tensor-format";
    if (!options->json_inputs && !options->json_outputs)
        return status_ok();
    if (options->service != PERF_TRITON)
        return status_error(STATUS_INVALID_ARGUMENT, "%s json is of KServe v2: it does not go with --service-kind %s",
                            flag, options->service_kind);
    if (options->protocol != PERF_HTTP)
        return status_error(STATUS_INVALID_ARGUMENT, "%s json is of HTTP: it does not go with -i grpc", flag);
    if (strcmp(options->shared_memory, "none") != 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s json is of tensors in requests and answers: it does not go with --shared-memory", flag);
    return status_ok();
}

static struct status check_search(const struct perf_options *options) {
    bool limit = options->latency_limit_ms > 0;
    bool ranged = options->load == PERF_LOAD_CONCURRENCY || options->load == PERF_LOAD_RATE;
    if (options->range.has_end && options->range.end == 0 && !limit)
        return contradiction("a range without an end needs --latency-threshold");
    if (options->binary_search && options->saturation_search)
        return contradiction("--binary-search and --saturation-search: only one of them");
    if (options->binary_search && (!ranged || !options->range.has_end || options->range.end == 0 || !limit))
        return contradiction("--binary-search needs a range with an end, and --latency-threshold");
    if (options->saturation_search && (!ranged || options->range.has_end))
        return contradiction("--saturation-search needs a range of START or START::STEP, without an end");
    if (options->load == PERF_LOAD_FIXED && (options->request_count > 0 || options->warmup_requests > 0))
        return contradiction("--fixed-schedule and --replay send each item once: they go with no count");
    if (options->request_count > 0 && (options->binary_search || options->saturation_search))
        return contradiction("--request-count measures one window: it does not go with a search");
    return status_ok();
}

/* What perf_analyzer wants for it, and what one run of it cannot have. */
static struct status check_periodic(const struct perf_options *options) {
    if (options->periodic_text == NULL)
        return status_ok();
    if (!options->streaming || options->profile_export == NULL)
        return contradiction("--periodic-concurrency-range needs --streaming and --profile-export-file");
    if (!options->range.has_end || options->range.end < options->range.start)
        return contradiction("--periodic-concurrency-range: expected START:END, or START:END:STEP");
    if (options->binary_search || options->saturation_search || options->request_count > 0 ||
        options->warmup_requests > 0 || options->wants_sequences)
        return contradiction(
            "--periodic-concurrency-range sends END requests once: it goes with no search, no count and "
            "no sequences");
    if (options->csv != NULL)
        return contradiction("--periodic-concurrency-range has no row for a table: it does not go with -f");
    return status_ok();
}

static struct status check(const struct perf_options *options) {
    if (options->model != NULL ? options->model[0] == '\0' : options->replay == NULL)
        return contradiction("-m NAME is needed: which model to load");
    if (options->percentile != -1 && !(options->percentile >= 1 && options->percentile <= 99.999))
        return contradiction("--percentile: expected a number from 1 to 99.999, or -1 for the average");
    if ((options->verbose_csv || options->full_csv) && options->csv == NULL)
        return contradiction("--verbose-csv and --full-csv need -f FILE");
    if (strcmp(options->grpc_compression, "none") != 0 && options->protocol != PERF_GRPC)
        return contradiction("--grpc-compression-algorithm is of gRPC: add -i grpc");
    if (options->streaming && options->protocol != PERF_GRPC)
        return contradiction("--streaming is of gRPC: add -i grpc");
    if (options->profile_values && options->profile_export == NULL)
        return contradiction("--profile-export-values is of --profile-export-file, which was not given");
    if (options->profile_values && (options->fresh_data || strcmp(options->shared_memory, "none") != 0))
        return contradiction("--profile-export-values goes neither with --fresh-data nor with --shared-memory");
    STATUS_TRY(perf_outputs_check("-f", options->csv, "--json", options->json));
    STATUS_TRY(perf_outputs_check("-f", options->csv, "--profile-export-file", options->profile_export));
    STATUS_TRY(perf_outputs_check("--json", options->json, "--profile-export-file", options->profile_export));
    STATUS_TRY(check_periodic(options));
    STATUS_TRY(check_service(options));
    STATUS_TRY(check_formats(options));
    return check_search(options);
}

const char *perf_carrier(const struct perf_options *options) {
    if (options->service == PERF_IN_PROCESS)
        return "in-process";
    return options->protocol == PERF_HTTP ? "HTTP" : "gRPC";
}

struct status perf_options_parse(int argc, char **argv, struct arena *arena, struct perf_options *ret,
                                 enum options_outcome *ret_outcome) {
    *ret = (struct perf_options){0};
    STATUS_TRY(options_parse(&table, argc, argv, arena, ret, NULL, ret_outcome));
    if (*ret_outcome == OPTIONS_HELP) {
        options_print_help(&table, stdout);
        return status_ok();
    }
    STATUS_TRY(check_ignored(argc, argv, ret));
    pass_over_unused(argc, argv, ret);
    ret->strings_given = ret->string_data != NULL || options_was_given(&table, argc, argv, "string-length");
    ret->trace_rate_given = options_was_given(&table, argc, argv, "trace-rate");
    ret->trace_count_given = options_was_given(&table, argc, argv, "trace-count");
    ret->log_frequency_given = options_was_given(&table, argc, argv, "log-frequency");
    ret->count_windows = strcmp(ret->measurement_mode, "count_windows") == 0;
    STATUS_TRY(take_protocol(ret));
    STATUS_TRY(perf_tls_take(
        &ret->tls_flags,
        &(struct perf_tls_urls){ret->url, ret->protocol == PERF_GRPC, ret->collect_metrics ? ret->metrics_url : NULL},
        &ret->tls));
    STATUS_TRY(take_load(ret));
    STATUS_TRY(take_sequences(argc, argv, ret));
    STATUS_TRY(take_lists(ret, arena));
    STATUS_TRY(check_in_process(argc, argv, ret));
    return check(ret);
}
