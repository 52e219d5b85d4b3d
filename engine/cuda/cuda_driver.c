#include "engine/cuda/cuda_driver.h"

#include <stddef.h>

#include "base/shared_library.h"

/* As cuda.h has them; a CUdevice is an int, and so is a CUresult, whose 0 is success. */
enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76, NO_DEVICE = 100 };

struct driver {
    int (*init)(unsigned flags);
    int (*device_get_count)(int *ret);
    int (*device_get)(int *ret, int index);
    int (*device_get_name)(char *ret, int size, int device);
    int (*device_get_attribute)(int *ret, int attribute, int device);
    int (*device_total_mem)(size_t *ret, int device);
    int (*get_error_string)(int error, const char **ret);
};

static const struct library_function functions[] = {
    {"cuInit", offsetof(struct driver, init), true},
    {"cuDeviceGetCount", offsetof(struct driver, device_get_count), true},
    {"cuDeviceGet", offsetof(struct driver, device_get), true},
    {"cuDeviceGetName", offsetof(struct driver, device_get_name), true},
    {"cuDeviceGetAttribute", offsetof(struct driver, device_get_attribute), true},
    {"cuDeviceTotalMem_v2", offsetof(struct driver, device_total_mem), true},
    {"cuGetErrorString", offsetof(struct driver, get_error_string), true},
};

static struct status check(const struct driver *driver, const char *function, int error) {
    const char *text = NULL;
    if (error == 0)
        return status_ok();
    if (driver->get_error_string(error, &text) != 0 || !text)
        text = "unknown error";
    return status_error(STATUS_UNAVAILABLE, "%s: error %d, %s", function, error, text);
}

static struct status describe(const struct driver *driver, int index, struct cuda_device_facts *ret) {
    int device;
    size_t bytes;
    *ret = (struct cuda_device_facts){0};
    STATUS_TRY(check(driver, "cuDeviceGet", driver->device_get(&device, index)));
    STATUS_TRY(check(driver, "cuDeviceGetName", driver->device_get_name(ret->name, sizeof ret->name, device)));
    ret->name[sizeof ret->name - 1] = '\0';
    STATUS_TRY(
        check(driver, "cuDeviceGetAttribute", driver->device_get_attribute(&ret->major, CAPABILITY_MAJOR, device)));
    STATUS_TRY(
        check(driver, "cuDeviceGetAttribute", driver->device_get_attribute(&ret->minor, CAPABILITY_MINOR, device)));
    STATUS_TRY(check(driver, "cuDeviceTotalMem", driver->device_total_mem(&bytes, device)));
    ret->memory_bytes = bytes;
    return status_ok();
}

struct status cuda_driver_ask(const char *library, int index, int *ret_count, struct cuda_device_facts *ret_device) {
    struct driver driver;
    int count = 0;
    STATUS_TRY(shared_library_open(library, functions, sizeof functions / sizeof functions[0], &driver));
    int error = driver.init(0);
    if (error != NO_DEVICE) { /* a driver without a device is a machine without one, not a fault */
        STATUS_TRY(check(&driver, "cuInit", error));
        STATUS_TRY(check(&driver, "cuDeviceGetCount", driver.device_get_count(&count)));
    }
    if (index >= 0 && index < count)
        STATUS_TRY(describe(&driver, index, ret_device));
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
