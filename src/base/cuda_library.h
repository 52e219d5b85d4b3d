/* cuda_library.h: functions of the CUDA driver library, opened at run time, so that one program serves machines with
 * and without a GPU, and needs no CUDA toolkit to be built.
 *
 * Source: CUDA Driver API; the functions, with their versions, are those that CUDA has had since 11.0.
 * Thread: any. Every call may take as long as the driver likes. */
#ifndef INFERD_BASE_CUDA_LIBRARY_H
#define INFERD_BASE_CUDA_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define CUDA_DRIVER_LIBRARY "libcuda.so.1"

enum {
    CUDA_IPC_HANDLE_BYTES = 64,
    CUDA_IPC_LAZY_PEER_ACCESS = 1, /* of ipc_open, which takes no other flag */
    CUDA_STREAM_NON_BLOCKING = 1   /* of stream_create */
};

/* CUipcMemHandle: what one process tells another of an allocation of its own. */
struct cuda_ipc_handle {
    char bytes[CUDA_IPC_HANDLE_BYTES];
};

/* As cuda.h has them; a CUdevice is an int, and so is a CUresult, whose 0 is success; a CUdeviceptr is a number;
 * contexts and streams are pointers. */
struct cuda_library {
    int (*init)(unsigned flags);
    int (*device_get_count)(int *ret);
    int (*device_get)(int *ret, int index);
    int (*device_get_name)(char *ret, int size, int device);
    int (*device_get_attribute)(int *ret, int attribute, int device);
    int (*device_total_mem)(size_t *ret, int device);
    int (*get_error_string)(int error, const char **ret);

    /* Of cuda_library_open_memory. */
    int (*context_retain)(void **ret, int device);
    int (*context_release)(int device);
    int (*context_push)(void *context);
    int (*context_pop)(void **ret);
    int (*ipc_open)(unsigned long long *ret, struct cuda_ipc_handle handle, unsigned flags);
    int (*ipc_close)(unsigned long long address);
    int (*get_range)(unsigned long long *ret_base, size_t *ret_size, unsigned long long address);
    int (*stream_create)(void **ret, unsigned flags);
    int (*stream_destroy)(void *stream);
    int (*stream_synchronize)(void *stream);
    int (*copy_to_host)(void *to, unsigned long long from, size_t size, void *stream);
    int (*copy_to_device)(unsigned long long to, const void *from, size_t size, void *stream);
};

/* Opens the library at `path` and fills in the functions that ask for devices. UNAVAILABLE: there is none, or it lacks
 * one of them; the message tells which. */
struct status cuda_library_open(const char *path, struct cuda_library *ret) STATUS_MUST_CHECK;
/* The others, after cuda_library_open. */
struct status cuda_library_open_memory(const char *path, struct cuda_library *library) STATUS_MUST_CHECK;
/* Starts the driver, if that has not been done, and counts its devices: a driver that says that it has none has 0. */
struct status cuda_library_start(const struct cuda_library *library, int *ret_devices) STATUS_MUST_CHECK;
/* OK for 0; else UNAVAILABLE with the function, the number and the driver's words for it. */
struct status cuda_library_check(const struct cuda_library *library, const char *function, int error) STATUS_MUST_CHECK;

#endif
