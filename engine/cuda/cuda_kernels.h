/* cuda_kernels.h: the operations of a forward pass that cuBLASLt does not have, as functions that C calls. Each puts
 * one kernel on a stream and returns; what it works on must stay until the stream has come past it.
 *
 * All pointers are to memory that the device can reach, its own but where it is said. Numbers are bf16 or fp16 (enum
 * cuda_number), sums and what is computed between reading and writing are floats. Bytes are fp8 (E4M3): byte = number *
 * byte_scale. Letters: T tokens, S sequences, H hidden size, D size of a head.
 *
 * Thread: as the stream. Errors: those of cudaLaunchKernel.
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_KERNELS_H
#define INFERD_ENGINE_CUDA_CUDA_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cuda_number { CUDA_BF16, CUDA_FP16 };

/* The hidden sizes and sizes of heads that the kernels are compiled for. */
enum { CUDA_HIDDEN_STEP = 16, CUDA_HIDDEN_MAX = 2048, CUDA_QUERY_TILE = 64, CUDA_OUTPUTS_MAX = 200000 };
bool cuda_kernels_have_head(int head_size); /* 16, 32, 64 */

/* Where normalised rows go; NULL for what is not wanted. */
struct cuda_row_target {
    void *numbers; /* [T][H] */
    void *bytes;   /* [T][H] */
    float byte_scale;
    float *floats;     /* [T][H] */
    const float *span; /* [2][H]: the span head's weights; then `starts` and `ends`, [T], are written */
    float span_bias[2];
    float *starts, *ends;
};

struct cuda_norm {
    const float *gamma, *beta; /* [H] */
    float epsilon;
    unsigned tokens;
    int columns; /* H: a multiple of CUDA_HIDDEN_STEP, at most CUDA_HIDDEN_MAX */
    struct cuda_row_target to;
};

/* Sums of three embeddings, normalised. Tables are [..][H] floats. */
struct cuda_embed {
    const float *words, *positions, *types;
    const int32_t *token_ids, *position_ids, *segment_ids; /* [T] */
    struct cuda_norm norm;
};
cudaError_t cuda_embed(enum cuda_number number, const struct cuda_embed *embed, cudaStream_t stream);

/* LayerNorm of rows of numbers. `norm.to.numbers` may be the rows themselves. */
struct cuda_norm_rows {
    const void *rows; /* [T][H] */
    struct cuda_norm norm;
};
cudaError_t cuda_norm_rows(enum cuda_number number, const struct cuda_norm_rows *rows, cudaStream_t stream);

/* Up to CUDA_QUERY_TILE queries of one sequence, from its token `query` on; all its tokens are keys. length 0: none. */
struct cuda_attention_tile {
    uint32_t first; /* token of the batch where the sequence begins */
    uint32_t length;
    uint32_t query;
};
/* softmax(q k) v of every head. The queries have been scaled so that the softmax takes powers of 2. */
struct cuda_attention {
    const void *query_key_value; /* [T][3H] numbers */
    void *numbers;               /* [T][H], or NULL: then */
    void *bytes;                 /* [T][H] */
    float byte_scale;
    const struct cuda_attention_tile *tiles; /* [tile_count] */
    unsigned tile_count;
    int head_count, head_size;
};
cudaError_t cuda_attention(enum cuda_number number, const struct cuda_attention *attention, cudaStream_t stream);

/* ---- of whole sequences ---- */

struct cuda_sequences {
    const float *hidden;     /* [T][H] */
    const uint32_t *offsets; /* [S + 1] */
    unsigned count;          /* S */
    int columns;             /* H */
    float *to;               /* [S][H] */
};
cudaError_t cuda_mean_rows(const struct cuda_sequences *sequences, cudaStream_t stream);
cudaError_t cuda_first_rows(const struct cuda_sequences *sequences, cudaStream_t stream);

/* to = rows * weights^T + bias, or its tanh, all in floats: for the little that heads of sequences compute. */
struct cuda_dense {
    const float *rows;    /* [count][inputs] */
    const float *weights; /* [outputs][inputs] */
    const float *bias;    /* [outputs] */
    float *to;            /* [count][outputs] */
    unsigned count;
    int inputs, outputs;
    bool is_tanh;
};
cudaError_t cuda_dense(const struct cuda_dense *dense, cudaStream_t stream);

/* ---- a whole short batch ---- */

/* The four products of a layer: x W_qkv + b; context W + b + residual; gelu(x W + b); z W + b + residual. */
enum cuda_gemm { CUDA_QUERY_KEY_VALUE, CUDA_ATTENTION_OUTPUT, CUDA_INTERMEDIATE, CUDA_OUTPUT, CUDA_GEMM_COUNT };

struct cuda_product {
    const void *weights, *bias; /* [outputs][inputs] and [outputs] numbers */
    int outputs, inputs;
};

struct cuda_persistent_layer {
    struct cuda_product products[CUDA_GEMM_COUNT];
    const float *attention_gamma, *attention_beta, *output_gamma, *output_beta; /* [H] */
};

/* What one kernel does for a whole batch has no room for more. */
enum { CUDA_PERSISTENT_LAYERS = 24, CUDA_PERSISTENT_HIDDEN = 1024, CUDA_SHORT_TOKENS = 256 };

/* How a product is shared out among blocks: by tiles of a shape (product.cuh), each cut into parts of the depth. */
enum { CUDA_PRODUCT_SHAPES = 7, CUDA_PRODUCT_PARTS = 4 };
struct cuda_product_cut {
    int shape, parts;
};

/* Where the blocks of a grid meet: how many have come, again and again, and how many have left for good. 0 between two
 * grids. */
struct grid_meeting {
    uint32_t arrivals, departures;
};

struct cuda_persistent {
    struct cuda_embed embed;         /* gives x */
    struct cuda_attention attention; /* reads query_key_value */
    struct cuda_row_target results;  /* of the last LayerNorm */
    void *x, *query_key_value, *intermediate;
    float *sums;                  /* [CUDA_PRODUCT_PARTS][T][H]: what LayerNorm adds up */
    struct grid_meeting *meeting; /* of the device: zeros, as it leaves them */
    uint32_t *is_done; /* [1], the host's: 0; becomes 1, but not where blocks waited for others in vain, for seconds */
    int layer_count;
    struct cuda_product_cut cuts[CUDA_GEMM_COUNT]; /* of no parts: cuda_persistent chooses */
    struct cuda_persistent_layer layers[CUDA_PERSISTENT_LAYERS];
};

/* How many blocks the device that has been chosen holds of the kernel, all of which it needs; 0: it has no such kernel
 * for that size of heads, or cannot start one. */
cudaError_t cuda_persistent_blocks(enum cuda_number number, int head_size, unsigned *ret);
/* The whole forward pass in one kernel, whose blocks stay, and wait for each other between one operation and the next:
 * so no operation waits for a launch, and its weights come while the one before it is still computed. Puts it on a
 * stream that is not recorded. */
cudaError_t cuda_persistent(enum cuda_number number, const struct cuda_persistent *batch, unsigned blocks,
                            cudaStream_t stream);

/* ---- loading ---- */

/* Floats to what a GEMM reads: numbers, or bytes where `to_bytes`; each times `factor`. */
struct cuda_convert {
    const float *from;
    void *to;
    uint64_t count;
    float factor;
    bool to_bytes;
};
cudaError_t cuda_convert(enum cuda_number number, const struct cuda_convert *convert, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
