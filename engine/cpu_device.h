/* cpu_device.h: BERT on the CPU: kernels/ for the instructions that it has, model/ for weights and the forward pass,
 * thread_pool.h for the threads. */
#ifndef INFERD_ENGINE_CPU_DEVICE_H
#define INFERD_ENGINE_CPU_DEVICE_H

#include "engine/device.h"

const struct device_ops *cpu_device(void);

#endif
