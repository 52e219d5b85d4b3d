/* cuda_rows.cu: embedding and LayerNorm of all tokens: a warp for each (rows.cuh). */
#include "engine/cuda/rows.cuh"

enum { WARPS = 4 };

__device__ static inline unsigned token_of_warp() {
    return block_index().x * WARPS + warp_index();
}

template <typename Number, int STEPS>
__global__ void __launch_bounds__(WARP *WARPS) embed_kernel(struct cuda_embed embed) {
    if (token_of_warp() < embed.norm.tokens)
        embed_token<Number, STEPS>(embed, token_of_warp());
}

template <typename Number, int STEPS>
__global__ void __launch_bounds__(WARP *WARPS) norm_kernel(struct cuda_norm_rows rows) {
    if (token_of_warp() < rows.norm.tokens)
        norm_token<Number, STEPS>(rows, token_of_warp());
}

/* ---- which of them ---- */

static dim3 grid_of(const struct cuda_norm *norm) {
    return dim3((norm->tokens + WARPS - 1) / WARPS);
}

template <int STEPS>
static cudaError_t start(enum cuda_number number, const struct cuda_embed *embed, cudaStream_t stream) {
    return launch(number == CUDA_BF16 ? embed_kernel<__nv_bfloat16, STEPS> : embed_kernel<__half, STEPS>,
                  grid_of(&embed->norm), WARP * WARPS, stream, *embed);
}

template <int STEPS>
static cudaError_t start(enum cuda_number number, const struct cuda_norm_rows *rows, cudaStream_t stream) {
    return launch(number == CUDA_BF16 ? norm_kernel<__nv_bfloat16, STEPS> : norm_kernel<__half, STEPS>,
                  grid_of(&rows->norm), WARP * WARPS, stream, *rows);
}

template <typename Work>
static cudaError_t start_for(int columns, enum cuda_number number, const Work *work, cudaStream_t stream) {
    switch ((columns + STEP - 1) / STEP) {
    case 1:
        return start<1>(number, work, stream);
    case 2:
        return start<2>(number, work, stream);
    case 3:
        return start<3>(number, work, stream);
    case 4:
        return start<4>(number, work, stream);
    case 5:
    case 6:
        return start<6>(number, work, stream);
    case 7:
    case 8:
        return start<8>(number, work, stream);
    default:
        return cudaErrorInvalidValue;
    }
}

extern "C" cudaError_t cuda_embed(enum cuda_number number, const struct cuda_embed *embed, cudaStream_t stream) {
    return start_for(embed->norm.columns, number, embed, stream);
}

extern "C" cudaError_t cuda_norm_rows(enum cuda_number number, const struct cuda_norm_rows *rows, cudaStream_t stream) {
    return start_for(rows->norm.columns, number, rows, stream);
}
