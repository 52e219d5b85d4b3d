#include "engine/cuda/cuda_driver.h"

/* As cuda.h has them. */
enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

static struct status describe(const struct cuda_library *cuda, int index, struct cuda_device_facts *ret) {
    int device;
    size_t bytes;
    *ret = (struct cuda_device_facts){0};
    STATUS_TRY(cuda_library_check(cuda, "cuDeviceGet", cuda->device_get(&device, index)));
    STATUS_TRY(cuda_library_check(cuda, "cuDeviceGetName", cuda->device_get_name(ret->name, sizeof ret->name, device)));
    ret->name[sizeof ret->name - 1] = '\0';
    STATUS_TRY(cuda_library_check(cuda, "cuDeviceGetAttribute",
                                  cuda->device_get_attribute(&ret->major, CAPABILITY_MAJOR, device)));
    STATUS_TRY(cuda_library_check(cuda, "cuDeviceGetAttribute",
                                  cuda->device_get_attribute(&ret->minor, CAPABILITY_MINOR, device)));
    STATUS_TRY(cuda_library_check(cuda, "cuDeviceTotalMem", cuda->device_total_mem(&bytes, device)));
    ret->memory_bytes = bytes;
    return status_ok();
}

struct status cuda_driver_ask(const char *library, int index, int *ret_count, struct cuda_device_facts *ret_device) {
    struct cuda_library cuda;
    int count;
    STATUS_TRY(cuda_library_open(library, &cuda));
    STATUS_TRY(cuda_library_start(&cuda, &count));
    if (index >= 0 && index < count)
        STATUS_TRY(describe(&cuda, index, ret_device));
    *ret_count = count;
    return status_ok();
}

struct status cuda_driver_find(int index, struct cuda_device_facts *ret) {
    int devices;
    struct status asked = cuda_driver_ask(CUDA_DRIVER_LIBRARY, index, &devices, ret);
    if (!status_is_ok(&asked))
        return status_error(STATUS_UNSUPPORTED, "no GPU can be found here (%s)", asked.message);
    if (devices == 0)
        return status_error(STATUS_UNSUPPORTED, "this machine has no CUDA device");
    if (index < 0 || index >= devices)
        return status_error(STATUS_UNSUPPORTED, "this machine has no CUDA device %d: it has %d, from 0 on", index,
                            devices);
    return status_ok();
}

struct status cuda_driver_refuse(int index, const struct cuda_device_facts *device, const char *reason) {
    return status_error(
        STATUS_UNSUPPORTED, "CUDA device %d, %s (compute capability %d.%d, %.1f GiB), cannot be used: %s", index,
        device->name, device->major, device->minor, (double)device->memory_bytes / (double)(1 << 30), reason);
}
