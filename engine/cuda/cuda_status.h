/* cuda_status.h: errors of the CUDA runtime as statuses. */
#ifndef INFERD_ENGINE_CUDA_CUDA_STATUS_H
#define INFERD_ENGINE_CUDA_CUDA_STATUS_H

#include <cuda_runtime_api.h>

#include "base/status.h"

/* RESOURCE_EXHAUSTED when the device has no memory left; UNAVAILABLE for all else. `call` names what failed. */
struct status cuda_status(cudaError_t error, const char *call) STATUS_RARE;

/* Leaves the enclosing function with the error, if the call yields one. */
#define CUDA_TRY(call)                                                                                                 \
    do {                                                                                                               \
        cudaError_t cuda_try_ = (call);                                                                                \
        if (cuda_try_ != cudaSuccess)                                                                                  \
            return cuda_status(cuda_try_, #call);                                                                      \
    } while (0)

#endif
