#include "tools/perf/perf_driver.h"

#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "tools/perf/server_statistics.h"

enum { OPEN_LOOP_HTTP_CONNECTIONS = 1024, FLIGHTS_PER_GRPC_CONNECTION = 16, GRPC_CONNECTIONS_MAX = 16 };

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static uint64_t request_timeout_ns(const struct perf_options *options) {
    return (uint64_t)(options->request_timeout_s * (double)NS_PER_S);
}

/* ---- over the network ---- */

static size_t connection_count(const struct perf_options *options) {
    const struct perf_range *range = &options->range;
    double most = range->end > range->start ? range->end : range->start;
    if (options->connections > 0)
        return (size_t)options->connections;
    if (options->protocol == PERF_HTTP) {
        bool bounded = options->load == PERF_LOAD_CONCURRENCY && range->end > 0 && !options->saturation_search;
        size_t wanted = bounded ? (size_t)most + 1 : OPEN_LOOP_HTTP_CONNECTIONS; /* one is for statistics */
        return wanted < INFER_CLIENT_CONNECTIONS_MAX ? wanted : INFER_CLIENT_CONNECTIONS_MAX;
    }
    if (options->load != PERF_LOAD_CONCURRENCY || range->end <= 0 || options->saturation_search)
        return GRPC_CONNECTIONS_MAX / 4;
    size_t wanted = ((size_t)most + FLIGHTS_PER_GRPC_CONNECTION - 1) / FLIGHTS_PER_GRPC_CONNECTION;
    return wanted < GRPC_CONNECTIONS_MAX ? wanted : GRPC_CONNECTIONS_MAX;
}

/* Many connections need many descriptors: as many as this process may have. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct status open_network(const struct perf_options *options, struct arena *arena, struct driver **ret) {
    struct infer_client_options *client = arena_alloc(arena, sizeof *client);
    if (client == NULL)
        return out_of_memory();
    *client = (struct infer_client_options){
        .protocol = options->protocol == PERF_HTTP ? INFER_PROTOCOL_HTTP : INFER_PROTOCOL_GRPC,
        .api = options->service == PERF_TRTIS ? INFER_API_V1 : INFER_API_V2,
        .request_timeout_ns = request_timeout_ns(options),
        .max_connections = connection_count(options),
        .stream = options->streaming,
        .json_inputs = options->json_inputs,
        .json_outputs = options->json_outputs,
        .encoding = strcmp(options->grpc_compression, "gzip") == 0      ? INFER_ENCODING_GZIP
                    : strcmp(options->grpc_compression, "deflate") == 0 ? INFER_ENCODING_DEFLATE
                                                                        : INFER_ENCODING_NONE,
        .tls = options->tls.used ? &options->tls.server : NULL,
        .headers = options->headers,
        .header_count = options->header_texts.count,
    };
    raise_descriptor_limit();
    return driver_network_open(options->url, client, ret);
}

/* ---- in this process ---- */

/* The model and those that it is said to call are loaded, and no others. */
static struct status open_in_process(const struct perf_options *options, struct arena *arena, struct driver **ret) {
    const char *models[SERVER_MODELS_MAX] = {options->model};
    struct slice rest = slice_of(options->composing_models), name;
    struct driver_in_process_options in_process = {
        .repositories = options->repositories.items,
        .repository_count = options->repositories.count,
        .backend_directory = options->backend_directory,
        .models = models,
        .model_count = 1,
        .request_timeout_ns = request_timeout_ns(options),
    };
    while (rest.size > 0 && in_process.model_count < SERVER_MODELS_MAX) {
        slice_split(rest, ',', &name, &rest);
        models[in_process.model_count] = arena_strdup(arena, name);
        if (models[in_process.model_count++] == NULL)
            return out_of_memory();
    }
    return driver_in_process_open(&in_process, ret);
}

struct status perf_driver_open(const struct perf_options *options, struct arena *arena, struct driver **ret) {
    return options->service == PERF_IN_PROCESS ? open_in_process(options, arena, ret)
                                               : open_network(options, arena, ret);
}
