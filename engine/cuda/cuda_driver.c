#include "engine/cuda/cuda_driver.h"

#include <dlfcn.h>
#include <string.h>

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

/* ISO C has no cast from object to function pointer; POSIX promises this. */
static bool find(void *library, const char *name, void *ret_function, size_t size) {
    void *symbol = dlsym(library, name);
    memcpy(ret_function, &symbol, size);
    return symbol != NULL;
}

/* The library stays open: it has been started, and starts once in a process. */
static struct status open_driver(const char *path, struct driver *ret) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return status_error(STATUS_UNAVAILABLE, "%s", dlerror());
#define FIND(name, function)                                                                                           \
    if (!find(library, name, &ret->function, sizeof ret->function))                                                    \
    return status_error(STATUS_UNAVAILABLE, "%s has no function %s", path, name)
    FIND("cuInit", init);
    FIND("cuDeviceGetCount", device_get_count);
    FIND("cuDeviceGet", device_get);
    FIND("cuDeviceGetName", device_get_name);
    FIND("cuDeviceGetAttribute", device_get_attribute);
    FIND("cuDeviceTotalMem_v2", device_total_mem);
    FIND("cuGetErrorString", get_error_string);
#undef FIND
    return status_ok();
}

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
    STATUS_TRY(open_driver(library, &driver));
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
