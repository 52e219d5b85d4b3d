/* cuda_short.h: how short batches are computed where that is asked for: by one kernel that stays, or by whichever way
 * is faster on the device, that or graphs, which is found out when an engine's sessions are made. Both ways of a number
 * of tokens are tried there, in turns; one kernel must also give nearly the same numbers for every token, or it is not
 * used. Once its blocks have given a batch up it is not used any more.
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

/* What a session's room must hold for batches of up to max_tokens: all of the sizes that are decided together. */
size_t cuda_short_room(const struct cuda_short *shorts, size_t max_tokens);

/* Finds out what is not known yet of batches that the session's room holds; `forward` tells it, and the results to ask
 * for. Its graphs have been made. What cannot be found out is left to graphs, but that BERT_SHORT_PERSISTENT does not
 * work is an error: UNAVAILABLE. Thread: any; one session at a time. */
struct status cuda_short_prepare(struct cuda_short *shorts, struct cuda_graphs *graphs,
                                 const struct cuda_forward *forward) STATUS_MUST_CHECK;

/* The blocks of the one kernel for a batch of so many tokens, in a session that has been prepared for them; 0: it is
 * not for it. Thread: any. */
unsigned cuda_short_blocks(const struct cuda_short *shorts, unsigned tokens);
/* The kernel has given a batch up, or could not be started: in AUTO there is no other. Thread: any. */
void cuda_short_give_up(struct cuda_short *shorts);

#endif
