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
    bool with_spans, with_hidden; /* results: room->spans, room->hidden */
};

/* Puts all of it on the stream: the batch that lies in room->host_staged is copied, computed, and the spans, if they
 * are wanted, copied to room->host_spans. UNAVAILABLE. */
struct status cuda_forward_run(const struct cuda_forward *forward) STATUS_MUST_CHECK;

/* The product of layer `layer`, its operands in the room. */
struct cuda_gemm_call cuda_forward_gemm(const struct cuda_forward *forward, enum cuda_gemm gemm, int64_t layer);

#endif
