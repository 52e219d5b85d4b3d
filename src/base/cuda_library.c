#include "base/cuda_library.h"

#include "base/shared_library.h"

enum { NO_DEVICE = 100 };

#define FUNCTION(name, member)                                                                                         \
    { name, offsetof(struct cuda_library, member), true }

static const struct library_function device_functions[] = {
    FUNCTION("cuInit", init),
    FUNCTION("cuDeviceGetCount", device_get_count),
    FUNCTION("cuDeviceGet", device_get),
    FUNCTION("cuDeviceGetName", device_get_name),
    FUNCTION("cuDeviceGetAttribute", device_get_attribute),
    FUNCTION("cuDeviceTotalMem_v2", device_total_mem),
    FUNCTION("cuGetErrorString", get_error_string),
};

static const struct library_function memory_functions[] = {
    FUNCTION("cuDevicePrimaryCtxRetain", context_retain), FUNCTION("cuDevicePrimaryCtxRelease_v2", context_release),
    FUNCTION("cuCtxPushCurrent_v2", context_push),        FUNCTION("cuCtxPopCurrent_v2", context_pop),
    FUNCTION("cuIpcOpenMemHandle_v2", ipc_open),          FUNCTION("cuIpcCloseMemHandle", ipc_close),
    FUNCTION("cuMemGetAddressRange_v2", get_range),       FUNCTION("cuStreamCreate", stream_create),
    FUNCTION("cuStreamDestroy_v2", stream_destroy),       FUNCTION("cuStreamSynchronize", stream_synchronize),
    FUNCTION("cuMemcpyDtoHAsync_v2", copy_to_host),       FUNCTION("cuMemcpyHtoDAsync_v2", copy_to_device),
};

struct status cuda_library_open(const char *path, struct cuda_library *ret) {
    *ret = (struct cuda_library){.init = NULL};
    return shared_library_open(path, device_functions, sizeof device_functions / sizeof device_functions[0], ret);
}

struct status cuda_library_open_memory(const char *path, struct cuda_library *library) {
    return shared_library_open(path, memory_functions, sizeof memory_functions / sizeof memory_functions[0], library);
}

struct status cuda_library_check(const struct cuda_library *library, const char *function, int error) {
    const char *text = NULL;
    if (error == 0)
        return status_ok();
    if (library->get_error_string(error, &text) != 0 || !text)
        text = "unknown error";
    return status_error(STATUS_UNAVAILABLE, "%s: error %d, %s", function, error, text);
}

struct status cuda_library_start(const struct cuda_library *library, int *ret_devices) {
    *ret_devices = 0;
    int error = library->init(0);
    if (error == NO_DEVICE) /* a driver without a device is a machine without one, not a fault */
        return status_ok();
    STATUS_TRY(cuda_library_check(library, "cuInit", error));
    return cuda_library_check(library, "cuDeviceGetCount", library->device_get_count(ret_devices));
}
