#include "tools/serve/server.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/load_report.h"
#include "api/metrics_text.h"
#include "api/readiness.h"
#include "api/v1_state.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/freed_memory.h"
#include "core/inference_server.h"
#include "record/recorder.h"
#include "tools/engines/engines.h"
#include "tools/serve/port.h"
#include "tools/serve/security.h"
#include "tools/serve/worker_pool.h"
#include "trace/tracer.h"

enum { PORT_HTTP, PORT_GRPC, PORT_METRICS, PORT_COUNT, DEFAULT_THREADS_MAX = 8 };

struct server {
    const struct serve_options *options;
    const struct serve_settings *settings;
    struct log *log;
    const char *version;
    int on_failure_fd;
    uint64_t started_ns;

    struct arena *arena; /* of texts made at start */
    const struct backend_ops *builtin[ENGINES_BUILTIN_COUNT];
    struct inference_server *core;
    struct readiness *readiness;
    struct metrics_state *metrics;
    struct load_meter *load;
    struct tracer *tracer;
    struct recorder *recorder;
    struct v1_state v1;
    struct http_limits limits, metrics_limits;
    struct http_budget budget, metrics_budget;
    struct freed_memory freed;
    struct worker_pool workers, decoders, copiers;
    struct loop_thread *threads;
    size_t thread_count;
    struct security security;
    struct port ports[PORT_COUNT];
    atomic_bool exiting;

    pthread_t loader;
    bool loader_started;

    /* What the main thread waits for while it drains. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic clock */
    size_t drained_ports;
    bool loaded;
};

/* ---- parts, in the order in which they are made ---- */

static void on_change(void *user) {
    readiness_notify(user);
}

static struct status create_core(struct server *server, const struct serve_settings *settings) {
    const struct serve_options *options = server->options;
    const char *directory = options->backend_directory;
    if (!directory)
        directory = engines_default_directory(server->arena);
    engines_builtin(server->builtin);
    const struct inference_server_options core = {
        .repositories = options->repositories.items,
        .repository_count = options->repositories.count,
        .strict_readiness = options->strict_readiness,
        .on_change = on_change,
        .on_change_user = server->readiness,
        .control = settings->control,
        .startup_models = options->load_models.items,
        .startup_model_count = options->load_models.count,
        .loader_count = (size_t)options->loader_count,
        .temporary_directory = getenv("TMPDIR"),
        .backend_directory = directory,
        .builtin_backends = server->builtin,
        .builtin_backend_count = ENGINES_BUILTIN_COUNT,
        .shared_memory = {.allowed = options->allow_client_shm,
                          .max_regions = (size_t)options->max_shm_regions,
                          .max_mapped_bytes = (uint64_t)options->max_shm_bytes,
                          .max_input_bytes = (uint64_t)options->max_inflight_bytes},
        .max_queue_size = (uint32_t)options->max_queue_size,
        .log = server->log,
    };
    return inference_server_create(&core, &server->core);
}

static size_t choose_thread_count(const struct serve_options *options) {
    if (options->thread_count > 0)
        return (size_t)options->thread_count;
    int half = cpu_available_count() / 2;
    if (half < 1)
        return 1;
    return half < DEFAULT_THREADS_MAX ? (size_t)half : DEFAULT_THREADS_MAX;
}

static struct status create_loops(struct server *server) {
    size_t count = choose_thread_count(server->options);
    server->threads = calloc(count, sizeof *server->threads);
    if (!server->threads)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %zu threads", count);
    server->thread_count = count;
    for (size_t i = 0; i < count; i++)
        STATUS_TRY(loop_thread_create(&server->threads[i]));
    return status_ok();
}

/* A quarter is divided among all connections that there may be, so that a few greedy ones cannot starve the others. */
static void divide_budget(const struct serve_options *options, struct http_budget *budget) {
    size_t all = (size_t)options->max_inflight_bytes, shares = all / 4;
    budget->share_bytes = shares / ((size_t)options->max_connections * PORT_COUNT);
    if (budget->share_bytes < SERVER_SHARE_MIN)
        budget->share_bytes = SERVER_SHARE_MIN;
    budget->max_bytes = all - shares;
}

