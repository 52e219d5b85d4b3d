/* v2_statistics.c: the statistics extension: counters of ready model versions. */
#include <inttypes.h>
#include <stdio.h>

#include "api/v2_service.h"
#include "codec/inference_messages.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the statistics");
}

static struct status not_available(struct slice model, const char *version) {
    char room[SLICE_SHOWN_BYTES];
    struct slice shown = slice_shown(model, room);
    return status_error(STATUS_INVALID_ARGUMENT, "requested model '%.*s'%s is not available", SLICE_ARGS(shown),
                        version);
}

/* A model version whose counters are wanted. */
struct wanted {
    struct slice name;
    int64_t version;
};

/* Copies counters into messages that stand side by side in `memory`; *at is the next free one. */
static struct pb_statistic_duration *put(struct pb_statistic_duration *memory, size_t *at,
                                         const struct duration_stat *stat) {
    struct pb_statistic_duration *duration = &memory[(*at)++];
    duration->count = stat->count;
    duration->ns = stat->ns;
    return duration;
}

static struct status fill_totals(const struct model_statistics *from, struct arena *arena,
                                 struct pb_model_statistics *ret) {
    static const struct duration_stat none = {0, 0};
    struct pb_infer_statistics *stats = arena_calloc(arena, 1, sizeof *stats);
    struct pb_statistic_duration *durations = arena_calloc(arena, 8, sizeof *durations);
    if (!stats || !durations)
        return no_memory();
    size_t at = 0;
    stats->success = put(durations, &at, &from->success);
    stats->fail = put(durations, &at, &from->fail);
    stats->queue = put(durations, &at, &from->queue);
    stats->compute_input = put(durations, &at, &from->compute_input);
    stats->compute_infer = put(durations, &at, &from->compute_infer);
    stats->compute_output = put(durations, &at, &from->compute_output);
    stats->cache_hit = put(durations, &at, &none); /* there is no response cache */
    stats->cache_miss = put(durations, &at, &none);
    ret->inference_stats = stats;
    return status_ok();
}

static struct status fill_batches(const struct model_statistics *from, struct arena *arena,
                                  struct pb_model_statistics *ret) {
    struct pb_infer_batch_statistics *batches = arena_calloc(arena, from->batch_count, sizeof *batches);
    struct pb_statistic_duration *durations = arena_calloc(arena, from->batch_count, 3 * sizeof *durations);
    if (!batches || !durations)
        return no_memory();
    size_t at = 0;
    for (size_t i = 0; i < from->batch_count; i++) {
        batches[i].batch_size = from->batches[i].batch_size;
        batches[i].compute_input = put(durations, &at, &from->batches[i].compute_input);
        batches[i].compute_infer = put(durations, &at, &from->batches[i].compute_infer);
        batches[i].compute_output = put(durations, &at, &from->batches[i].compute_output);
    }
    ret->batch_stats.items = batches;
    ret->batch_stats.count = from->batch_count;
    return status_ok();
}

static struct status fill_memory(const struct model *model, struct arena *arena, struct pb_model_statistics *ret) {
    size_t count;
    const struct model_memory *from = model_memory_of(model, &count);
    struct pb_memory_usage *memory = arena_calloc(arena, count, sizeof *memory);
    if (!memory)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        memory[i].type = slice_of(from[i].place.on_gpu ? "GPU" : "CPU");
        memory[i].id = from[i].place.gpu;
        memory[i].byte_size = from[i].bytes;
    }
    ret->memory_usage.items = memory;
    ret->memory_usage.count = count;
    return status_ok();
}

static void fill_response(const struct response_stat *from, struct pb_statistic_duration *durations,
                          struct pb_infer_response_statistics *ret) {
    size_t at = 0;
    ret->compute_infer = put(durations, &at, &from->compute_infer);
    ret->compute_output = put(durations, &at, &from->compute_output);
    ret->success = put(durations, &at, &from->success);
    ret->fail = put(durations, &at, &from->fail);
    ret->empty_response = put(durations, &at, &from->empty_response);
    ret->cancel = put(durations, &at, &from->cancel);
}

