#include "api/infer_start.h"

#include "api/call_log.h"

struct status infer_start(struct infer_call *call, struct http_exchange *exchange, enum trace_protocol protocol,
                          struct status decoded) {
    struct status status = decoded;
    call_log_note(call->context->log, exchange, call->request);
    if (status_is_ok(&status))
        status = infer_head_apply(call, exchange, protocol);
    if (status_is_ok(&status))
        status = infer_call_book(call, exchange);
    if (status_is_ok(&status))
        status = infer_call_submit(call);
    if (!status_is_ok(&status))
        call_log_failure(call->context->log, call->request, &status);
    return status;
}
