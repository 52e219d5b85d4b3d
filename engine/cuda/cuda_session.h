/* cuda_session.h: a session on a GPU: a stream, room for a batch, graphs of small batches. */
#ifndef INFERD_ENGINE_CUDA_CUDA_SESSION_H
#define INFERD_ENGINE_CUDA_CUDA_SESSION_H

#include <stdatomic.h>

#include "engine/bert_engine.h"
#include "engine/cuda/cuda_short.h"

struct cuda_session;

/* What all sessions of an engine share; borrowed. */
struct cuda_session_parts {
    const struct cuda_weights *weights;
    struct cuda_gemms *gemms;
    struct cuda_short *shorts;
    atomic_bool *is_lost; /* set when a fault of the device leaves it useless to this process */
    int device;           /* is chosen for each call's thread */
};

/* As device_ops has them. */
struct status cuda_session_create(const struct cuda_session_parts *parts, size_t max_tokens,
                                  struct cuda_session **ret) STATUS_MUST_CHECK;
void cuda_session_destroy(struct cuda_session *session); /* accepts NULL */
struct status cuda_session_run(struct cuda_session *session, const struct bert_batch *batch,
                               const struct bert_results *results) STATUS_MUST_CHECK;

#endif
