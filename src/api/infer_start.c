#include "api/infer_start.h"

#include "api/call_log.h"

static struct status start(struct infer_call *call, struct http_exchange *exchange, enum trace_protocol protocol,
                           const struct status *decoded) {
    if (!status_is_ok(decoded))
        return *decoded;
    STATUS_TRY(infer_head_apply(call, exchange, protocol));
    STATUS_TRY(infer_call_book(call, exchange));
    return infer_call_submit(call);
}

struct status infer_start(struct infer_call *call, struct http_exchange *exchange, enum trace_protocol protocol,
                          const struct status *decoded) {
    call_log_note(call->context->log, exchange, call->request);
    struct status status = start(call, exchange, protocol, decoded);
    if (status_is_ok(&status))
        return status_ok();
    call_log_failure(call->context->log, call->request, &status);
    return status;
}
