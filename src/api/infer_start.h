/* infer_start.h: from a body to the core, the same for every protocol of one inference a call: decoding, what the log
 * notes, the headers that become parameters, the budget, submission, the deadline. */
#ifndef INFERD_API_INFER_START_H
#define INFERD_API_INFER_START_H

#include "api/infer_head.h"

/* Starts a call whose body and exchange are there; weight as infer_call_decode takes it. The client hears of an error
 * by ops->refuse. All that may happen before it returns, also the end of the call. Loop thread. */
void infer_start(struct infer_call *call, size_t weight);

#endif
