/* cuda_room.h: the memory of one session: what batches are made of on the device, and where they come from and go to in
 * pinned memory of the host.
 *
 * What a batch is given lies in one piece, so that one copy brings it: token ids, segments, positions, tiles of
 * attention, offsets of the sequences. A plan says how many there are of each.
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_ROOM_H
#define INFERD_ENGINE_CUDA_CUDA_ROOM_H

#include "base/status.h"
#include "engine/bert_engine.h"
#include "engine/cuda/cuda_weights.h"

/* How a batch is laid out. For small batches the numbers are rounded up, so that few plans serve them all. */
struct cuda_plan {
    unsigned tokens, tile_count, sequence_count;
};

/* The piece that is copied, on the host or on the device. */
struct cuda_staged {
    int32_t *token_ids, *segment_ids, *position_ids; /* [tokens] */
    struct cuda_attention_tile *tiles;               /* [tile_count] */
    uint32_t *offsets;                               /* [sequence_count + 1] */
    size_t size;                                     /* bytes, from token_ids on */
};

struct cuda_room {
    unsigned capacity;            /* tokens: a multiple of 32 */
    void *x, *y;                  /* [capacity][H] numbers: a layer's input; before LayerNorm */
    void *x_bytes;                /* [capacity][H], fp8: x */
    void *query_key_value;        /* [capacity][3H] numbers */
    void *context;                /* [capacity][H] numbers, or bytes where the layer is in fp8 */
    void *intermediate;           /* [capacity][I] the same */
    float *sums;                  /* [CUDA_PRODUCT_PARTS][H] for each token of a short batch: of cuda_persistent, */
    struct grid_meeting *meeting; /* and this */
    float *hidden;                /* [capacity][H] */
    float *vectors, *labels;      /* of sequences, [capacity][H] and [capacity][labels] */
    float *spans;                 /* [2][capacity]: starts, then ends; those of a batch lie `tokens` apart */
    char *staged;                 /* on the device */
    char *host_staged;            /* pinned */
    float *host_spans;            /* [2][capacity], pinned */
    uint32_t *host_is_done;       /* [1], pinned: of cuda_persistent */
    char *block, *host_block;
};

/* Room for batches of up to max_tokens, on the device that has been chosen. RESOURCE_EXHAUSTED, UNAVAILABLE. */
struct status cuda_room_create(const struct cuda_weights *weights, size_t max_tokens,
                               struct cuda_room *ret) STATUS_MUST_CHECK;
void cuda_room_free(struct cuda_room *room); /* accepts a zeroed one */
/* Puts on a stream that what a short batch of so many tokens computes, in bf16 or fp16, becomes NaN. UNAVAILABLE. */
struct status cuda_room_poison(const struct cuda_room *room, const struct cuda_weights *weights, size_t tokens,
                               cudaStream_t stream) STATUS_MUST_CHECK;

/* Tiles of attention that the batch needs. */
unsigned cuda_room_tile_count(const struct bert_batch *batch);
/* memory NULL: only the size. */
struct cuda_staged cuda_room_staged(char *memory, const struct cuda_plan *plan);
/* Writes the batch to host memory that is laid out by a plan which holds it. What the plan has more is token 0, and
 * tiles without queries. */
void cuda_room_stage(const struct bert_batch *batch, const struct cuda_plan *plan, const struct cuda_staged *staged);

#endif
