/* no_cuda.c: the table of CUDA devices where nothing computes on them: it says what is missing. */
#include "engine/cuda/cuda_device.h"
#include "engine/cuda/cuda_driver.h"

#define NO_ENGINE "this build has no engine for GPUs"

static int count(void) {
    return 0;
}

/* Tells all that is missing, so that nobody gets an engine for a GPU that is not there either. */
static struct status check(int index) {
    struct cuda_device_facts device;
    struct status found = cuda_driver_find(index, &device);
    return status_is_ok(&found) ? cuda_driver_refuse(index, &device, NO_ENGINE) : status_prefix(found, NO_ENGINE);
}

static const struct device_ops ops = {
    .count = count,
    .check = check,
};

const struct device_ops *cuda_device(void) {
    return &ops;
}
