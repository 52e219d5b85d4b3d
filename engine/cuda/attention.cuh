/* attention.cuh: attention of one head's 64 queries of a sequence, of any length or a short one, by the threads of a
 * block.
 *
 * Four warps have 16 queries each and walk over the keys in tiles of 64; more warps help to copy. Of a row's scores
 * only the largest so far and the sum of powers are kept, and what has been added up is scaled when a larger one comes;
 * so no matrix of scores is ever written. The next tile is copied while this one is computed.
 *
 * Source: Dao, FlashAttention-2 (2023), for the order of the loops; Milakov and Gimelshein, Online normalizer
 * calculation for softmax (2018).
 */
#ifndef INFERD_ENGINE_CUDA_ATTENTION_CUH
#define INFERD_ENGINE_CUDA_ATTENTION_CUH

#include "engine/cuda/cuda_kernels.h"
#include "engine/cuda/numbers.cuh"
#include "engine/cuda/warp.cuh"

enum { TILE = CUDA_QUERY_TILE, WARP_ROWS = 16, PAIRS = TILE / 16 };

/* ---- tiles in shared memory ---- */

/* 64 rows of D numbers. The 16-byte pieces of a row are exchanged by its number, so that eight rows' pieces of one
 * column lie in different banks. */
template <typename Number, int D> struct alignas(128) tile {
    Number numbers[TILE * D];

    __device__ static int place(int row_index, int piece) {
        constexpr int pieces = D / PACK, rows_of_a_line = PACK / pieces;
        return row_index * D + (piece ^ (row_index / rows_of_a_line % pieces)) * PACK;
    }
    __device__ Number *piece(int row_index, int column_piece) {
        return numbers + place(row_index, column_piece);
    }
};

/* Where a thread's pieces of a tile lie: one in every STEP rows, all in the same column. */
template <int D, int THREADS> struct share {
    enum { PIECES = D / PACK, STEP = THREADS / PIECES, COUNT = TILE / STEP };
    int row, piece;
    size_t offset; /* of its first number, in the batch's rows */

    __device__ explicit share(size_t stride)
        : row(static_cast<int>(thread_index()) / PIECES), piece(static_cast<int>(thread_index()) % PIECES),
          offset(static_cast<size_t>(row) * stride + static_cast<size_t>(piece) * PACK) {
    }
};

/* Rows 0 .. rows - 1, `stride` numbers apart; those behind are zeros. STEP is a multiple of what pieces are exchanged
 * by, so a thread's pieces lie equally far apart. */
template <typename Number, int D, int THREADS>
__device__ static inline void copy_tile(const share<D, THREADS> &mine, tile<Number, D> &to, const Number *from,
                                        size_t stride, int rows) {
    Number *place = to.piece(mine.row, mine.piece);
    const Number *at = from + mine.offset;
#pragma unroll
    for (int i = 0; i < share<D, THREADS>::COUNT; i++)
        copy_async_16(place + i * share<D, THREADS>::STEP * D,
                      at + static_cast<size_t>(i * share<D, THREADS>::STEP) * stride,
                      mine.row + i * share<D, THREADS>::STEP < rows);
}

template <typename Number, int D> struct key_tiles { tile<Number, D> keys, values; };

/* What a block needs of shared memory for a sequence of any length. */
template <typename Number, int D> struct attention_memory {
    tile<Number, D> queries;
    key_tiles<Number, D> tiles[2];
};

/* ---- what a warp keeps ---- */

/* Of its 16 queries; a lane has rows lane / 4 and lane / 4 + 8. */
template <int D> struct warp_state {
    uint32_t queries[D / 16][4];
    float sums[D / 8][4]; /* of weights times values */
    float largest[2], weight_sum[2];
};

template <typename Number, int D>
__device__ static inline void load_queries(warp_state<D> &state, tile<Number, D> &queries, int first_row) {
    const int lane = lane_index();
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        load_matrices(state.queries[k], queries.piece(first_row + lane % 16, 2 * k + lane / 16));
}

/* Scores of the warp's queries for the 16 keys from `key` on, a multiple of 16. */
template <typename Number, int D>
__device__ static inline void multiply_keys(const warp_state<D> &state, tile<Number, D> &keys, int key,
                                            float (&scores)[2][4]) {
    const int lane = lane_index();
    for (int i = 0; i < 4; i++)
        scores[0][i] = scores[1][i] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint32_t words[4];
        load_matrices(words, keys.piece(lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2) + key * D);
        multiply_add(scores[0], state.queries[k], words[0], words[1], Number());
        multiply_add(scores[1], state.queries[k], words[2], words[3], Number());
    }
}

