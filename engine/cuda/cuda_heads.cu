/* cuda_heads.cu: what is made of whole sequences (mean, first row, pooler, classifier), and the conversion of weights.
 * Little work next to the layers: written to be plain. */
#include "engine/cuda/cuda_kernels.h"
#include "engine/cuda/numbers.cuh"
#include "engine/cuda/warp.cuh"

enum { THREADS = 128, DENSE_ROWS = 8 };

/* A block has a sequence, a thread columns of it. */
__global__ void mean_kernel(struct cuda_sequences sequences) {
    const unsigned begin = sequences.offsets[block_index().x], end = sequences.offsets[block_index().x + 1];
    const size_t columns = static_cast<size_t>(sequences.columns);
    for (size_t column = thread_index(); column < columns; column += THREADS) {
        float sum = 0;
        for (unsigned token = begin; token < end; token++)
            sum += sequences.hidden[token * columns + column];
        sequences.to[block_index().x * columns + column] = sum / static_cast<float>(end - begin);
    }
}

__global__ void first_kernel(struct cuda_sequences sequences) {
    const size_t columns = static_cast<size_t>(sequences.columns), token = sequences.offsets[block_index().x];
    for (size_t column = thread_index(); column < columns; column += THREADS)
        sequences.to[block_index().x * columns + column] = sequences.hidden[token * columns + column];
}

/* A warp has one output of eight rows. */
__global__ void dense_kernel(struct cuda_dense dense) {
    const int output = static_cast<int>(block_index().y * (THREADS / WARP) + warp_index());
    const int lane = lane_index(), inputs = dense.inputs;
    const unsigned first = block_index().x * DENSE_ROWS;
    float sums[DENSE_ROWS] = {};
    if (output >= dense.outputs)
        return;
    const float *weights = dense.weights + static_cast<size_t>(output) * static_cast<size_t>(inputs);
    for (int i = lane; i < inputs; i += WARP)
#pragma unroll
        for (unsigned k = 0; k < DENSE_ROWS; k++)
            if (first + k < dense.count)
                sums[k] +=
                    weights[i] *
                    dense.rows[static_cast<size_t>(first + k) * static_cast<size_t>(inputs) + static_cast<size_t>(i)];
#pragma unroll
    for (unsigned k = 0; k < DENSE_ROWS; k++) {
        sums[k] = warp_sum(sums[k]);
        if (lane == 0 && first + k < dense.count) {
            const float number = sums[k] + dense.bias[output];
            dense
                .to[static_cast<size_t>(first + k) * static_cast<size_t>(dense.outputs) + static_cast<size_t>(output)] =
                dense.is_tanh ? tanhf(number) : number;
        }
    }
}

template <typename Number> __global__ void convert_kernel(struct cuda_convert convert) {
    const uint64_t step = static_cast<uint64_t>(block_count()) * THREADS;
    for (uint64_t i = static_cast<uint64_t>(block_index().x) * THREADS + thread_index(); i < convert.count; i += step) {
        const float number = convert.from[i] * convert.factor;
        if (convert.to_bytes)
            static_cast<uint8_t *>(convert.to)[i] = static_cast<uint8_t>(pack_bytes(number, 0));
        else
            static_cast<Number *>(convert.to)[i] = number_from(number, Number());
    }
}

/* ---- launches ---- */

extern "C" cudaError_t cuda_mean_rows(const struct cuda_sequences *sequences, cudaStream_t stream) {
    return launch(mean_kernel, dim3(sequences->count), THREADS, stream, *sequences);
}

extern "C" cudaError_t cuda_first_rows(const struct cuda_sequences *sequences, cudaStream_t stream) {
    return launch(first_kernel, dim3(sequences->count), THREADS, stream, *sequences);
}

extern "C" cudaError_t cuda_dense(const struct cuda_dense *dense, cudaStream_t stream) {
    const unsigned outputs = static_cast<unsigned>(dense->outputs), warps = THREADS / WARP;
    const dim3 grid((dense->count + DENSE_ROWS - 1) / DENSE_ROWS,
                    (outputs + warps - 1) / warps); /* y is the short one */
    return launch(dense_kernel, grid, THREADS, stream, *dense);
}

extern "C" cudaError_t cuda_convert(enum cuda_number number, const struct cuda_convert *convert, cudaStream_t stream) {
    const uint64_t blocks = (convert->count + THREADS - 1) / THREADS, most = 4096;
    const dim3 grid(static_cast<unsigned>(blocks < most ? blocks : most));
    return launch(number == CUDA_BF16 ? convert_kernel<__nv_bfloat16> : convert_kernel<__half>, grid, THREADS, stream,
                  *convert);
}