static struct http_limits limits_of(const struct serve_options *options, struct http_budget *budget) {
    struct http_limits limits = http_limits_default();
    divide_budget(options, budget);
    limits.budget = budget;
    limits.max_body_bytes = (size_t)options->max_request_bytes;
    limits.max_concurrent_streams = (uint32_t)options->max_streams;
    limits.idle_timeout_ns = (uint64_t)options->idle_timeout_secs * NS_PER_S;
    limits.body_timeout_ns = (uint64_t)options->request_timeout_secs * NS_PER_S;
    if (limits.head_timeout_ns > limits.body_timeout_ns)
        limits.head_timeout_ns = limits.body_timeout_ns;
    return limits;
}

/* What all ports have in common: the limits of the server and the pattern of the handlers' context. */
static struct api_context prepare_context(struct server *server) {
    const struct serve_options *options = server->options;
    server->limits = limits_of(options, &server->budget);
    server->metrics_limits =
        server->limits; /* metrics can be had when requests hold all the memory there is for them */
    server->metrics_limits.budget = &server->metrics_budget;
    server->metrics_budget =
        (struct http_budget){.max_bytes = SERVER_METRICS_INFLIGHT, .share_bytes = SERVER_SHARE_MIN};
    return (struct api_context){
        .server = server->core,
        .workers = &server->workers.api,
        .decoders = &server->decoders.api,
        .copiers = &server->copiers.api,
        .budget = &server->budget,
        .server_name = options->id ? options->id : "inferd",
        .version = server->version,
        .max_body_bytes = server->limits.max_body_bytes,
        .max_stream_requests = (size_t)options->max_stream_requests,
        .exiting = &server->exiting,
        .readiness = server->readiness,
        .access = server->security.access,
        .metrics = server->metrics,
        .load = server->load,
        .log = server->log,
        .tracer = server->tracer,
        .recorder = server->recorder,
        .http_forwarded = server->settings->http_forwarded,
        .grpc_forwarded = server->settings->grpc_forwarded,
        .v1 = &server->v1,
    };
}

/* What is not allowed is on no port: the two that serve everything leave it out. */
static struct status open_ports(struct server *server) {
    const struct serve_options *options = server->options;
    const unsigned all = options->allow_metrics ? API_ALL : API_ALL & ~(unsigned)API_METRICS;
    const unsigned http = options->allow_http ? all : 0;
    const struct {
        bool allowed, grpc;
        unsigned classes;
        struct port_options port;
    } rows[PORT_COUNT] = {
        [PORT_HTTP] = {options->allow_http,
                       options->allow_grpc,
                       http,
                       {"HTTP", options->http_address, (int)options->http_port, &server->limits,
                        (size_t)options->max_connections, server->security.tls.http}},
        [PORT_GRPC] = {options->allow_grpc,
                       true,
                       http,
                       {"gRPC", options->grpc_address, (int)options->grpc_port, &server->limits,
                        (size_t)options->max_connections, server->security.tls.grpc}},
        [PORT_METRICS] = {options->allow_metrics,
                          false,
                          API_METRICS,
                          {"metrics", options->metrics_address, (int)options->metrics_port, &server->metrics_limits,
                           (size_t)options->max_connections, server->security.tls.metrics}},
    };
    struct api_context context = prepare_context(server);
    for (int i = 0; i < PORT_COUNT; i++) {
        struct port *port = &server->ports[i];
        const char *address = rows[i].port.address;
        if (!rows[i].allowed)
            continue;
        context.classes = rows[i].classes;
        context.grpc = rows[i].grpc;
        struct status status = port_open(port, &rows[i].port, &context, server->threads, server->thread_count);
        if (!status_is_ok(&status))
            return status_prefix(status, "%s port", rows[i].port.name);
        bool colons = strchr(address, ':') && address[0] != '['; /* an address of IPv6 that has no brackets */
        LOG_INFO(server->log, "%s listening on %s%s%s:%d", rows[i].port.name, colons ? "[" : "", address,
                 colons ? "]" : "", listener_port(port->listener));
    }
    return status_ok();
}

int server_watch_fd(const struct server *server) {
    return server->security.watch_fd;
}

void server_reload_files(struct server *server) {
    security_reload(&server->security);
}

/* ---- loading, on a thread of its own while the ports already answer ---- */

