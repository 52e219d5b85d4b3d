/* call_log.h: what the log tells of calls: a line for each at its end (--log-verbose=1), and of inferences that failed
 * why. Each names the request's id and model where they are known. */
#ifndef INFERD_API_CALL_LOG_H
#define INFERD_API_CALL_LOG_H

#include "base/log.h"
#include "core/infer_request.h"
#include "http/exchange.h"

/* Remembers id and model of an inference for the line at the end of its exchange; nothing if there will be none.
 * Thread: the exchange's loop. */
void call_log_note(const struct log *log, struct http_exchange *exchange, const struct infer_request *request);
/* An exchange is over: its answer was written out, or else it was broken off. Thread: the exchange's loop. */
void call_log_end(const struct log *log, const struct http_exchange *exchange, bool sent);
/* An inference failed: a warning where the server is to blame (at most LOG_FLOOD_MAX a second), else a verbose line.
 * `request` may be NULL. Thread: any. */
void call_log_failure(struct log *log, const struct infer_request *request, const struct status *status);

#endif
