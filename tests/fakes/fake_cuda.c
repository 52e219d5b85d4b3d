/* fake_cuda.c: a CUDA driver library for tests, as libcuda.so.1. The file that the environment variable FAKE_CUDA names
 * says what it answers with: "<error of cuInit> <devices> [<function> <error>]...": those functions fail, or, with the
 * error -1, do not come back until the file says something else. Without it: no error, two devices.
 *
 * Memory of a GPU is a file: the handle of an allocation is its path, with NULs behind it, and its address that of the
 * file's map. As with the real driver, a handle may be open once, and all that touches memory needs a context. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    INVALID_VALUE = 1,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    ALREADY_MAPPED = 208,
    HANGS = -1,
    DEVICES = 8,
    ALLOCATIONS = 64
};

struct handle {
    char path[64];
};

struct answers {
    int init, devices;
};

static struct allocation {
    char *bytes;
    size_t size;
    struct handle handle;
} allocations[ALLOCATIONS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int contexts[DEVICES], streams[DEVICES]; /* their addresses stand for them */
static _Thread_local void *current;

/* The error that the file wants of `function`, too. */
static struct answers read_answers(const char *function, int *ret_error) {
    struct answers answers = {0, 2};
    const char *path = getenv("FAKE_CUDA");
    FILE *file = path ? fopen(path, "re") : NULL;
    *ret_error = 0;
    if (!file)
        return answers;
    if (fscanf(file, "%d %d", &answers.init, &answers.devices) != 2)
        answers.init = 999;
    char name[64];
    int error;
    while (fscanf(file, "%63s %d", name, &error) == 2)
        if (strcmp(name, function) == 0)
            *ret_error = error;
    fclose(file);
    return answers;
}

static int fault_of(const char *function) {
    int error;
    (void)read_answers(function, &error);
    while (error == HANGS) {
        usleep(10000);
        (void)read_answers(function, &error);
    }
    return error;
}

/* ---- devices ---- */

static struct answers answers_of_driver(void) {
    int error;
    return read_answers("", &error);
}

int cuInit(unsigned flags) {
    int error = fault_of("cuInit");
    return error ? error : flags == 0 ? answers_of_driver().init : INVALID_VALUE;
}

int cuDeviceGetCount(int *ret) {
    *ret = answers_of_driver().devices;
    return 0;
}

int cuDeviceGet(int *ret, int index) {
    if (index < 0 || index >= answers_of_driver().devices)
        return INVALID_DEVICE;
    *ret = 40 + index; /* a handle is not an index */
    return 0;
}

int cuDeviceGetName(char *ret, int size, int device) {
    snprintf(ret, (size_t)size, "NVIDIA Fake %d", device - 40);
    return 0;
}

int cuDeviceGetAttribute(int *ret, int attribute, int device) {
    if (device < 40 || (attribute != 75 && attribute != 76))
        return INVALID_VALUE;
    *ret = attribute == 75 ? 9 : device - 40;
    return 0;
}

int cuDeviceTotalMem_v2(size_t *ret, int device) {
    *ret = ((size_t)(device - 39) << 30) * 20;
    return 0;
}

int cuGetErrorString(int error, const char **ret) {
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        {INVALID_VALUE, "invalid argument"},
        {INVALID_CONTEXT, "invalid device context"},
        {ALREADY_MAPPED, "resource already mapped"},
        {700, "an illegal memory access was encountered"},
        {803, "system has unsupported display driver / cuda driver combination"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].error == error) {
            *ret = rows[i].text;
            return 0;
        }
    }
    return INVALID_VALUE;
}

/* ---- contexts and streams ---- */

int cuDevicePrimaryCtxRetain(void **ret, int device) {
    int error = fault_of("cuDevicePrimaryCtxRetain");
    if (device < 40 || device >= 40 + DEVICES)
        return INVALID_DEVICE;
    *ret = &contexts[device - 40];
    return error;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    return device < 40 || device >= 40 + DEVICES ? INVALID_DEVICE : 0;
}

int cuCtxPushCurrent_v2(void *context) {
    if (current)
        return INVALID_CONTEXT; /* whoever came before has not left */
    current = context;
    return 0;
}

int cuCtxPopCurrent_v2(void **ret) {
    *ret = current;
    current = NULL;
    return *ret ? 0 : INVALID_CONTEXT;
}