static void report_loaded(struct server *server, const struct status *status, size_t failed) {
    uint64_t milliseconds = (clock_monotonic_ns() - server->started_ns + NS_PER_MS / 2) / NS_PER_MS;
    if (!status_is_ok(status))
        LOG_ERROR(server->log, "cannot load models: %s", status->message);
    else if (failed > 0)
        LOG_WARNING(server->log, "%zu model%s could not be loaded", failed, failed == 1 ? "" : "s");
    if (inference_server_is_ready(server->core))
        LOG_INFO(server->log, "server ready in %" PRIu64 " ms", milliseconds);
    else
        LOG_WARNING(server->log,
                    "server is not ready after %" PRIu64 " ms: with --strict-readiness=true all models must be",
                    milliseconds);
}

static void *loader_main(void *user) {
    struct server *server = user;
    size_t failed = 0;
    struct status status = inference_server_load_models(server->core, &failed);
    report_loaded(server, &status, failed);
    if (!status_is_ok(&status) || (failed > 0 && server->options->exit_on_error)) {
        const uint64_t one = 1;
        ssize_t written = write(server->on_failure_fd, &one, sizeof one);
        (void)written; /* an eventfd takes it */
    }
    pthread_mutex_lock(&server->lock);
    server->loaded = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static struct status start_threads(struct server *server) {
    for (size_t i = 0; i < server->thread_count; i++)
        STATUS_TRY(loop_thread_start(&server->threads[i], i));
    int error = pthread_create(&server->loader, NULL, loader_main, server);
    if (error)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "cannot start a thread that loads models: %s", strerror(error));
    server->loader_started = true;
    pthread_setname_np(server->loader, "loader");
    return status_ok();
}

static struct server *server_create(const struct serve_options *options, const struct serve_settings *settings,
                                    const char *version, struct log *log, int on_failure_fd) {
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->options = options;
    server->settings = settings;
    server->log = log;
    server->security.watch_fd = -1;
    server->version = version;
    server->on_failure_fd = on_failure_fd;
    server->started_ns = clock_monotonic_ns();
    server->v1 =
        (struct v1_state){.server_id = options->id ? options->id : "inference:0", .started_ns = server->started_ns};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&server->lock, NULL);
    worker_pool_init(&server->workers, "worker", SERVER_CALLS_WAITING_MAX);
    worker_pool_init(&server->decoders, "decoder", SIZE_MAX); /* what waits is booked */
    worker_pool_init(&server->copiers, "copier", SIZE_MAX);   /* likewise */
    server->arena = arena_create(0);
    server->metrics = metrics_state_create(&settings->metrics, log);
    server->load = server->metrics ? load_meter_create(metrics_state_machine(server->metrics)) : NULL;
    server->readiness = readiness_create(SERVER_WATCHES_MAX);
    if (!server->arena || !server->load || !server->readiness) {
        server_destroy(server);
        return NULL;
    }
    return server;
}

static struct status create_recorder(struct server *server) {
    const struct serve_options *options = server->options;
    const struct recorder_options record = {.path = options->record_file,
                                            .bodies = options->record_bodies,
                                            .max_bytes = (uint64_t)options->record_max_bytes};
    return record.path ? recorder_create(&record, server->log, &server->recorder) : status_ok();
}

/* Once the ports are open, so that a server that finds them taken leaves no file behind. */
static struct status open_recorder(struct server *server) {
    if (!server->recorder)
        return status_ok();
    const char *name = arena_printf(server->arena, "inferd %s", server->version);
    struct status status = recorder_open(server->recorder, name ? name : "inferd");
    if (!status_is_ok(&status))
        return status_prefix(status, "--record");
    LOG_INFO(server->log, "inferences are recorded in %s%s", server->options->record_file,
             server->options->record_bodies ? ", with the data of their inputs" : "");
    return status;
}

static struct status assemble(struct server *server, const struct serve_settings *settings) {
    STATUS_TRY(tracer_create(&settings->trace, server->version, server->log, &server->tracer));
    STATUS_TRY(create_recorder(server));
    STATUS_TRY(create_core(server, settings));
    STATUS_TRY(create_loops(server));
    STATUS_TRY(security_open(&server->security, server->settings, server->log));
    STATUS_TRY(open_ports(server));
    STATUS_TRY(open_recorder(server));
    return start_threads(server);
}

struct status server_start(const struct serve_options *options, const struct serve_settings *settings,
                           const char *version, struct log *log, int on_failure_fd, struct server **ret) {
    struct server *server = server_create(options, settings, version, log, on_failure_fd);
    if (!server)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory at start");
    struct status status = assemble(server, settings);
    if (status_is_ok(&status))
        *ret = server;
    else
        server_destroy(server);
    return status;
}

