/* cuda_session.h: a session on a GPU: a stream, room for a batch, and graphs of small batches.
 *
 * The launches of a small batch take longer than what they start. So what a batch of up to 4,096 tokens puts on the
 * stream is recorded once for each bucket (cuda_gemm.h), which it is rounded up to, and then launched as one graph,
 * unless it has so many short sequences that the graph has no tiles for them all (some 30 tokens each are enough).
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_SESSION_H
#define INFERD_ENGINE_CUDA_CUDA_SESSION_H

#include "engine/bert_engine.h"
#include "engine/cuda/cuda_gemm.h"

struct cuda_session;

/* As device_ops has them. The weights and products are borrowed. `device` is chosen for each call's thread. */
struct status cuda_session_create(const struct cuda_weights *weights, struct cuda_gemms *gemms, int device,
                                  size_t max_tokens, struct cuda_session **ret) STATUS_MUST_CHECK;
void cuda_session_destroy(struct cuda_session *session); /* accepts NULL */
struct status cuda_session_run(struct cuda_session *session, const struct bert_batch *batch,
                               const struct bert_results *results) STATUS_MUST_CHECK;

#endif
