/* cuda_attention.cu: attention of sequences of any length, nothing padded between them: a block for each head of each
 * tile of queries (attention.cuh). */
#include "engine/cuda/attention.cuh"

enum { WARPS = 4, THREADS = WARP * WARPS, BLOCKS = 4 };
static_assert(WARPS * WARP_ROWS == TILE, "every warp has 16 queries");

template <typename Number, int D>
__global__ void __launch_bounds__(THREADS, BLOCKS) attention_kernel(struct cuda_attention attention) {
    __shared__ attention_memory<Number, D> memory;
    attend<Number, D, THREADS>(attention, block_index().x, memory);
}

/* ---- which of them ---- */

template <typename Number> static cudaError_t start(const struct cuda_attention *attention, cudaStream_t stream) {
    const dim3 grid(attention->tile_count * static_cast<unsigned>(attention->head_count));
    switch (attention->head_size) {
    case 16:
        return launch(attention_kernel<Number, 16>, grid, THREADS, stream, *attention);
    case 32:
        return launch(attention_kernel<Number, 32>, grid, THREADS, stream, *attention);
    case 64:
        return launch(attention_kernel<Number, 64>, grid, THREADS, stream, *attention);
    default:
        return cudaErrorInvalidValue;
    }
}

extern "C" bool cuda_kernels_have_head(int head_size) {
    return head_size == 16 || head_size == 32 || head_size == 64;
}

extern "C" cudaError_t cuda_attention(enum cuda_number number, const struct cuda_attention *attention,
                                      cudaStream_t stream) {
    return number == CUDA_BF16 ? start<__nv_bfloat16>(attention, stream) : start<__half>(attention, stream);
}
