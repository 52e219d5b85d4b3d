/* nvml.h: the figures of NVIDIA GPUs, by the driver's management library (NVML), which is opened at run time: no part
 * of it is needed to build the program, or to run it where there is no GPU.
 *
 * Any call may take as long as the driver likes, nvml_open too. Source: NVML API reference; the names of the functions
 * and the layout of their structures have not changed since they got their _v2.
 * Thread: one at a time. */
#ifndef INFERD_API_NVML_H
#define INFERD_API_NVML_H

#include <stddef.h>

#include "base/status.h"

#define NVML_LIBRARY "libnvidia-ml.so.1"

enum { NVML_GPUS_MAX = 64, NVML_UUID_MAX = 96 };

/* NAN for what the GPU does not tell. */
struct gpu_figures {
    char uuid[NVML_UUID_MAX];
    double utilization;               /* 0 to 1 */
    double memory_total, memory_used; /* bytes */
    double power, power_limit;        /* watts */
    double energy;                    /* joules, since a time that only the driver knows */
};

struct nvml;

/* `library`: NVML_LIBRARY, or another with the same functions. UNAVAILABLE: there is none, it lacks a function, or it
 * cannot be started; the message tells which. */
struct status nvml_open(const char *library, struct nvml **ret) STATUS_MUST_CHECK;
void nvml_close(struct nvml *nvml); /* accepts NULL */
/* Those GPUs that answer, at most NVML_GPUS_MAX. UNAVAILABLE: the library does not even tell how many there are. */
struct status nvml_read(struct nvml *nvml, struct gpu_figures *ret_figures, size_t *ret_count) STATUS_MUST_CHECK;

#endif
