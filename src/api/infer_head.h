/* infer_head.h: what the head of an exchange says of an inference in it: headers that become request parameters. */
#ifndef INFERD_API_INFER_HEAD_H
#define INFERD_API_INFER_HEAD_H

#include "api/context.h"
#include "core/infer_request.h"
#include "http/exchange.h"

/* To be called once the request has been decoded, before it is submitted. Headers whose names match `forwarded` (NULL:
 * none) become text parameters, in place of those of the body with the same name; a header that was sent several times
 * is joined by ", ". Names with a meaning of their own, such as timeout and triton_*, are left alone, and so is
 * `authorization`, whose secret is not the model's. INVALID_ARGUMENT
 * for a value that is not UTF-8. Thread: the exchange's loop. */
struct status infer_head_apply(const struct header_pattern *forwarded, struct http_exchange *exchange,
                               struct infer_request *request) STATUS_MUST_CHECK;

#endif
