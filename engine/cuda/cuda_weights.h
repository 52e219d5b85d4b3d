/* cuda_weights.h: the weights of an engine in the memory of one GPU: one block, made once.
 *
 * In fp8 every operand of a GEMM has one scale for all its numbers. Those of activations are bounds, not guesses: what
 * LayerNorm gives has a row's norm of sqrt(H) before gamma and beta, so by Cauchy and Schwarz no row makes an output of
 * a matrix w, b larger than |w * gamma| sqrt(H) + |w beta + b|; an average of values, and what GELU makes of a number,
 * are no larger. The operands are rounded, which may add a little in a case that no data reaches: that is clipped. So
 * nothing overflows, no data is needed to find the scales, and a sequence's numbers do not depend on
 * what else is in the batch.
 *
 * The first layers of an engine of fp8 may compute in numbers, as those of other engines do.
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_WEIGHTS_H
#define INFERD_ENGINE_CUDA_CUDA_WEIGHTS_H

#include "checkpoint/bert_checkpoint.h"
#include "engine/cuda/cuda_kernels.h"

/* What fp8 numbers are multiplied by when a GEMM reads and writes them; on the device. cuBLASLt wants each on 16 bytes.
 */
struct cuda_scales {
    _Alignas(16) float weights; /* number = byte * scale */
    _Alignas(16) float rows;    /* number = byte * scale */
    _Alignas(16) float to;      /* byte = number * scale, where the GEMM gives bytes */
};

/* [outputs][inputs] numbers, or bytes in fp8, and a bias of numbers. */
struct cuda_matrix {
    void *weights, *bias;
    const struct cuda_scales *scales; /* fp8; else NULL */
    int outputs, inputs;
};

struct cuda_layer {
    struct cuda_matrix query_key_value, attention, intermediate, output;
    const float *attention_gamma, *attention_beta, *output_gamma, *output_beta; /* [H] */
    /* fp8: byte = number * scale of the layer's input, attention's output, feed-forward's input. */
    float input_scale, context_scale, attention_scale;
};

/* Its four matrices are, or none is. */
static inline bool cuda_layer_is_fp8(const struct cuda_layer *layer) {
    return layer->query_key_value.scales != NULL;
}

/* A head's matrix of floats. */
struct cuda_head_matrix {
    const float *weights, *bias; /* NULL without that head */
};

struct cuda_weights {
    struct bert_config config;
    enum cuda_number number;
    int64_t fp8_from;                       /* layers from this one on are in fp8; the count of them: none is */
    const float *words, *positions, *types; /* [V][H], ... */
    const float *gamma, *beta;              /* [H], of the embeddings */
    struct cuda_layer *layers;              /* [layer_count], on the host */
    const float *span;                      /* [2][H] or NULL */
    float span_bias[2];
    struct cuda_head_matrix pooler, classifier;
    char *block; /* on the device; holds all of the above that is there */
    size_t block_size;
};

/* The device has been chosen by cudaSetDevice. INVALID_ARGUMENT for a number that is too large for fp16;
 * RESOURCE_EXHAUSTED; UNAVAILABLE. */
struct status cuda_weights_create(const struct bert_checkpoint *checkpoint, enum cuda_number number, int64_t fp8_from,
                                  struct cuda_weights *ret) STATUS_MUST_CHECK;
static inline bool cuda_weights_have_fp8(const struct cuda_weights *weights) {
    return weights->fp8_from < weights->config.layer_count;
}
void cuda_weights_free(struct cuda_weights *weights); /* accepts a zeroed one */

#endif
