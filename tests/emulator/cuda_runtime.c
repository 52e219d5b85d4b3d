/* The runtime's memory, copies, devices and errors (cuda_emulator.h). */
#include "cuda_runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    char *memory;
    size_t size;
    bool is_on_device;
};

static pthread_mutex_t lock; /* recursive: whatever is below */
static struct block *blocks;
static int live, calls_to_fail, capability = 90;
static bool has_failed, is_broken;
static float now;
static _Thread_local cudaError_t last_error;

static void __attribute__((constructor)) make_lock(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void *runtime_must(void *memory) {
    if (memory)
        return memory;
    fprintf(stderr, "emulator: no memory\n");
    abort();
}

cudaError_t runtime_result(cudaError_t error) {
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

void runtime_lock(void) {
    pthread_mutex_lock(&lock);
}

cudaError_t runtime_unlock(cudaError_t error) {
    pthread_mutex_unlock(&lock);
    return runtime_result(error);
}

/* ---- for tests ---- */

int emulator_live(void) {
    return live;
}

void emulator_fail_call(int n) {
    calls_to_fail = n;
    has_failed = false;
}

void emulator_break(bool to) {
    is_broken = to;
}

bool emulator_has_failed(void) {
    return has_failed;
}

void emulator_set_capability(int to) {
    capability = to;
}

float emulator_time(void) {
    return now;
}

bool emulator_fails(void) {
    runtime_lock();
    const bool fails = is_broken || (calls_to_fail > 0 && --calls_to_fail == 0);
    has_failed = has_failed || fails;
    runtime_unlock(cudaSuccess);
    return fails;
}

void emulator_count_live(int change) {
    runtime_lock();
    live += change;
    runtime_unlock(cudaSuccess);
}

void emulator_spend(float milliseconds) {
    now += milliseconds;
}

/* ---- memory ---- */

static struct block *block_of(const void *memory, size_t size) {
    for (struct block *block = blocks; block; block = block->next)
        if ((const char *)memory >= block->memory && (const char *)memory + size <= block->memory + block->size)
            return block;
    return NULL;
}

bool emulator_is_on_device(const void *memory, size_t size) {
    runtime_lock();
    const struct block *block = block_of(memory, size);
    const bool is = block && block->is_on_device;
    runtime_unlock(cudaSuccess);
    return is;
}

static cudaError_t allocate(void **ret, size_t size, bool is_on_device) {
    runtime_lock();
    if (runtime_spoils_recording())
        return runtime_unlock(cudaErrorStreamCaptureUnsupported);
    struct block *block = runtime_must(calloc(1, sizeof *block));
    *block = (struct block){blocks, runtime_must(aligned_alloc(256, (size + 255) / 256 * 256)), size, is_on_device};
    memset(block->memory, 0xff, size);
    blocks = block;
    live++;
    *ret = block->memory;
    return runtime_unlock(cudaSuccess);
}

cudaError_t cudaMalloc(void **ret, size_t size) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    return allocate(ret, size, true);
}

cudaError_t cudaMallocHost(void **ret, size_t size) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    return allocate(ret, size, false);
}

static cudaError_t release(void *memory, bool is_on_device) {
    if (!memory)
        return cudaSuccess;
    runtime_lock();
    runtime_drain_all();
    for (struct block **at = &blocks; *at; at = &(*at)->next) {
        struct block *block = *at;
        if (block->memory != memory || block->is_on_device != is_on_device)
            continue;
        *at = block->next;
        free(block->memory);
        free(block);
        live--;
        return runtime_unlock(cudaSuccess);
    }
    return runtime_unlock(cudaErrorInvalidValue);
}

cudaError_t cudaFree(void *memory) {
    return release(memory, true);
}

cudaError_t cudaFreeHost(void *memory) {
    return release(memory, false);
}

/* ---- copies ---- */

struct copy {
    void *to;
    const void *from;
    size_t size;
    int byte; /* from NULL: what is written */
};

static void run_copy(const void *arguments) {
    const struct copy *copy = arguments;
    if (copy->from)
        memcpy(copy->to, copy->from, copy->size);
    else
        memset(copy->to, copy->byte, copy->size);
}

static cudaError_t check_copy(const struct copy *copy, enum cudaMemcpyKind kind) {
    const bool to_device = emulator_is_on_device(copy->to, copy->size);
    const bool from_device = emulator_is_on_device(copy->from, copy->size);
    if (kind == cudaMemcpyHostToDevice)
        return to_device && !from_device ? cudaSuccess : cudaErrorInvalidValue;
    if (kind == cudaMemcpyDeviceToHost)
        return !to_device && from_device ? cudaSuccess : cudaErrorInvalidValue;
    return kind == cudaMemcpyDeviceToDevice && to_device && from_device ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    const struct copy copy = {to, from, size, 0};
    MAY_FAIL(cudaErrorLaunchFailure);
    runtime_lock();
    cudaError_t error = check_copy(&copy, kind);
    if (error)
        return runtime_unlock(error);
    if (runtime_spoils_recording())
        return runtime_unlock(cudaErrorStreamCaptureImplicit);
    runtime_drain(NULL);
    run_copy(&copy);
    return runtime_unlock(cudaSuccess);
}

/* Of memory that is not pinned: what is read has been read when the call returns, and what is written has been
 * written. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind, cudaStream_t stream) {
    const struct copy copy = {to, from, size, 0};
    MAY_FAIL(cudaErrorLaunchFailure);
    runtime_lock();
    cudaError_t error = check_copy(&copy, kind);
    const bool is_pinned = block_of(to, size) && block_of(from, size);
    if (!error && !is_pinned && stream && stream->recording)
        error = cudaErrorStreamCaptureUnsupported;
    if (!error)
        error = emulator_enqueue(stream, run_copy, &copy, sizeof copy);
    if (!error && !is_pinned)
        runtime_drain(stream);
    return runtime_unlock(error);
}

static cudaError_t fill(void *memory, int byte, size_t size, cudaStream_t stream) {
    const struct copy copy = {memory, NULL, size, byte};
    if (!emulator_is_on_device(memory, size))
        return runtime_result(cudaErrorInvalidValue);
    return emulator_enqueue(stream, run_copy, &copy, sizeof copy);
}

cudaError_t cudaMemset(void *memory, int byte, size_t size) {
    MAY_FAIL(cudaErrorLaunchFailure);
    return fill(memory, byte, size, NULL);
}

cudaError_t cudaMemsetAsync(void *memory, int byte, size_t size, cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchFailure);
    return fill(memory, byte, size, stream);
}

/* ---- devices and errors ---- */

enum { DEVICES = 2 };

cudaError_t cudaGetDeviceCount(int *ret) {
    MAY_FAIL(cudaErrorInitializationError);
    *ret = DEVICES;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    MAY_FAIL(cudaErrorInitializationError);
    return runtime_result(device >= 0 && device < DEVICES ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceGetAttribute(int *ret, enum cudaDeviceAttr attribute, int device) {
    if (device < 0 || device >= DEVICES)
        return runtime_result(cudaErrorInvalidDevice);
    if (attribute != cudaDevAttrComputeCapabilityMajor && attribute != cudaDevAttrComputeCapabilityMinor)
        return runtime_result(cudaErrorInvalidValue);
    *ret = attribute == cudaDevAttrComputeCapabilityMajor ? capability / 10 : capability % 10;
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

const char *cudaGetErrorName(cudaError_t error) {
    return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaErrorOfTheEmulator";
}

const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaErrorMemoryAllocation ? "out of memory" : "an error of the emulated device";
}
