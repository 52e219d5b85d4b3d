/* infer_start.h: the last steps before an inference is the core's, the same for every protocol: what the log notes, the
 * headers that become parameters, the budget, submission. */
#ifndef INFERD_API_INFER_START_H
#define INFERD_API_INFER_START_H

#include "api/infer_head.h"

/* Submits a call whose request was decoded with the given outcome. An error, of decoding or of one of the steps, is
 * logged and returned for the caller to answer; the request is then still the call's. Loop thread. */
struct status infer_start(struct infer_call *call, struct http_exchange *exchange, enum trace_protocol protocol,
                          const struct status *decoded) STATUS_MUST_CHECK;

#endif
