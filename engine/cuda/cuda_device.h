/* cuda_device.h: BERT on NVIDIA GPUs. There is no such engine yet: the table is no_cuda.c's, which refuses every
 * device. A file cuda_engine.cu that defines the same function takes its place in builds that have nvcc
 * (cmake/cuda.cmake). */
#ifndef INFERD_ENGINE_CUDA_CUDA_DEVICE_H
#define INFERD_ENGINE_CUDA_CUDA_DEVICE_H

#include "engine/device.h"

const struct device_ops *cuda_device(void);

#endif
