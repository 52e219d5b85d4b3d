#include "engine/cuda/cuda_status.h"

#include <string.h>

struct status cuda_status(cudaError_t error, const char *call) {
    const char *end = strchr(call, '(');
    int size = (int)(end ? (size_t)(end - call) : strlen(call));
    if (error == cudaSuccess)
        return status_ok();
    if (error == cudaErrorMemoryAllocation)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "%.*s: the GPU's memory is used up", size, call);
    return status_error(STATUS_UNAVAILABLE, "%.*s: %s (%s)", size, call, cudaGetErrorString(error),
                        cudaGetErrorName(error));
}
