/* cuda_driver.h: which NVIDIA GPUs this machine has, asked of the CUDA driver library. The library is opened when
 * somebody asks, so that one program serves machines with and without a GPU, and needs no CUDA toolkit to be built.
 *
 * Source: CUDA Driver API, sections Initialization and Device Management. No context is made, no GPU memory taken.
 * Thread: any.
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_DRIVER_H
#define INFERD_ENGINE_CUDA_CUDA_DRIVER_H

#include <stdint.h>

#include "base/status.h"

#define CUDA_DRIVER_LIBRARY "libcuda.so.1"

enum { CUDA_DEVICE_NAME_MAX = 128 };

struct cuda_device_facts {
    char name[CUDA_DEVICE_NAME_MAX];
    int major, minor; /* compute capability */
    uint64_t memory_bytes;
};

/* How many devices the driver shows, and what it says of device `index`, if it is one of them. May wait for the driver
 * as long as that takes. `library`: CUDA_DRIVER_LIBRARY, or another with the same functions.
 * UNAVAILABLE: there is no such library, it lacks a function, or it gives an error; the message tells which. */
struct status cuda_driver_ask(const char *library, int index, int *ret_count,
                              struct cuda_device_facts *ret_device) STATUS_MUST_CHECK;

/* The facts of device `index` of this machine. UNSUPPORTED tells what there is instead of it. */
struct status cuda_driver_find(int index, struct cuda_device_facts *ret) STATUS_MUST_CHECK;
/* UNSUPPORTED: "CUDA device 0, NAME (...), cannot be used: REASON". */
struct status cuda_driver_refuse(int index, const struct cuda_device_facts *device, const char *reason);

#endif
