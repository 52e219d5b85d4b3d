/* gpu_usage.h: what the GPUs of this machine do, for the metrics.
 *
 * The driver's library is only ever called by a thread of its own (`gpus`), which asks it at intervals. Who reads gets
 * what was told last and never waits for the driver; a driver that hangs costs its figures, nothing else.
 * Thread: any; locked inside. */
#ifndef INFERD_API_GPU_USAGE_H
#define INFERD_API_GPU_USAGE_H

#include <stdint.h>

#include "api/nvml.h"
#include "base/log.h"

struct gpu_usage_options {
    const char *library;   /* NVML_LIBRARY; a text that is never freed */
    uint64_t interval_ns;  /* from one reading to the next */
    uint64_t patience_ns;  /* figures of a reading that is so much late are told no more */
    const struct log *log; /* borrowed; told once why there are no figures; NULL: nobody is */
};

/* The patience that the server has, and how long the end waits for a driver that is being asked. */
enum { GPU_USAGE_PATIENCE_S = 10, GPU_USAGE_END_WAIT_S = 1 };

struct gpu_usage;
/* NULL when memory or threads are short. */
struct gpu_usage *gpu_usage_create(const struct gpu_usage_options *options);
/* Leaves a thread behind that hangs in the driver. Accepts NULL. */
void gpu_usage_destroy(struct gpu_usage *usage);
/* The GPUs that answered last; `energy` counts from their first reading. Gives their number, at most NVML_GPUS_MAX. */
size_t gpu_usage_read(struct gpu_usage *usage, struct gpu_figures *ret_figures);

#endif
