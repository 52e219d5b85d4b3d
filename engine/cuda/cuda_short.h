/* cuda_short.h: whether short batches are computed by one kernel that stays or as graphs of many: whichever is the
 * faster on the device, which is found out when an engine's first sessions are made. Both ways of a number of tokens
 * are tried there, in turns; one kernel must also give nearly the same numbers, or it is not used.
 *
 * All sessions of an engine compute alike, so that the same batch gives the same numbers in each.
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_SHORT_H
#define INFERD_ENGINE_CUDA_CUDA_SHORT_H

#include "engine/cuda/cuda_graphs.h"

struct cuda_short; /* of an engine */

/* For weights that are on the device that has been chosen. UNSUPPORTED: BERT_SHORT_PERSISTENT, and this model,
 * precision or device does not go with it. RESOURCE_EXHAUSTED, UNAVAILABLE. */
struct status cuda_short_create(const struct cuda_weights *weights, enum bert_short_batches wanted,
                                struct cuda_short **ret) STATUS_MUST_CHECK;
void cuda_short_destroy(struct cuda_short *shorts); /* accepts NULL */

/* Finds out what is not known yet of batches that the session's room holds; `forward` tells it, and the results to ask
 * for. Its graphs have been made. What cannot be found out is left to graphs. Thread: any; one session at a time. */
void cuda_short_measure(struct cuda_short *shorts, struct cuda_graphs *graphs, const struct cuda_forward *forward);

/* The blocks of the one kernel for a batch of so many tokens, which a session has measured; 0: it is not for it. */
unsigned cuda_short_blocks(const struct cuda_short *shorts, unsigned tokens);

#endif
