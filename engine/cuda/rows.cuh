/* rows.cuh: what is done for each token by itself between the products: embedding and LayerNorm. A warp has a row, each
 * lane eight numbers of it at a time, or a block, each thread four; they stay in registers from reading to writing. */
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

/* ---- what a block does of one token ---- */

/* Rows that are not added up yet: each the sum of its parts, the bias and a residual. */
struct rows_in_parts {
    const float *sums; /* [parts][T][H] */
    int parts;
    const void *bias, *residual; /* [H] and [T][H] numbers */
    struct cuda_norm norm;       /* its target may be the residual; it has no bytes */
};

enum { QUAD = 4 }; /* numbers of a row that a thread has */

/* Over all threads of the block, for all of them. `shared`: [WARPS], which the next time but one may use again. */
template <int WARPS> __device__ static inline float block_sum(float number, float *shared) {
    float sum = 0;
    number = warp_sum(number);
    if (lane_index() == 0)
        shared[warp_index()] = number;
    block_barrier();
    for (int warp = 0; warp < WARPS; warp++)
        sum += shared[warp];
    return sum;
}

/* A thread's part of a row. All of what it is made of is asked for before any of it is needed. */
template <typename Number> struct row_quad {
    float numbers[QUAD], gamma[QUAD], beta[QUAD];
    bool is_there;
    int column;

    __device__ row_quad(const struct rows_in_parts &rows, unsigned token)
        : numbers(), gamma(), beta(), is_there(), column(static_cast<int>(thread_index()) * QUAD) {
        const size_t columns = static_cast<size_t>(rows.norm.columns), part_size = rows.norm.tokens * columns;
        const size_t at = token * columns + static_cast<size_t>(column);
        float_pack parts[CUDA_PRODUCT_PARTS] = {};
        is_there = column < rows.norm.columns;
        if (!is_there)
            return;
#pragma unroll
        for (int part = 0; part < CUDA_PRODUCT_PARTS; part++)
            if (part < rows.parts)
                parts[part] =
                    *reinterpret_cast<const float_pack *>(rows.sums + static_cast<size_t>(part) * part_size + at);
        const quad_pack bias = *reinterpret_cast<const quad_pack *>(static_cast<const Number *>(rows.bias) + column);
        const quad_pack residual =
            *reinterpret_cast<const quad_pack *>(static_cast<const Number *>(rows.residual) + at);
        const float_pack gammas = *reinterpret_cast<const float_pack *>(rows.norm.gamma + column);
        const float_pack betas = *reinterpret_cast<const float_pack *>(rows.norm.beta + column);
        float more[2][QUAD];
        for (int pair = 0; pair < 2; pair++) {
            unpack_pair<Number>(bias.words[pair], more[0] + 2 * pair);
            unpack_pair<Number>(residual.words[pair], more[1] + 2 * pair);
        }
        for (int i = 0; i < QUAD; i++) {
            numbers[i] = more[0][i] + more[1][i];
            for (const float_pack &part : parts)
                numbers[i] += part.numbers[i];
            gamma[i] = gammas.numbers[i];
            beta[i] = betas.numbers[i];
        }
    }

    __device__ float sum() const {
        return numbers[0] + numbers[1] + numbers[2] + numbers[3];
    }
    /* With what else the row has there. */
    __device__ float product(const float *row) const {
        if (!is_there)
            return 0;
        const float_pack pack = *reinterpret_cast<const float_pack *>(row + column);
        return numbers[0] * pack.numbers[0] + numbers[1] * pack.numbers[1] + numbers[2] * pack.numbers[2] +
               numbers[3] * pack.numbers[3];
    }
    __device__ float squares() const {
        return numbers[0] * numbers[0] + numbers[1] * numbers[1] + numbers[2] * numbers[2] + numbers[3] * numbers[3];
    }
    __device__ void subtract(float number) {
        for (int i = 0; i < QUAD; i++)
            numbers[i] = is_there ? numbers[i] - number : 0;
    }
    __device__ void scale(float factor) {
        for (int i = 0; i < QUAD; i++)
            numbers[i] = numbers[i] * factor * gamma[i] + beta[i];
    }
    __device__ void write(const struct cuda_norm &norm, unsigned token) const {
        const size_t at = static_cast<size_t>(token) * static_cast<size_t>(norm.columns) + static_cast<size_t>(column);
        if (is_there && norm.to.numbers)
            *reinterpret_cast<quad_pack *>(static_cast<Number *>(norm.to.numbers) + at) = {
                {pack_pair<Number>(numbers[0], numbers[1]), pack_pair<Number>(numbers[2], numbers[3])}};
        if (is_there && norm.to.floats)
            *reinterpret_cast<float_pack *>(norm.to.floats + at) = {{numbers[0], numbers[1], numbers[2], numbers[3]}};
    }
};

/* All threads of the block come; a row has at most QUAD numbers for each. `shared`: [2][WARPS], in turns. */
template <typename Number, int WARPS>
__device__ static inline void norm_row_in_parts(const struct rows_in_parts &rows, unsigned token, float *shared) {
    const struct cuda_row_target &to = rows.norm.to;
    const float columns = static_cast<float>(rows.norm.columns);
    row_quad<Number> row(rows, token);
    row.subtract(block_sum<WARPS>(row.sum(), shared) / columns);
    const float variance = block_sum<WARPS>(row.squares(), shared + WARPS) / columns;
    row.scale(inverse_root(variance + rows.norm.epsilon));
    row.write(rows.norm, token);
    if (!to.span)
        return;
    const float start = block_sum<WARPS>(row.product(to.span), shared);
    const float end = block_sum<WARPS>(row.product(to.span + rows.norm.columns), shared + WARPS);
    if (thread_index() == 0) {
        to.starts[token] = start + to.span_bias[0];
        to.ends[token] = end + to.span_bias[1];
    }
}

#endif
