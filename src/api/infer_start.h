/* infer_start.h: from a body to the core, the same for every protocol of one inference a call: decoding, what the log
 * notes, the headers that become parameters, the budget, submission, the deadline. */
#ifndef INFERD_API_INFER_START_H
#define INFERD_API_INFER_START_H

#include "api/infer_head.h"
#include "grpc/call.h"

/* Makes the call that of its exchange, over HTTP, and gives it the body, the model's name and the version. Loop thread.
 */
struct status infer_start_take(struct infer_call *call, struct slice model, int64_t version) STATUS_MUST_CHECK;
/* Starts a call whose body and exchange are there; weight as infer_call_decode takes it. The client hears of an error
 * by ops->refuse. All that may happen before it returns, also the end of the call. Loop thread. */
void infer_start(struct infer_call *call, size_t weight);
/* The whole of it for a unary call of gRPC, with a struct infer_call and nothing around it: on_message of its method.
 */
void infer_start_message(const struct infer_call_ops *ops, struct grpc_call *grpc, struct slice message);

#endif
