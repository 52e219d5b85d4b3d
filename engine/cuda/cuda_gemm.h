/* cuda_gemm.h: the four matrix products of a layer, by cuBLASLt, with bias, GELU and residual in its epilogues.
 *
 *   struct cuda_gemms       of an engine: the library, and the fastest algorithm for each product and number of tokens
 *   struct cuda_gemm_room   of a session: descriptions of the operands, and the algorithms' room to work in
 *
 * Which algorithm is fastest is measured on the device, for numbers of tokens that stand for those below them (a
 * bucket). GELU is that of cuBLASLt: the tanh approximation, which differs from the exact one by 5e-4 at most, less
 * than the rounding of a bf16 number near 1.
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_GEMM_H
#define INFERD_ENGINE_CUDA_CUDA_GEMM_H

#include "engine/cuda/cuda_weights.h"

struct cuda_gemms;
struct cuda_gemm_room;

struct cuda_gemm_call {
    enum cuda_gemm gemm;
    const struct cuda_matrix *matrix;
    const void *rows;     /* [tokens][inputs] numbers, or bytes where the matrix is in fp8 */
    const void *residual; /* [tokens][outputs] numbers; NULL: none */
    void *to;             /* [tokens][outputs] numbers; for CUDA_INTERMEDIATE bytes where the matrix is in fp8 */
    unsigned tokens;
};

/* The matrix of a layer that the product reads. */
const struct cuda_matrix *cuda_gemm_matrix(const struct cuda_layer *layer, enum cuda_gemm gemm);

/* The weights are borrowed. UNAVAILABLE: no cuBLASLt. */
struct status cuda_gemms_create(const struct cuda_weights *weights, struct cuda_gemms **ret) STATUS_MUST_CHECK;
void cuda_gemms_destroy(struct cuda_gemms *gemms); /* accepts NULL */

/* UNAVAILABLE, RESOURCE_EXHAUSTED. */
struct status cuda_gemm_room_create(struct cuda_gemms *gemms, struct cuda_gemm_room **ret) STATUS_MUST_CHECK;
void cuda_gemm_room_destroy(struct cuda_gemm_room *room); /* accepts NULL */

/* Finds the algorithms for batches of up to `most` tokens that no other session has asked for before, by trying those
 * that the library proposes. `calls`, one per product of a layer, tell buffers of `most` tokens, the end of a bucket or
 * more, whose contents are lost; what is found is for all layers that are in fp8 if that one is, and else for those
 * that are not. Thread: one session at a time; others wait. UNAVAILABLE. */
struct status cuda_gemms_measure(struct cuda_gemm_room *room, const struct cuda_gemm_call *calls, unsigned most,
                                 cudaStream_t stream) STATUS_MUST_CHECK;

/* Puts the product on the stream. The number of tokens is at most one that was measured for. */
struct status cuda_gemm_run(struct cuda_gemm_room *room, const struct cuda_gemm_call *call,
                            cudaStream_t stream) STATUS_MUST_CHECK;

/* ---- buckets ---- */

/* Small batches are rounded up to a bucket; others are not. */
enum { CUDA_SMALL_TOKENS = 4096, CUDA_SMALL_BUCKETS = 16 + 12 + 8, CUDA_BUCKET_COUNT = CUDA_SMALL_BUCKETS + 30 + 1 };

/* Multiples of 32 tokens up to 512, of 128 up to 2,048, of 256 up to 4,096, of 2,048 up to 65,536; all above. */
static inline unsigned cuda_bucket_of(unsigned tokens) {
    if (tokens <= 512)
        return (tokens + 31) / 32 - 1;
    if (tokens <= 2048)
        return 16 + (tokens - 512 + 127) / 128 - 1;
    if (tokens <= CUDA_SMALL_TOKENS)
        return 28 + (tokens - 2048 + 255) / 256 - 1;
    if (tokens <= 65536)
        return CUDA_SMALL_BUCKETS + (tokens - CUDA_SMALL_TOKENS + 2047) / 2048 - 1;
    return CUDA_BUCKET_COUNT - 1;
}

/* The most tokens of a bucket; of the last: what is measured for it. */
static inline unsigned cuda_bucket_tokens(unsigned bucket) {
    if (bucket < 16)
        return (bucket + 1) * 32;
    if (bucket < 28)
        return 512 + (bucket - 15) * 128;
    if (bucket < CUDA_SMALL_BUCKETS)
        return 2048 + (bucket - 27) * 256;
    return bucket < CUDA_BUCKET_COUNT - 1 ? CUDA_SMALL_TOKENS + (bucket - CUDA_SMALL_BUCKETS + 1) * 2048 : 65536;
}

#endif
