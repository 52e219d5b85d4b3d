/* no_cuda.c: the table of CUDA devices where nothing computes on them: it says what is missing. */
#include "engine/cuda/cuda_device.h"
#include "engine/cuda/cuda_driver.h"

#define NO_ENGINE "this build has no engine for GPUs"

static int count(void) {
    return 0;
}

/* Tells all that is missing, so that nobody gets an engine for a GPU that is not there either. */
static struct status check(int index) {
    int devices;
    struct cuda_device_facts device;
    struct status asked = cuda_driver_ask(CUDA_DRIVER_LIBRARY, index, &devices, &device);
    if (!status_is_ok(&asked))
        return status_error(STATUS_UNSUPPORTED, NO_ENGINE ", and no GPU can be found here (%s)", asked.message);
    if (devices == 0)
        return status_error(STATUS_UNSUPPORTED, NO_ENGINE ", and this machine has no CUDA device");
    if (index < 0 || index >= devices)
        return status_error(STATUS_UNSUPPORTED, NO_ENGINE ", and this machine no CUDA device %d: it has %d, from 0 on",
                            index, devices);
    return status_error(STATUS_UNSUPPORTED,
                        NO_ENGINE ": CUDA device %d, %s (compute capability %d.%d, %.1f GiB), cannot be used", index,
                        device.name, device.major, device.minor, (double)device.memory_bytes / (double)(1 << 30));
}

static const struct device_ops ops = {
    .count = count,
    .check = check,
};

const struct device_ops *cuda_device(void) {
    return &ops;
}