/* sums += weights * values of the 16 keys from `key` on. */
template <typename Number, int D>
__device__ static inline void multiply_values(warp_state<D> &state, tile<Number, D> &values, int key,
                                              const float (&weights)[2][4]) {
    const int lane = lane_index();
    const uint32_t a[4] = {
        pack_pair<Number>(weights[0][0], weights[0][1]), pack_pair<Number>(weights[0][2], weights[0][3]),
        pack_pair<Number>(weights[1][0], weights[1][1]), pack_pair<Number>(weights[1][2], weights[1][3])};
#pragma unroll
    for (int d = 0; d < D / 16; d++) {
        uint32_t words[4];
        load_matrices_transposed(words, values.piece(lane % 16, 2 * d + lane / 16) + key * D);
        multiply_add(state.sums[2 * d], a, words[0], words[1], Number());
        multiply_add(state.sums[2 * d + 1], a, words[2], words[3], Number());
    }
}

/* ---- softmax ---- */

/* Over the four lanes that share a row. */
__device__ static inline float row_max(float number) {
    number = fmaxf(number, shuffle_xor(number, 1));
    return fmaxf(number, shuffle_xor(number, 2));
}

__device__ static inline float row_sum(float number) {
    number += shuffle_xor(number, 1);
    return number + shuffle_xor(number, 2);
}

/* Keys from `count` on are not the sequence's. */
__device__ static inline void hide_keys(float (&scores)[PAIRS][2][4], int count) {
    const int column = lane_index() % 4 * 2;
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++)
        for (int block = 0; block < 2; block++)
            for (int i = 0; i < 4; i++)
                if (pair * 16 + block * 8 + column + i % 2 >= count)
                    scores[pair][block][i] = -INFINITY;
}

/* Scores become weights that still lack the division by their sum; what was added up before is scaled alike. */
template <int D> __device__ static inline void take_powers(warp_state<D> &state, float (&scores)[PAIRS][2][4]) {
    float largest[2] = {state.largest[0], state.largest[1]}, factor[2];
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++)
        for (int block = 0; block < 2; block++)
            for (int i = 0; i < 4; i++)
                largest[i / 2] = fmaxf(largest[i / 2], scores[pair][block][i]);
    for (int half = 0; half < 2; half++) {
        largest[half] = row_max(largest[half]);
        factor[half] = power_of_2(state.largest[half] - largest[half]);
        state.largest[half] = largest[half];
        state.weight_sum[half] *= factor[half];
    }
#pragma unroll
    for (int d = 0; d < D / 8; d++)
        for (int i = 0; i < 4; i++)
            state.sums[d][i] *= factor[i / 2];
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++)
        for (int block = 0; block < 2; block++)
            for (int i = 0; i < 4; i++) {
                scores[pair][block][i] = power_of_2(scores[pair][block][i] - largest[i / 2]);
                state.weight_sum[i / 2] += scores[pair][block][i];
            }
}

/* One tile of keys and values that all are the sequence's. */
template <typename Number, int D>
__device__ static inline void attend_whole(warp_state<D> &state, key_tiles<Number, D> &tiles) {
    float scores[PAIRS][2][4];
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++)
        multiply_keys<Number, D>(state, tiles.keys, pair * 16, scores[pair]);
    take_powers<D>(state, scores);
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++)
        multiply_values<Number, D>(state, tiles.values, pair * 16, scores[pair]);
}

/* The same of a tile whose first `count` are. */
template <typename Number, int D>
__device__ static inline void attend_part(warp_state<D> &state, key_tiles<Number, D> &tiles, int count) {
    float scores[PAIRS][2][4] = {};
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++)
        if (pair * 16 < count)
            multiply_keys<Number, D>(state, tiles.keys, pair * 16, scores[pair]);
    hide_keys(scores, count);
    take_powers<D>(state, scores);
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++)
        if (pair * 16 < count)
            multiply_values<Number, D>(state, tiles.values, pair * 16, scores[pair]);
}

/* ---- one tile of queries ---- */