/* A map by the index of a response in its request, "0". */
static struct status fill_responses(const struct model_statistics *from, struct arena *arena,
                                    struct pb_model_statistics *ret) {
    enum { DURATIONS = 6 };
    size_t count = from->response_count;
    ret->response_stats.items = arena_calloc(arena, count, sizeof *ret->response_stats.items);
    struct pb_infer_response_statistics *values = arena_calloc(arena, count, sizeof *values);
    struct pb_statistic_duration *durations = arena_calloc(arena, count, DURATIONS * sizeof *durations);
    if (!ret->response_stats.items || !values || !durations)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        ret->response_stats.items[i].key = slice_of(arena_printf(arena, "%zu", i));
        ret->response_stats.items[i].value = &values[i];
        if (!ret->response_stats.items[i].key.data)
            return no_memory();
        fill_response(&from->responses[i], durations + i * DURATIONS, &values[i]);
    }
    ret->response_stats.count = count;
    return status_ok();
}

static struct status fill_model(struct model *model, struct arena *arena, struct pb_model_statistics *ret) {
    struct model_statistics statistics;
    STATUS_TRY(model_statistics_snapshot(model, arena, &statistics));
    ret->name = arena_copy(arena, model_config_of(model)->name);
    ret->version = slice_of(arena_printf(arena, "%" PRId64, model_version_of(model)));
    if (!ret->name.data || !ret->version.data)
        return no_memory();
    ret->last_inference = statistics.last_inference_ms;
    ret->inference_count = statistics.inference_count;
    ret->execution_count = statistics.execution_count;
    STATUS_TRY(fill_totals(&statistics, arena, ret));
    STATUS_TRY(fill_memory(model, arena, ret));
    STATUS_TRY(fill_responses(&statistics, arena, ret));
    return fill_batches(&statistics, arena, ret);
}

/* Every ready version of every model. */
static struct status list_all(const struct api_context *context, struct arena *arena, struct wanted **ret,
                              size_t *ret_count) {
    struct model_index_row *rows;
    size_t row_count, count = 0;
    STATUS_TRY(inference_server_index(context->server, arena, &rows, &row_count));
    struct wanted *wanted = arena_calloc(arena, row_count, sizeof *wanted);
    if (!wanted)
        return no_memory();
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].state == MODEL_READY)
            wanted[count++] = (struct wanted){rows[i].name, rows[i].version};
    *ret = wanted;
    *ret_count = count;
    return status_ok();
}

/* The version asked for, or all ready ones of the model. Unknown ones are the client's mistake, in this call. */
static struct status list_model(const struct api_context *context, const struct pb_model_statistics_request *call,
                                struct arena *arena, struct wanted **ret, size_t *ret_count) {
    int64_t version, *versions = &version;
    size_t count = 1;
    STATUS_TRY(v2_parse_version(call->version, &version));
    if (version < 0) {
        struct status status = inference_server_model_versions(context->server, call->name, arena, &versions, &count);
        if (!status_is_ok(&status) && status.code != STATUS_NOT_FOUND)
            return status;
        if (!status_is_ok(&status) || count == 0)
            return not_available(call->name, "");
    }
    struct wanted *wanted = arena_calloc(arena, count, sizeof *wanted);
    if (!wanted)
        return no_memory();
    for (size_t i = 0; i < count; i++)
        wanted[i] = (struct wanted){call->name, versions[i]};
    *ret = wanted;
    *ret_count = count;
    return status_ok();
}

struct status v2_call_model_statistics(const struct api_context *context, const void *request, struct arena *arena,
                                       void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_model_statistics_request *call = request;
    struct pb_model_statistics_response *answer = response;
    bool all = call->name.size == 0;
    struct wanted *wanted;
    size_t count;
    STATUS_TRY(all ? list_all(context, arena, &wanted, &count) : list_model(context, call, arena, &wanted, &count));
    answer->model_stats.items = arena_calloc(arena, count, sizeof *answer->model_stats.items);
    if (!answer->model_stats.items)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        struct model *model = NULL;
        struct status status =
            inference_server_acquire_model(context->server, wanted[i].name, wanted[i].version, &model);
        if (status_is_ok(&status)) {
            status = fill_model(model, arena, &answer->model_stats.items[answer->model_stats.count]);
            model_release(model);
            if (!status_is_ok(&status))
                return status;
            answer->model_stats.count++;
        } else if (!all) {
            char version[40];
            snprintf(version, sizeof version, ", version %" PRId64, wanted[i].version);
            return not_available(call->name, version);
        }
        /* else: it was unloaded just now */
    }
    return status_ok();
}
