/* v1_control_http.c: model control and the index of the repository over HTTP, which take their time: on a worker's
 * thread (blocking_call.h). The answers of model control have no body: old clients print what they get. */
#include "api/blocking_call.h"
#include "api/handlers.h"
#include "api/v1_http.h"
#include "api/v1_service.h"

struct v1_control {
    struct blocking_call call; /* first */
    struct pb_v1_model_control_request request;
    struct pb_v1_model_control_response response;
};

struct v1_index {
    struct blocking_call call; /* first */
    enum v1_format format;
    struct pb_v1_repository_response response;
};

static struct status control_work(struct blocking_call *call) {
    struct v1_control *control = (struct v1_control *)call;
    return v1_call_model_control(call->context, &control->request, call->arena, &control->response, NULL);
}

static void control_send(struct blocking_call *call) {
    const struct v1_control *control = (struct v1_control *)call;
    bool told = status_is_ok(&call->status);
    v1_http_answer_message(call->exchange, told ? control->response.request_status : NULL, V1_FORMAT_TEXT, NULL, NULL);
}

static struct status index_work(struct blocking_call *call) {
    struct v1_index *index = (struct v1_index *)call;
    const struct pb_v1_repository_request request = {.which_request_type = pb_v1_repository_request_index_number,
                                                     .index = true};
    return v1_call_repository(call->context, &request, call->arena, &index->response, NULL);
}

static void index_send(struct blocking_call *call) {
    const struct v1_index *index = (struct v1_index *)call;
    bool told = status_is_ok(&call->status);
    v1_http_answer_message(call->exchange, told ? index->response.request_status : NULL, index->format,
                           &pb_v1_model_repository_index_type, index->response.index);
}

static const struct blocking_call_ops control_ops = {control_work, control_send}, index_ops = {index_work, index_send};

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
}

static void start_control(struct http_call *http, int32_t type) {
    struct v1_control *control = blocking_call_create(&control_ops, sizeof *control, http->context, http, 0);
    struct status status = control ? status_ok() : no_memory();
    if (control) {
        http->blocking = &control->call;
        control->request.type = type;
        control->request.model_name = arena_copy(control->call.arena, http->name);
        if (!control->request.model_name.data)
            status = no_memory();
    }
    v1_http_submit(http, control ? &control->call : NULL, status);
}

void v1_http_load(struct http_call *call) {
    start_control(call, PB_V1_LOAD);
}

void v1_http_unload(struct http_call *call) {
    start_control(call, PB_V1_UNLOAD);
}

void v1_http_repository_index(struct http_call *http) {
    struct v1_index *index = blocking_call_create(&index_ops, sizeof *index, http->context, http, 0);
    struct status status = index ? status_ok() : no_memory();
    if (index) {
        http->blocking = &index->call;
        index->format = v1_http_text_or_binary(http);
    }
    v1_http_submit(http, index ? &index->call : NULL, status);
}
