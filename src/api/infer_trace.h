/* infer_trace.h: writes into an inference's trace what its call sees: times, tensors, errors. Nothing to do for one
 * that is not traced (call->trace is NULL); what is worth a call of its own is asked inline. */
#ifndef INFERD_API_INFER_TRACE_H
#define INFERD_API_INFER_TRACE_H

#include "api/infer_call.h"
#include "http/exchange.h"
#include "trace/tracer.h"

/* Decides whether the inference is traced; its request has been decoded. Thread: the exchange's loop. */
void infer_trace_begin(struct infer_call *call, struct http_exchange *exchange, enum trace_protocol protocol);
/* The request is about to be submitted. */
void infer_trace_submit(struct infer_call *call);
/* A response has come. Any thread; one after the other. */
void infer_trace_response(struct infer_call *call, const struct infer_response *response);
/* The core is done with the request. Any thread. */
void infer_trace_release(struct infer_call *call, const struct infer_request *request, const struct status *status);

#endif