int cuStreamCreate(void **ret, unsigned flags) {
    if (!current || flags != 1)
        return INVALID_CONTEXT;
    *ret = &streams[(int *)current - contexts];
    return fault_of("cuStreamCreate");
}

static bool is_own(const void *stream) {
    return current && stream == &streams[(int *)current - contexts];
}

int cuStreamDestroy_v2(void *stream) {
    return is_own(stream) ? 0 : INVALID_CONTEXT;
}

int cuStreamSynchronize(void *stream) {
    return is_own(stream) ? fault_of("cuStreamSynchronize") : INVALID_CONTEXT;
}

/* ---- memory ---- */

static unsigned long long address_of(const char *bytes) {
    return (unsigned long long)(size_t)bytes;
}

/* Under the lock. The allocation that has these bytes, or NULL. */
static struct allocation *find(unsigned long long address, size_t size) {
    for (int i = 0; i < ALLOCATIONS; i++) {
        unsigned long long base = address_of(allocations[i].bytes);
        if (base && address >= base && address + size <= base + allocations[i].size)
            return &allocations[i];
    }
    return NULL;
}

static int map(struct allocation *allocation, const struct handle *handle) {
    struct stat info;
    int fd = handle->path[63] == '\0' ? open(handle->path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return INVALID_VALUE;
    char *bytes = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0
                      ? mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                      : MAP_FAILED;
    close(fd);
    if (bytes == MAP_FAILED)
        return INVALID_VALUE;
    *allocation = (struct allocation){bytes, (size_t)info.st_size, *handle};
    return 0;
}

static int open_handle(unsigned long long *ret, const struct handle *handle) {
    struct allocation *unused = NULL;
    for (int i = 0; i < ALLOCATIONS; i++) {
        if (!allocations[i].bytes)
            unused = &allocations[i];
        else if (memcmp(&allocations[i].handle, handle, sizeof *handle) == 0)
            return ALREADY_MAPPED;
    }
    int error = unused ? map(unused, handle) : INVALID_VALUE;
    if (!error)
        *ret = address_of(unused->bytes);
    return error;
}

int cuIpcOpenMemHandle_v2(unsigned long long *ret, struct handle handle, unsigned flags) {
    int error = fault_of("cuIpcOpenMemHandle_v2");
    if (error || !current || flags != 1)
        return error ? error : INVALID_CONTEXT;
    pthread_mutex_lock(&lock);
    error = open_handle(ret, &handle);
    pthread_mutex_unlock(&lock);
    return error;
}

int cuIpcCloseMemHandle(unsigned long long address) {
    int error = fault_of("cuIpcCloseMemHandle");
    if (error || !current)
        return error ? error : INVALID_CONTEXT;
    pthread_mutex_lock(&lock);
    struct allocation *allocation = find(address, 1);
    if (allocation) {
        munmap(allocation->bytes, allocation->size);
        allocation->bytes = NULL;
    }
    pthread_mutex_unlock(&lock);
    return allocation ? 0 : INVALID_VALUE;
}

int cuMemGetAddressRange_v2(unsigned long long *ret_base, size_t *ret_size, unsigned long long address) {
    pthread_mutex_lock(&lock);
    const struct allocation *allocation = find(address, 1);
    if (allocation) {
        *ret_base = address_of(allocation->bytes);
        *ret_size = allocation->size;
    }
    pthread_mutex_unlock(&lock);
    return allocation ? fault_of("cuMemGetAddressRange_v2") : INVALID_VALUE;
}

/* The bytes on the "device", when they are there and the stream is of the context. */
static int find_bytes(const char *function, unsigned long long address, size_t size, const void *stream, char **ret) {
    int error = fault_of(function);
    if (error || !is_own(stream))
        return error ? error : INVALID_CONTEXT;
    pthread_mutex_lock(&lock);
    const struct allocation *allocation = find(address, size);
    if (allocation)
        *ret = allocation->bytes + (address - address_of(allocation->bytes));
    pthread_mutex_unlock(&lock);
    return allocation ? 0 : INVALID_VALUE;
}

int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t size, void *stream) {
    char *bytes;
    int error = find_bytes("cuMemcpyDtoHAsync_v2", from, size, stream, &bytes);
    if (!error)
        memcpy(to, bytes, size);
    return error;
}

int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t size, void *stream) {
    char *bytes;
    int error = find_bytes("cuMemcpyHtoDAsync_v2", to, size, stream, &bytes);
    if (!error)
        memcpy(bytes, from, size);
    return error;
}
