/* cuda_device.h: BERT on NVIDIA GPUs: cuda_engine.c's table, or no_cuda.c's, which refuses every device, in builds
 * without nvcc (cmake/cuda.cmake). */
#ifndef INFERD_ENGINE_CUDA_CUDA_DEVICE_H
#define INFERD_ENGINE_CUDA_CUDA_DEVICE_H

#include "engine/device.h"

const struct device_ops *cuda_device(void);

#endif
