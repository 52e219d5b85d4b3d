/* infer_head.h: what the head of an exchange says of an inference in it: headers that become request parameters, and
 * whether it is traced. */
#ifndef INFERD_API_INFER_HEAD_H
#define INFERD_API_INFER_HEAD_H

#include "api/infer_call.h"
#include "http/exchange.h"
#include "trace/trace.h"

/* To be called once the request has been decoded, before it is submitted. Headers whose names match the protocol's
 * pattern become text parameters, in place of those of the body with the same name; a header that was sent several
 * times is joined by ", ". Names with a meaning of their own, such as timeout and triton_*, are left alone, and so is
 * `authorization`, whose secret is not the model's. INVALID_ARGUMENT for a value that is not UTF-8. Thread: the
 * exchange's loop. */
struct status infer_head_apply(struct infer_call *call, struct http_exchange *exchange,
                               enum trace_protocol protocol) STATUS_MUST_CHECK;

#endif
