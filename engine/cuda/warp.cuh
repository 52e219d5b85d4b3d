/* warp.cuh: where a thread is in its warp, and what the lanes of a warp do together. */
#ifndef INFERD_ENGINE_CUDA_WARP_CUH
#define INFERD_ENGINE_CUDA_WARP_CUH

#include "engine/cuda/intrinsics.cuh"

enum { WARP = 32 };

__device__ static inline int lane_index() {
    return static_cast<int>(thread_index() % WARP);
}

/* In the block. */
__device__ static inline unsigned warp_index() {
    return thread_index() / WARP;
}

/* Over all lanes, for all of them. */
__device__ static inline float warp_sum(float number) {
    for (int mask = WARP / 2; mask > 0; mask /= 2)
        number += shuffle_xor(number, mask);
    return number;
}

#endif
