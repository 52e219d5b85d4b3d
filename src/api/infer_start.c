#include "api/infer_start.h"

#include "api/call_log.h"
#include "api/grpc_front.h"
#include "api/http_call.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
}

static struct http_exchange *exchange_of(const struct infer_call *call) {
    return call->ops->front == TRACE_GRPC ? grpc_call_exchange(call->exchange)
                                          : ((struct http_call *)call->exchange)->exchange;
}

/* Before the submission, behind which the call may be gone. A gRPC call wakes at its own deadline anyway. */
static void set_deadline(const struct infer_call *call, struct http_exchange *exchange) {
    uint64_t deadline_ns = call->request->deadline_ns;
    if (call->ops->front != TRACE_GRPC && deadline_ns != 0)
        http_exchange_set_deadline(exchange, deadline_ns);
    else if (call->ops->front == TRACE_GRPC && deadline_ns != grpc_call_deadline_ns(call->exchange))
        grpc_call_wake_at(call->exchange, deadline_ns);
}

static struct status submit(struct infer_call *call, struct http_exchange *exchange, const struct status *decoded) {
    if (!status_is_ok(decoded))
        return *decoded;
    STATUS_TRY(infer_head_apply(call, exchange, call->ops->front));
    STATUS_TRY(infer_call_book(call, exchange));
    set_deadline(call, exchange);
    return infer_call_submit(call);
}

static void start(struct infer_call *call, const struct status *decoded) {
    struct http_exchange *exchange = exchange_of(call);
    call_log_note(call->context->log, exchange, call->request);
    struct status status = submit(call, exchange, decoded);
    if (status_is_ok(&status))
        return;
    call_log_failure(call->context->log, call->request, &status);
    call->ops->refuse(call, &status);
}

struct status infer_start_take(struct infer_call *call, struct slice model, int64_t version) {
    struct http_call *http = call->exchange;
    struct infer_request *request = call->request;
    http->infer = call;
    call->body = http_exchange_take_body(http->exchange);
    request->model_name = arena_copy(request->arena, model);
    request->model_version = version;
    request->times.received = http_exchange_received_ns(http->exchange);
    return request->model_name.data ? status_ok() : no_memory();
}

void infer_start(struct infer_call *call, size_t weight) {
    infer_call_decode(call, weight, start);
}

void infer_start_message(const struct infer_call_ops *ops, struct grpc_call *grpc, struct slice message) {
    struct infer_call *call = infer_call_create(ops, sizeof *call, grpc_call_user(grpc), grpc, message.size);
    if (!call) {
        struct status status = no_memory();
        grpc_front_fail(grpc, &status);
        return;
    }
    grpc_call_set_context(grpc, call);
    call->body = grpc_call_take_message(grpc, &message); /* so that its memory outlives the call */
    call->message = message;
    call->request->deadline_ns = grpc_call_deadline_ns(grpc);
    call->request->times.received = http_exchange_received_ns(grpc_call_exchange(grpc));
    infer_start(call, message.size / INFER_WEIGHT_OF_MESSAGE);
}