template <typename Number, int D>
__device__ static inline void write_rows(const struct cuda_attention &attention, const warp_state<D> &state,
                                         const struct cuda_attention_tile &at, unsigned head, int first_row) {
    const int lane = lane_index(), left = static_cast<int>(at.length - at.query);
    const size_t columns = static_cast<size_t>(attention.head_count) * D;
    for (int half = 0; half < 2; half++) {
        const float inverse = 1 / row_sum(state.weight_sum[half]);
        const int row_index = first_row + lane / 4 + half * 8;
        if (row_index >= left)
            continue;
        const size_t token = static_cast<size_t>(at.first) + at.query + static_cast<size_t>(row_index);
        const size_t place = token * columns + head * D + static_cast<size_t>(lane % 4 * 2);
#pragma unroll
        for (int d = 0; d < D / 8; d++) {
            const float first = state.sums[d][2 * half] * inverse, second = state.sums[d][2 * half + 1] * inverse;
            if (attention.numbers)
                *reinterpret_cast<uint32_t *>(static_cast<Number *>(attention.numbers) + place + d * 8) =
                    pack_pair<Number>(first, second);
            else
                *reinterpret_cast<uint16_t *>(static_cast<uint8_t *>(attention.bytes) + place + d * 8) =
                    static_cast<uint16_t>(pack_bytes(first * attention.byte_scale, second * attention.byte_scale));
        }
    }
}

/* What a block computes: a head of a tile; those of one tile are neighbours, since their numbers are neighbours in
 * memory. */
template <typename Number, int D> struct attention_item {
    struct cuda_attention_tile at;
    unsigned head;
    size_t stride;
    const Number *queries, *keys, *values;
    int length, left; /* keys, and queries */

    __device__ attention_item(const struct cuda_attention &attention, unsigned item) {
        const unsigned heads = static_cast<unsigned>(attention.head_count);
        head = item % heads;
        at = attention.tiles[item / heads];
        const size_t columns = static_cast<size_t>(heads) * D;
        stride = 3 * columns;
        keys = static_cast<const Number *>(attention.query_key_value) + at.first * stride + columns +
               static_cast<size_t>(head) * D;
        queries = keys - columns + at.query * stride;
        values = keys + columns;
        length = static_cast<int>(at.length);
        left = length - static_cast<int>(at.query);
    }
};

template <typename Number, int D, int THREADS>
__device__ static inline void copy_keys(const share<D, THREADS> &mine, key_tiles<Number, D> &to,
                                        const attention_item<Number, D> &item, int key) {
    const size_t offset = static_cast<size_t>(key) * item.stride;
    copy_tile<Number, D>(mine, to.keys, item.keys + offset, item.stride, item.length - key);
    copy_tile<Number, D>(mine, to.values, item.values + offset, item.stride, item.length - key);
}

template <typename Number, int D>
__device__ static inline void attend_tile(warp_state<D> &state, key_tiles<Number, D> &tiles, int count) {
    if (count >= TILE)
        attend_whole<Number, D>(state, tiles);
    else
        attend_part<Number, D>(state, tiles, count);
}

/* All threads of the block come; when it returns, the memory may be used for something else. */
template <typename Number, int D, int THREADS>
__device__ static inline void attend(const struct cuda_attention &attention, unsigned index,
                                     attention_memory<Number, D> &memory) {
    const attention_item<Number, D> item(attention, index);
    if (item.length == 0)
        return;
    const int first_row = static_cast<int>(warp_index()) * WARP_ROWS;
    const bool has_queries = first_row < item.left && first_row < TILE;
    const share<D, THREADS> mine(item.stride);
    copy_tile<Number, D>(mine, memory.queries, item.queries, item.stride, item.left);
    copy_keys<Number, D>(mine, memory.tiles[0], item, 0);
    copy_async_end_group();
    warp_state<D> state = {};
    state.largest[0] = state.largest[1] = -INFINITY;
    for (int key = 0, turn = 0; key < item.length; key += TILE, turn ^= 1) {
        if (key + TILE < item.length)
            copy_keys<Number, D>(mine, memory.tiles[turn ^ 1], item, key + TILE);
        copy_async_end_group();
        copy_async_wait<1>();
        block_barrier();
        if (key == 0 && has_queries)
            load_queries<Number, D>(state, memory.queries, first_row);
        if (has_queries)
            attend_tile<Number, D>(state, memory.tiles[turn], item.length - key);
        block_barrier();
    }
    if (has_queries)
        write_rows<Number, D>(attention, state, item.at, item.head, first_row);
}

