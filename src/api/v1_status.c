/* v1_status.c: ServerStatus: the state of the server, of every model and version, with its statistics by batch size. */
#include "api/v1_config.h"
#include "api/v1_service.h"
#include "api/v1_state.h"
#include "base/clock.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the server status");
}

/* ---- statistics ---- */

/* Copies into messages that stand side by side in `memory`. */
static struct pb_v1_stat_duration *put(struct pb_v1_stat_duration **memory, const struct duration_stat *stat) {
    struct pb_v1_stat_duration *duration = (*memory)++;
    duration->count = stat->count;
    duration->total_time_ns = stat->ns;
    return duration;
}

static struct status fill_infer_stats(const struct model_statistics *from, struct arena *arena,
                                      struct pb_v1_model_version_status *ret) {
    size_t count = from->request_batch_count;
    struct pb_v1_model_version_status_infer_stats_entry *entries = arena_calloc(arena, count, sizeof *entries);
    struct pb_v1_infer_request_stats *stats = arena_calloc(arena, count, sizeof *stats);
    struct pb_v1_stat_duration *durations = arena_calloc(arena, count, 4 * sizeof *durations);
    if (!entries || !stats || !durations)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        const struct request_batch_stat *row = &from->request_batches[i];
        entries[i].key = row->batch_size;
        entries[i].value = &stats[i];
        stats[i].success = put(&durations, &row->success);
        stats[i].failed = put(&durations, &row->failed);
        stats[i].compute = put(&durations, &row->compute);
        stats[i].queue = put(&durations, &row->queue);
    }
    ret->infer_stats.items = entries;
    ret->infer_stats.count = count;
    return status_ok();
}

/* What only a version that is ready can tell. The first of a model gives the model its config. */
static struct status fill_ready(struct model *model, struct arena *arena, struct pb_v1_model_version_status *ret,
                                struct pb_v1_model_status *model_status) {
    struct model_statistics statistics;
    STATUS_TRY(model_statistics_snapshot(model, arena, &statistics));
    ret->model_execution_count = statistics.execution_count;
    ret->model_inference_count = statistics.inference_count;
    ret->last_inference_timestamp_milliseconds = statistics.last_inference_ms;
    STATUS_TRY(fill_infer_stats(&statistics, arena, ret));
    return model_status->config ? status_ok() : v1_config_render(model_config_of(model), arena, &model_status->config);
}

/* ---- versions ---- */

static int32_t ready_state_of(enum model_state state) {
    switch (state) {
    case MODEL_LOADING:
        return PB_V1_MODEL_LOADING;
    case MODEL_READY:
        return PB_V1_MODEL_READY;
    case MODEL_UNLOADING:
        return PB_V1_MODEL_UNLOADING;
    case MODEL_UNAVAILABLE:
        return PB_V1_MODEL_UNAVAILABLE;
    case MODEL_UNKNOWN:
        break;
    }
    return PB_V1_MODEL_UNKNOWN;
}

static struct status fill_version(const struct api_context *context, const struct model_index_row *row,
                                  struct arena *arena, struct pb_v1_model_status *ret) {
    struct pb_v1_model_version_status *version = arena_calloc(arena, 1, sizeof *version);
    if (!version)
        return no_memory();
    ret->version_status.items[ret->version_status.count++] =
        (struct pb_v1_model_status_version_status_entry){.key = row->version, .value = version};
    version->ready_state = ready_state_of(row->state);
    if (row->reason.size > 0) {
        version->ready_state_reason = arena_calloc(arena, 1, sizeof *version->ready_state_reason);
        if (!version->ready_state_reason)
            return no_memory();
        version->ready_state_reason->message = row->reason;
    }
    struct model *model = NULL;
    struct status status = status_error(STATUS_UNAVAILABLE, "not ready");
    if (row->state == MODEL_READY)
        status = inference_server_acquire_model(context->server, row->name, row->version, &model);
    if (!status_is_ok(&status))
        return status_ok(); /* it tells its state and reason, and no more */
    status = fill_ready(model, arena, version, ret);
    model_release(model);
    return status;
}

/* The rows of one model follow each other. A model of which no version was ever chosen has no version status. */
static struct status fill_model(const struct api_context *context, const struct model_index_row *rows, size_t count,
                                struct arena *arena, struct pb_v1_model_status *ret) {
    ret->version_status.items = arena_calloc(arena, count, sizeof *ret->version_status.items);
    if (!ret->version_status.items)
        return no_memory();
    for (size_t i = 0; i < count; i++)
        if (rows[i].version >= 0)
            STATUS_TRY(fill_version(context, &rows[i], arena, ret));
    return status_ok();
}

