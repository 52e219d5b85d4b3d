/* attention.cuh: attention of one head's 64 queries of a sequence of any length, by the threads of a block.
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

/* What a block needs of shared memory. */
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

/* `item`: a head of a tile, those of one tile being neighbours, since their numbers are neighbours in memory. All
 * threads of the block come; when it returns, the memory may be used for something else. */
template <typename Number, int D, int THREADS>
__device__ static inline void attend(const struct cuda_attention &attention, unsigned item,
                                     attention_memory<Number, D> &memory) {
    const unsigned heads = static_cast<unsigned>(attention.head_count), head = item % heads;
    const struct cuda_attention_tile at = attention.tiles[item / heads];
    if (at.length == 0)
        return;
    const size_t columns = static_cast<size_t>(attention.head_count) * D, stride = 3 * columns;
    const Number *from =
        static_cast<const Number *>(attention.query_key_value) + at.first * stride + static_cast<size_t>(head) * D;
    const int length = static_cast<int>(at.length), left = length - static_cast<int>(at.query);
    const int first_row = static_cast<int>(warp_index()) * WARP_ROWS;
    const bool has_queries = first_row < left && first_row < TILE;
    const share<D, THREADS> mine(stride);
    copy_tile<Number, D>(mine, memory.queries, from + at.query * stride, stride, left);
    copy_tile<Number, D>(mine, memory.tiles[0].keys, from + columns, stride, length);
    copy_tile<Number, D>(mine, memory.tiles[0].values, from + 2 * columns, stride, length);
    copy_async_end_group();
    warp_state<D> state = {};
    state.largest[0] = state.largest[1] = -INFINITY;
    for (int key = 0, turn = 0; key < length; key += TILE, turn ^= 1) {
        const int next = key + TILE;
        if (next < length) {
            const Number *rows = from + static_cast<size_t>(next) * stride;
            copy_tile<Number, D>(mine, memory.tiles[turn ^ 1].keys, rows + columns, stride, length - next);
            copy_tile<Number, D>(mine, memory.tiles[turn ^ 1].values, rows + 2 * columns, stride, length - next);
        }
        copy_async_end_group();
        copy_async_wait<1>();
        block_barrier();
        if (key == 0 && has_queries)
            load_queries<Number, D>(state, memory.queries, first_row);
        if (has_queries && next <= length)
            attend_whole<Number, D>(state, memory.tiles[turn]);
        else if (has_queries)
            attend_part<Number, D>(state, memory.tiles[turn], length - key);
        block_barrier();
    }
    if (has_queries)
        write_rows<Number, D>(attention, state, at, head, first_row);
}

#endif