/* ---- the end ---- */

static void on_drained(void *user) {
    struct server *server = user;
    pthread_mutex_lock(&server->lock);
    server->drained_ports++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void drain_port(struct server *server, int index) {
    if (server->ports[index].listener)
        listener_drain(server->ports[index].listener, on_drained, server);
    else
        on_drained(server); /* a port that is not allowed was never opened */
}

/* Waits until so many ports are drained and the models are loaded; false when the deadline passes first. */
static bool wait_for(struct server *server, size_t drained_ports, uint64_t deadline_ns) {
    const struct timespec deadline = {(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};
    int error = 0;
    pthread_mutex_lock(&server->lock);
    while (error != ETIMEDOUT && (server->drained_ports < drained_ports || !server->loaded))
        error = pthread_cond_timedwait(&server->changed, &server->lock, &deadline);
    bool reached = server->drained_ports >= drained_ports && server->loaded;
    pthread_mutex_unlock(&server->lock);
    return reached;
}

static struct status not_drained(struct server *server) {
    size_t connections = 0;
    for (int i = 0; i < PORT_COUNT; i++)
        connections += server->ports[i].listener ? listener_connection_count(server->ports[i].listener) : 0;
    return status_error(STATUS_DEADLINE_EXCEEDED, "%zu connections with requests under way", connections);
}

/* Waits for the loader's thread if it has nothing more to do. */
static void join_loader(struct server *server) {
    pthread_mutex_lock(&server->lock);
    bool join = server->loader_started && server->loaded;
    pthread_mutex_unlock(&server->lock);
    if (join) {
        pthread_join(server->loader, NULL);
        server->loader_started = false;
    }
}

/* Not while requests and answers hold much: the allocator stands still meanwhile, and they would take it again. */
void server_return_memory(struct server *server) {
    size_t held = atomic_load(&server->budget.held_bytes), peak = atomic_exchange(&server->budget.peak_bytes, held);
    if (peak <= SERVER_KEPT_MEMORY)
        (void)freed_memory_return(&server->freed, SERVER_KEPT_MEMORY);
}

/* The metrics port is the last to close, so that the end can be watched. */
struct status server_drain(struct server *server, uint64_t deadline_ns) {
    atomic_store(&server->exiting, true);
    readiness_notify(server->readiness);
    inference_server_refuse_loads(server->core);
    join_loader(server);
    drain_port(server, PORT_HTTP);
    drain_port(server, PORT_GRPC);
    if (!wait_for(server, 2, deadline_ns))
        return not_drained(server);
    if (!worker_pool_wait_idle(&server->workers, deadline_ns))
        return status_error(STATUS_DEADLINE_EXCEEDED, "models that are being loaded or unloaded");
    if (!worker_pool_wait_idle(&server->decoders, deadline_ns))
        return status_error(STATUS_DEADLINE_EXCEEDED, "bodies of clients that have gone, being decoded");
    if (!worker_pool_wait_idle(&server->copiers, deadline_ns))
        return status_error(STATUS_DEADLINE_EXCEEDED, "inputs in memory of GPUs, being copied");
    struct status status = inference_server_drain(server->core, deadline_ns);
    if (!status_is_ok(&status))
        return status_error(STATUS_DEADLINE_EXCEEDED, "%s", status.message);
    drain_port(server, PORT_METRICS);
    return wait_for(server, PORT_COUNT, deadline_ns) ? status_ok() : not_drained(server);
}

void server_destroy(struct server *server) {
    if (!server)
        return;
    join_loader(server);
    worker_pool_stop(&server->workers);
    worker_pool_stop(&server->decoders);
    worker_pool_stop(&server->copiers);
    for (size_t i = 0; i < server->thread_count; i++)
        loop_thread_stop(&server->threads[i]);
    for (int i = 0; i < PORT_COUNT; i++)
        port_close(&server->ports[i]);
    for (size_t i = 0; i < server->thread_count; i++)
        loop_thread_destroy(&server->threads[i]);
    free(server->threads);
    security_close(&server->security);
    inference_server_destroy(server->core);
    readiness_destroy(server->readiness);
    tracer_destroy(server->tracer); /* what was traced has ended by now */
    recorder_destroy(server->recorder);
    load_meter_destroy(server->load);
    metrics_state_destroy(server->metrics);
    arena_destroy(server->arena);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
