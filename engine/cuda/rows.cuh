/* rows.cuh: what is done for each token by itself between the products: embedding and LayerNorm. A warp has a row, each
 * lane eight numbers of it at a time, which stay in its registers from reading to writing. */
#ifndef INFERD_ENGINE_CUDA_ROWS_CUH
#define INFERD_ENGINE_CUDA_ROWS_CUH

#include "engine/cuda/cuda_kernels.h"
#include "engine/cuda/numbers.cuh"
#include "engine/cuda/warp.cuh"

enum { STEP = WARP * PACK };

/* ---- one row in the registers of a warp ---- */

template <int STEPS> struct row { float numbers[STEPS][PACK]; };

/* The column of this lane's numbers of a step. */
__device__ static inline int column_of(int step) {
    return step * STEP + lane_index() * PACK;
}

__device__ static inline void load_floats(const float *from, float *numbers) {
    const float_pack *packs = reinterpret_cast<const float_pack *>(from);
    for (int half = 0; half < 2; half++) {
        float_pack pack = packs[half];
        for (int i = 0; i < 4; i++)
            numbers[4 * half + i] = pack.numbers[i];
    }
}

__device__ static inline void store_floats(const float *numbers, float *to) {
    for (int half = 0; half < 2; half++) {
        float_pack pack;
        for (int i = 0; i < 4; i++)
            pack.numbers[i] = numbers[4 * half + i];
        reinterpret_cast<float_pack *>(to)[half] = pack;
    }
}

/* A lane's part of gamma and beta, which are fetched before they are needed. */
template <int STEPS> struct norm_weights {
    float gamma[STEPS][PACK], beta[STEPS][PACK];

    __device__ explicit norm_weights(const struct cuda_norm &norm) {
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            if (column_of(step) >= norm.columns)
                continue;
            load_floats(norm.gamma + column_of(step), gamma[step]);
            load_floats(norm.beta + column_of(step), beta[step]);
        }
    }
};

/* Mean 0, variance 1, then gamma and beta. Columns past the last count as nothing. */
template <int STEPS>
__device__ static inline void normalise(const struct cuda_norm &norm, const norm_weights<STEPS> &weights,
                                        row<STEPS> &x) {
    float sum = 0, squares = 0;
#pragma unroll
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < PACK; i++)
            sum += column_of(step) < norm.columns ? x.numbers[step][i] : 0;
    const float mean = warp_sum(sum) / static_cast<float>(norm.columns);
#pragma unroll
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < PACK; i++) {
            x.numbers[step][i] -= mean;
            squares += column_of(step) < norm.columns ? x.numbers[step][i] * x.numbers[step][i] : 0;
        }
    const float scale = inverse_root(warp_sum(squares) / static_cast<float>(norm.columns) + norm.epsilon);
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        if (column_of(step) >= norm.columns)
            continue;
        for (int i = 0; i < PACK; i++)
            x.numbers[step][i] = x.numbers[step][i] * scale * weights.gamma[step][i] + weights.beta[step][i];
    }
}

/* The span head: two dot products. */
template <int STEPS>
__device__ static inline void write_span(const struct cuda_norm &norm, const row<STEPS> &x, unsigned token) {
    float sums[2], weights[PACK];
    for (int output = 0; output < 2; output++) {
        float sum = 0;
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            if (column_of(step) >= norm.columns)
                continue;
            load_floats(norm.to.span + output * norm.columns + column_of(step), weights);
            for (int i = 0; i < PACK; i++)
                sum += x.numbers[step][i] * weights[i];
        }
        sums[output] = warp_sum(sum);
    }
    if (lane_index() == 0) {
        norm.to.starts[token] = sums[0] + norm.to.span_bias[0];
        norm.to.ends[token] = sums[1] + norm.to.span_bias[1];
    }
}

template <typename Number, int STEPS>
__device__ static inline void write_row(const struct cuda_norm &norm, const row<STEPS> &x, unsigned token) {
    const struct cuda_row_target &to = norm.to;
    const size_t first = static_cast<size_t>(token) * static_cast<size_t>(norm.columns);
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        if (column_of(step) >= norm.columns)
            continue;
        const size_t at = first + static_cast<size_t>(column_of(step));
        if (to.numbers)
            *reinterpret_cast<number_pack *>(static_cast<Number *>(to.numbers) + at) =
                pack_numbers<Number>(x.numbers[step]);
        if (to.bytes)
            *reinterpret_cast<byte_pack *>(static_cast<uint8_t *>(to.bytes) + at) =
                pack_eight_bytes(x.numbers[step], to.byte_scale);
        if (to.floats)
            store_floats(x.numbers[step], to.floats + at);
    }
    if (to.span)
        write_span(norm, x, token);
}

/* ---- what a warp does of one token ---- */

template <typename Number, int STEPS>
__device__ static inline void embed_token(const struct cuda_embed &embed, unsigned token) {
    const struct cuda_norm &norm = embed.norm;
    const size_t columns = static_cast<size_t>(norm.columns);
    const float *word = embed.words + static_cast<size_t>(embed.token_ids[token]) * columns;
    const float *position = embed.positions + static_cast<size_t>(embed.position_ids[token]) * columns;
    const float *type = embed.types + static_cast<size_t>(embed.segment_ids[token]) * columns;
    const norm_weights<STEPS> weights(norm);
    row<STEPS> x = {};
    float more[PACK];
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        const int column = column_of(step);
        if (column >= norm.columns)
            continue;
        load_floats(word + column, x.numbers[step]);
        load_floats(position + column, more);
        for (int i = 0; i < PACK; i++)
            x.numbers[step][i] += more[i];
        load_floats(type + column, more);
        for (int i = 0; i < PACK; i++)
            x.numbers[step][i] += more[i];
    }
    normalise<STEPS>(norm, weights, x);
    write_row<Number, STEPS>(norm, x, token);
}

template <typename Number, int STEPS>
__device__ static inline void norm_token(const struct cuda_norm_rows &rows, unsigned token) {
    const size_t columns = static_cast<size_t>(rows.norm.columns);
    const Number *from = static_cast<const Number *>(rows.rows) + static_cast<size_t>(token) * columns;
    const norm_weights<STEPS> weights(rows.norm);
    row<STEPS> x = {};
#pragma unroll
    for (int step = 0; step < STEPS; step++)
        if (column_of(step) < rows.norm.columns)
            unpack<Number>(*reinterpret_cast<const number_pack *>(from + column_of(step)), x.numbers[step]);
    normalise<STEPS>(rows.norm, weights, x);
    write_row<Number, STEPS>(rows.norm, x, token);
}

#endif