static struct status fill_models(const struct api_context *context, struct slice wanted,
                                 const struct model_index_row *rows, size_t row_count, struct arena *arena,
                                 struct pb_v1_server_status *ret) {
    ret->model_status.items = arena_calloc(arena, row_count, sizeof *ret->model_status.items);
    if (!ret->model_status.items)
        return no_memory();
    for (size_t first = 0, next; first < row_count; first = next) {
        struct slice name = rows[first].name;
        for (next = first + 1; next < row_count && slice_equal(rows[next].name, name);)
            next++;
        if (wanted.size > 0 && !slice_equal(wanted, name))
            continue;
        struct pb_v1_model_status *model = arena_calloc(arena, 1, sizeof *model);
        if (!model)
            return no_memory();
        ret->model_status.items[ret->model_status.count++] =
            (struct pb_v1_server_status_model_status_entry){.key = name, .value = model};
        STATUS_TRY(fill_model(context, rows + first, next - first, arena, model));
    }
    if (wanted.size == 0 || ret->model_status.count > 0)
        return status_ok();
    char room[SLICE_SHOWN_BYTES];
    struct slice shown = slice_shown(wanted, room);
    return status_error(STATUS_INVALID_ARGUMENT, "no status available for unknown model '%.*s'", SLICE_ARGS(shown));
}

/* ---- the server ---- */

static int32_t server_state(const struct api_context *context, const struct model_index_row *rows, size_t count) {
    if (atomic_load(context->exiting))
        return PB_V1_SERVER_EXITING;
    for (size_t i = 0; i < count; i++)
        if (rows[i].state == MODEL_LOADING)
            return PB_V1_SERVER_INITIALIZING;
    return PB_V1_SERVER_READY;
}

/* The five kinds of calls have a message type each, of one and the same form. */
static struct status fill_calls(const struct v1_state *state, struct arena *arena, struct pb_v1_server_status *ret) {
    struct pb_v1_stat_duration *durations = arena_calloc(arena, V1_CALL_KIND_COUNT, sizeof *durations);
    ret->status_stats = arena_calloc(arena, 1, sizeof *ret->status_stats);
    ret->health_stats = arena_calloc(arena, 1, sizeof *ret->health_stats);
    ret->model_control_stats = arena_calloc(arena, 1, sizeof *ret->model_control_stats);
    ret->shm_control_stats = arena_calloc(arena, 1, sizeof *ret->shm_control_stats);
    ret->repository_stats = arena_calloc(arena, 1, sizeof *ret->repository_stats);
    if (!durations || !ret->status_stats || !ret->health_stats || !ret->model_control_stats ||
        !ret->shm_control_stats || !ret->repository_stats)
        return no_memory();
    for (int i = 0; i < V1_CALL_KIND_COUNT; i++) {
        durations[i].count = atomic_load(&state->calls[i].count);
        durations[i].total_time_ns = atomic_load(&state->calls[i].ns);
    }
    ret->status_stats->success = &durations[V1_CALL_STATUS];
    ret->health_stats->success = &durations[V1_CALL_HEALTH];
    ret->model_control_stats->success = &durations[V1_CALL_MODEL_CONTROL];
    ret->shm_control_stats->success = &durations[V1_CALL_SHARED_MEMORY_CONTROL];
    ret->repository_stats->success = &durations[V1_CALL_REPOSITORY];
    return status_ok();
}

static struct status fill_server(const struct api_context *context, struct slice wanted, struct arena *arena,
                                 struct pb_v1_server_status *ret) {
    struct model_index_row *rows;
    size_t count;
    STATUS_TRY(inference_server_index(context->server, arena, &rows, &count));
    ret->id = slice_of(context->v1->server_id);
    ret->version = slice_of(context->version);
    ret->uptime_ns = clock_monotonic_ns() - context->v1->started_ns;
    ret->ready_state = server_state(context, rows, count);
    STATUS_TRY(fill_calls(context->v1, arena, ret));
    return fill_models(context, wanted, rows, count, arena, ret);
}

struct status v1_call_status(const struct api_context *context, const void *request, struct arena *arena,
                             void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_v1_status_request *call = request;
    struct pb_v1_status_response *answer = response;
    uint64_t begun_ns = clock_monotonic_ns();
    struct pb_v1_server_status *server = arena_calloc(arena, 1, sizeof *server);
    struct status status = server ? fill_server(context, call->model_name, arena, server) : no_memory();
    if (status_is_ok(&status))
        answer->server_status = server;
    v1_count_call(context, V1_CALL_STATUS, begun_ns);
    return v1_make_status(context, &status, arena, &answer->request_status);
}
