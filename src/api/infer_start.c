#include "api/infer_start.h"

#include "api/call_log.h"
#include "api/http_call.h"
#include "grpc/call.h"

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

void infer_start(struct infer_call *call, size_t weight) {
    infer_call_decode(call, weight, start);
}
