#include "api/v1_service.h"

#include "api/status_map.h"
#include "base/clock.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
}

struct status v1_make_status(const struct api_context *context, const struct status *outcome, struct arena *arena,
                             struct pb_v1_request_status **ret) {
    struct pb_v1_request_status *status = arena_calloc(arena, 1, sizeof *status);
    if (!status)
        return no_memory();
    status->code = status_map_v1(outcome->code);
    status->server_id = slice_of(context->v1->server_id);
    status->request_id = atomic_fetch_add(&context->v1->last_request_id, 1) + 1;
    if (!status_is_ok(outcome)) {
        status->msg = arena_copy(arena, slice_of(outcome->message));
        if (!status->msg.data)
            return no_memory();
    }
    *ret = status;
    return status_ok();
}

void v1_count_call(const struct api_context *context, enum v1_call_kind kind, uint64_t begun_ns) {
    atomic_fetch_add(&context->v1->calls[kind].count, 1);
    atomic_fetch_add(&context->v1->calls[kind].ns, clock_monotonic_ns() - begun_ns);
}

struct status v1_call_health(const struct api_context *context, const void *request, struct arena *arena,
                             void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_v1_health_request *call = request;
    struct pb_v1_health_response *answer = response;
    uint64_t begun_ns = clock_monotonic_ns();
    struct status status = status_ok();
    if (slice_equal_text(call->mode, "live"))
        answer->health = inference_server_is_live(context->server);
    else if (slice_equal_text(call->mode, "ready"))
        answer->health = v2_server_is_ready(context);
    else
        status =
            status_error(STATUS_UNKNOWN, "unknown health mode '%.*s': expected live or ready", SLICE_ARGS(call->mode));
    if (atomic_load(context->exiting))
        status = status_error(STATUS_UNAVAILABLE, "Server exiting");
    v1_count_call(context, V1_CALL_HEALTH, begun_ns);
    return v1_make_status(context, &status, arena, &answer->request_status);
}

static struct status control(const struct api_context *context, const struct pb_v1_model_control_request *call) {
    switch (call->type) {
    case PB_V1_LOAD:
        return inference_server_load_model(context->server, call->model_name, NULL);
    case PB_V1_UNLOAD:
        return inference_server_unload_model(context->server, call->model_name);
    default:
        return status_error(STATUS_UNKNOWN, "unknown model control: expected LOAD or UNLOAD, got %d", (int)call->type);
    }
}

struct status v1_call_model_control(const struct api_context *context, const void *request, struct arena *arena,
                                    void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    struct pb_v1_model_control_response *answer = response;
    uint64_t begun_ns = clock_monotonic_ns();
    struct status status = control(context, request);
    v1_count_call(context, V1_CALL_MODEL_CONTROL, begun_ns);
    return v1_make_status(context, &status, arena, &answer->request_status);
}

static struct status fill_index(const struct api_context *context, struct arena *arena,
                                struct pb_v1_model_repository_index *ret) {
    struct model_index_row *rows;
    size_t count;
    STATUS_TRY(inference_server_rescan(context->server));
    STATUS_TRY(inference_server_index(context->server, arena, &rows, &count));
    ret->models.items = arena_calloc(arena, count, sizeof *ret->models.items);
    if (!ret->models.items)
        return no_memory();
    for (size_t i = 0; i < count; i++) /* the versions of a model follow each other */
        if (i == 0 || !slice_equal(rows[i].name, rows[i - 1].name))
            ret->models.items[ret->models.count++].name = rows[i].name;
    return status_ok();
}

struct status v1_call_repository(const struct api_context *context, const void *request, struct arena *arena,
                                 void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_v1_repository_request *call = request;
    struct pb_v1_repository_response *answer = response;
    uint64_t begun_ns = clock_monotonic_ns();
    struct status status = status_error(STATUS_UNKNOWN, "unknown repository request: expected index");
    if (call->which_request_type == pb_v1_repository_request_index_number) {
        answer->which_response_type = pb_v1_repository_response_index_number;
        answer->index = arena_calloc(arena, 1, sizeof *answer->index);
        status = answer->index ? fill_index(context, arena, answer->index) : no_memory();
    }
    v1_count_call(context, V1_CALL_REPOSITORY, begun_ns);
    return v1_make_status(context, &status, arena, &answer->request_status);
}

struct status v1_call_profile(const struct api_context *context, const void *request, struct arena *arena,
                              void *response, struct model **ret_pinned) {
    (void)request, (void)ret_pinned;
    struct pb_v1_profile_response *answer = response;
    const struct status good = status_ok();
    return v1_make_status(context, &good, arena, &answer->request_status);
}
