/* v2_http.c: the HTTP form of the calls of v2_service.h: each answers with JSON. */
#include <inttypes.h>

#include "api/handlers.h"
#include "api/v2_service.h"
#include "codec/inference_messages.h"
#include "codec/json_write.h"
#include "codec/pb_json.h"

/* Health is told by the status; the body tells it again, to clients that read that (kserve's). */
static void answer_health(struct http_call *call, int status, struct buf *body) {
    if (buf_failed(body))
        buf_free(body); /* the status alone has to do */
    http_call_answer(call, status, "application/json", body);
    buf_free(body);
}

void v2_health_live(struct http_call *call) {
    bool live = inference_server_is_live(call->context->server);
    struct buf body = BUF_EMPTY;
    buf_append_text(&body, live ? "{\"live\":true}" : "{\"live\":false}");
    answer_health(call, live ? 200 : 400, &body);
}

void v2_health_ready(struct http_call *call) {
    bool ready = v2_server_is_ready(call->context);
    struct buf body = BUF_EMPTY;
    buf_append_text(&body, ready ? "{\"ready\":true}" : "{\"ready\":false}");
    answer_health(call, ready ? 200 : 400, &body);
}

void v2_model_ready(struct http_call *call) {
    struct model *model = NULL;
    struct status status = inference_server_acquire_model(call->context->server, call->model, call->version, &model);
    model_release(model);
    if (!status_is_ok(&status)) {
        http_call_answer_error(call, &status);
        return;
    }
    struct buf body = BUF_EMPTY;
    buf_append_text(&body, "{\"name\":");
    json_append_string(&body, call->model);
    buf_append_text(&body, ",\"ready\":true}");
    answer_health(call, 200, &body);
}

/* The version of the path as the messages carry it. */
static struct slice version_text(struct http_call *call) {
    if (call->version < 0)
        return (struct slice){NULL, 0};
    return slice_of(arena_printf(http_exchange_arena(call->exchange), "%" PRId64, call->version));
}

/* Answers with the JSON form of what a call gives. */
static void answer_call(struct http_call *call, v2_call_f *run, const void *request, const struct pb_message *type) {
    struct arena *arena = http_exchange_arena(call->exchange);
    struct model *pinned = NULL;
    struct buf body = BUF_EMPTY;
    void *response = arena_calloc(arena, 1, type->size);
    struct status status = response ? run(call->context, request, arena, response, &pinned)
                                    : status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
    if (status_is_ok(&status))
        status = pb_to_json(type, response, &body);
    model_release(pinned);
    if (status_is_ok(&status))
        http_call_answer_json(call, &body);
    else
        http_call_answer_error(call, &status);
    buf_free(&body);
}

void v2_server_metadata(struct http_call *call) {
    const struct pb_server_metadata_request request = {0};
    answer_call(call, v2_call_server_metadata, &request, &pb_server_metadata_response_type);
}

void v2_model_metadata(struct http_call *call) {
    const struct pb_model_metadata_request request = {.name = call->model, .version = version_text(call)};
    answer_call(call, v2_call_model_metadata, &request, &pb_model_metadata_response_type);
}

void v2_statistics(struct http_call *call) {
    const struct pb_model_statistics_request request = {.name = call->model, .version = version_text(call)};
    answer_call(call, v2_call_model_statistics, &request, &pb_model_statistics_response_type);
}

/* Not the response message, which has the config one level down, but the config itself. */
void v2_model_config(struct http_call *call) {
    struct model *model = NULL;
    struct buf body = BUF_EMPTY;
    struct status status = inference_server_acquire_model(call->context->server, call->model, call->version, &model);
    if (status_is_ok(&status))
        status = model_config_to_json(model_config_of(model), &body);
    model_release(model);
    if (status_is_ok(&status))
        http_call_answer_json(call, &body);
    else
        http_call_answer_error(call, &status);
    buf_free(&body);
}
