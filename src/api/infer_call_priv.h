/* infer_call_priv.h: what the two files of an infer_call share: its life (infer_call.c) and its decoding
 * (infer_decode.c). */
#ifndef INFERD_API_INFER_CALL_PRIV_H
#define INFERD_API_INFER_CALL_PRIV_H

#include "api/infer_call.h"

static inline struct infer_call *infer_call_of(struct api_task *task) {
    return (void *)((char *)task - offsetof(struct infer_call, task));
}

/* Gives up a reference. */
void infer_call_unref(struct infer_call *call);
/* Sends what has been encoded: what the task does but for decoding. Loop thread. */
void infer_call_run_task(struct api_task *task);
/* Under the lock: nobody wants what was to be decoded any more. Loop thread. */
void infer_call_leave_decoding(struct infer_call *call);

#endif
