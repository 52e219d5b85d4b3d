/* forward.h: what the threads do with one batch.
 *
 * Two kinds of work alternate, with a barrier between them: rows, where each thread takes a block of tokens through
 * everything that needs no other token (embedding or attention's output, feed-forward, the next layer's queries, keys
 * and values), and heads, where each takes one head of one sequence through attention.
 */
#ifndef INFERD_ENGINE_MODEL_FORWARD_H
#define INFERD_ENGINE_MODEL_FORWARD_H

#include "engine/bert_engine.h"
#include "engine/model/model_weights.h"
#include "engine/model/session_room.h"

struct forward {
    const struct kernels *kernels;
    const struct model_weights *weights;
    struct session_room *room;
    const struct bert_batch *batch;
    const struct bert_results *results;
    const int32_t *positions; /* [T] */
    size_t tokens;
    size_t block_rows; /* rows of a block but the last */
    int64_t layer;
};

/* Everything that is done for rows first .. first + count - 1 before layer 0; then after each layer's attention. */
void forward_embed(struct forward *forward, size_t first, size_t count, struct worker_room *room);
void forward_layer(struct forward *forward, size_t first, size_t count, struct worker_room *room);
/* Attention of the layer for one head of one sequence: query_key_value in, context out. */
void forward_attention(struct forward *forward, size_t sequence, size_t head, struct worker_room *room);
/* Rows of a block, so that there are as many blocks for each thread. Not rounded up to whole tiles: a tile of few rows
 * at the end costs less than a thread that waits for another. */
size_t forward_block_rows(size_t tokens, size_t threads);
/* The whole batch, on all threads of the pool, which the caller holds. */
void forward_run(struct forward *forward, struct bert_pool *pool);

#endif
