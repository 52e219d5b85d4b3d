/* cuda_forward.h: one batch on the device: the straight path from token ids to the last layer's rows. */
#ifndef INFERD_ENGINE_CUDA_CUDA_FORWARD_H
#define INFERD_ENGINE_CUDA_CUDA_FORWARD_H

#include "engine/cuda/cuda_gemm.h"
#include "engine/cuda/cuda_room.h"

struct cuda_forward {
    const struct cuda_weights *weights;
    struct cuda_room *room;
    struct cuda_gemm_room *gemms;
    cudaStream_t stream;
    struct cuda_plan plan;
    bool with_spans, with_hidden;        /* results: room->spans, room->hidden */
    const struct cuda_product_cut *cuts; /* [CUDA_GEMM_COUNT], of one kernel; NULL: which suit the batch */
};

/* Puts all of it on the stream: the batch that lies in room->host_staged is copied, computed, and the spans, if they
 * are wanted, copied to room->host_spans. UNAVAILABLE. */
struct status cuda_forward_run(const struct cuda_forward *forward) STATUS_MUST_CHECK;

/* How many blocks the device that has been chosen has for the next function; 0: it does not go with this model or
 * precision, or on this device. UNAVAILABLE. */
struct status cuda_forward_persistent_blocks(const struct cuda_weights *weights, unsigned *ret) STATUS_MUST_CHECK;

/* The same as cuda_forward_run, all computed by one kernel; of at most CUDA_SHORT_TOKENS tokens. The batch is read
 * where it lies, so it must stay until the stream has come past the kernel. UNAVAILABLE. */
struct status cuda_forward_run_persistent(const struct cuda_forward *forward, unsigned blocks) STATUS_MUST_CHECK;
/* What came of it, once the stream has come past it. UNAVAILABLE: its blocks gave up, and there are no results. */
struct status cuda_forward_persistent_end(const struct cuda_room *room) STATUS_MUST_CHECK;

/* The product of layer `layer`, its operands in the room. */
struct cuda_gemm_call cuda_forward_gemm(const struct cuda_forward *forward, enum cuda_gemm gemm, int64_t layer);

#endif
