#include "api/http_blocking.h"

static struct status work(struct blocking_call *call) {
    struct http_blocking *blocking = (struct http_blocking *)call;
    return blocking->work(blocking);
}

static void send(struct blocking_call *call) {
    const struct http_blocking *blocking = (struct http_blocking *)call;
    struct http_call *http = call->exchange;
    if (status_is_ok(&call->status))
        http_call_answer(http, 200, blocking->content_type, &call->answer);
    else
        http_call_answer_error(http, &call->status);
}

static const struct blocking_call_ops http_blocking_ops = {work, send};

/* Takes what the work needs out of the exchange. */
static struct status take_request(struct http_call *http, struct http_blocking *blocking) {
    blocking->call.body = http_exchange_take_body(http->exchange);
    blocking->model = arena_copy(blocking->call.arena, http->model);
    blocking->name = arena_copy(blocking->call.arena, http->name);
    blocking->version = http->version;
    if (blocking->model.size != http->model.size || blocking->name.size != http->name.size)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
    return status_ok();
}

void http_blocking_start(struct http_call *http, http_work_f *work_of_call, const char *content_type) {
    size_t body_size = http_exchange_body(http->exchange).size;
    struct http_blocking *blocking =
        blocking_call_create(&http_blocking_ops, sizeof *blocking, http->context, http, body_size);
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
    if (blocking) {
        http->blocking = &blocking->call;
        blocking->work = work_of_call;
        blocking->content_type = content_type;
        status = take_request(http, blocking);
    }
    if (status_is_ok(&status))
        status = blocking_call_submit(&blocking->call);
    if (!status_is_ok(&status))
        http_call_answer_error(http, &status);
}