/* ---- the same of a short sequence ---- */

enum { SHORT_TILES = CUDA_SHORT_TOKENS / TILE, SHORT_GROUPS = 2, GROUP_WARPS = TILE / WARP_ROWS };

template <typename Number, int D> struct short_attention_memory {
    tile<Number, D> queries;
    key_tiles<Number, D> tiles[SHORT_TILES];
};

/* A lane's place for number `i` of its warp's state, which lies where tiles have been. */
template <int D> __device__ static inline float *kept_place(float *shared, int i) {
    enum { COUNT = D / 2 + 4 };
    const int warp = static_cast<int>(warp_index()) % GROUP_WARPS;
    return shared + (warp * COUNT + i) * WARP + lane_index();
}

template <int D> __device__ static inline void keep_state(const warp_state<D> &state, float *shared) {
#pragma unroll
    for (int i = 0; i < D / 2; i++)
        *kept_place<D>(shared, i) = state.sums[i / 4][i % 4];
    for (int half = 0; half < 2; half++) {
        *kept_place<D>(shared, D / 2 + half) = state.largest[half];
        *kept_place<D>(shared, D / 2 + 2 + half) = state.weight_sum[half];
    }
}

/* What another warp has kept of the same queries and other keys. */
template <int D> __device__ static inline void add_state(warp_state<D> &state, float *shared) {
    float own[2], other[2];
    for (int half = 0; half < 2; half++) {
        const float its = *kept_place<D>(shared, D / 2 + half), largest = fmaxf(its, state.largest[half]);
        own[half] = power_of_2(state.largest[half] - largest);
        other[half] = power_of_2(its - largest);
        state.weight_sum[half] =
            state.weight_sum[half] * own[half] + *kept_place<D>(shared, D / 2 + 2 + half) * other[half];
    }
#pragma unroll
    for (int i = 0; i < D / 2; i++) {
        float &sum = state.sums[i / 4][i % 4];
        sum = sum * own[i % 4 / 2] + *kept_place<D>(shared, i) * other[i % 4 / 2];
    }
}

/* Of sequences of up to CUDA_SHORT_TOKENS, by SHORT_GROUPS * GROUP_WARPS warps: all keys are copied at once, and the
 * groups of warps have every other tile of them each. */
template <typename Number, int D, int THREADS>
__device__ static inline void attend_short(const struct cuda_attention &attention, unsigned index,
                                           short_attention_memory<Number, D> &memory) {
    static_assert(THREADS == SHORT_GROUPS * GROUP_WARPS * WARP, "each group has all queries");
    const attention_item<Number, D> item(attention, index);
    if (item.length == 0)
        return;
    const int group = static_cast<int>(warp_index()) / GROUP_WARPS;
    const int first_row = static_cast<int>(warp_index()) % GROUP_WARPS * WARP_ROWS;
    const bool has_queries = first_row < item.left;
    float *shared = reinterpret_cast<float *>(memory.tiles);
    const share<D, THREADS> mine(item.stride);
    copy_tile<Number, D>(mine, memory.queries, item.queries, item.stride, item.left);
#pragma unroll 1
    for (int key = 0; key < item.length; key += TILE)
        copy_keys<Number, D>(mine, memory.tiles[key / TILE], item, key);
    copy_async_end_group();
    copy_async_wait<0>();
    block_barrier();
    warp_state<D> state = {};
    state.largest[0] = state.largest[1] = -INFINITY;
    if (has_queries)
        load_queries<Number, D>(state, memory.queries, first_row);
#pragma unroll 1
    for (int key = group * TILE; key < item.length && has_queries; key += SHORT_GROUPS * TILE)
        attend_tile<Number, D>(state, memory.tiles[key / TILE], item.length - key);
    block_barrier();
    if (item.length > TILE) {
        if (group == 1 && has_queries)
            keep_state<D>(state, shared);
        block_barrier();
        if (group == 0 && has_queries)
            add_state<D>(state, shared);
        block_barrier();
    }
    if (group == 0 && has_queries)
        write_rows<Number, D>(attention, state, item.at, item.head, first_row);
}

#endif
