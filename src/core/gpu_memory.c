#include "core/gpu_memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/worker_thread.h"

enum { DEVICES_MAX = 64 };

/* A device that has been used: its primary context, which a process has one of, and a stream of our own in it, so that
 * copies do not wait for whatever else the process computes there. */
struct gpu_context {
    int device; /* CUdevice */
    void *handle, *stream;
};

struct gpu_memory {
    const char *path;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* whatever is under the lock */
    pthread_t thread;
    struct gpu_task *first, **last;
    struct gpu_mapping *mappings;
    size_t closing; /* mappings that the thread is to close */
    bool busy;      /* somebody opens memory, or starts the driver: what follows is his */
    bool stopping, ended;

    struct cuda_library cuda;
    bool started;
    struct gpu_context contexts[DEVICES_MAX];
    atomic_int devices;
};

struct gpu_mapping {
    struct gpu_memory *memory;
    const struct gpu_context *context;
    struct cuda_ipc_handle handle;
    unsigned long long address;
    uint64_t bytes;           /* from the address to the end of the allocation */
    size_t uses;              /* under the lock */
    struct gpu_mapping *next; /* of the memory's; under the lock */
    struct gpu_task task;
};

/* ---- the thread ---- */

/* Under the lock. */
static void append(struct gpu_memory *memory, struct gpu_task *task) {
    task->next = NULL;
    *memory->last = task;
    memory->last = &task->next;
    pthread_cond_broadcast(&memory->changed);
}

void gpu_memory_post(struct gpu_memory *memory, struct gpu_task *task) {
    pthread_mutex_lock(&memory->lock);
    append(memory, task);
    pthread_mutex_unlock(&memory->lock);
}

/* NULL: there will be no more. */
static struct gpu_task *take(struct gpu_memory *memory) {
    pthread_mutex_lock(&memory->lock);
    while (!memory->first && !memory->stopping)
        pthread_cond_wait(&memory->changed, &memory->lock);
    struct gpu_task *task = memory->first;
    if (task)
        memory->first = task->next;
    if (!memory->first)
        memory->last = &memory->first;
    pthread_mutex_unlock(&memory->lock);
    return task;
}

static void end_busy(struct gpu_memory *memory) {
    pthread_mutex_lock(&memory->lock);
    memory->busy = false;
    pthread_cond_broadcast(&memory->changed);
    pthread_mutex_unlock(&memory->lock);
}

/* Under the lock. False: the time is over. */
static bool wait_while_closing(struct gpu_memory *memory, bool also_busy) {
    uint64_t until_ns = clock_monotonic_ns() + GPU_MEMORY_PATIENCE_NS;
    while (memory->closing > 0 || (also_busy && memory->busy)) {
        if (clock_monotonic_ns() >= until_ns)
            return false;
        monotonic_cond_wait(&memory->changed, &memory->lock, until_ns);
    }
    return true;
}

/* What has been closed is so before anything is opened: it may be the same. */
static struct status begin_busy(struct gpu_memory *memory) {
    pthread_mutex_lock(&memory->lock);
    bool begun = wait_while_closing(memory, true);
    memory->busy |= begun;
    pthread_mutex_unlock(&memory->lock);
    if (begun)
        return status_ok();
    return status_error(STATUS_UNAVAILABLE,
                        "the CUDA driver has been at work on other memory for %d seconds; try again later",
                        (int)GPU_MEMORY_PATIENCE_S);
}

/* While busy. A driver that could not be started is asked again by the next one. */
static struct status start(struct gpu_memory *memory) {
    int devices = 0;
    if (memory->started)
        return status_ok();
    struct status status = cuda_library_open(memory->path, &memory->cuda);
    if (status_is_ok(&status))
        status = cuda_library_open_memory(memory->path, &memory->cuda);
    if (status_is_ok(&status))
        status = cuda_library_start(&memory->cuda, &devices);
    if (status_is_ok(&status) && devices < 1)
        status = status_error(STATUS_UNAVAILABLE, "the CUDA driver has no device");
    if (!status_is_ok(&status))
        return status_error(STATUS_UNSUPPORTED, "no GPU can be used here (%s); use system shared memory",
                            status.message);
    memory->started = true;
    atomic_store(&memory->devices, devices < DEVICES_MAX ? devices : DEVICES_MAX);
    return status_ok();
}

static void *run(void *argument) {
    struct gpu_memory *memory = argument;
    struct gpu_task *task;
    struct status status = start(memory);
    (void)status; /* whoever needs it is told */
    end_busy(memory);
    while ((task = take(memory)) != NULL)
        task->run(task);
    pthread_mutex_lock(&memory->lock);
    memory->ended = true;
    pthread_cond_broadcast(&memory->changed);
    pthread_mutex_unlock(&memory->lock);
    return NULL;
}

static void free_memory(struct gpu_memory *memory) {
    pthread_cond_destroy(&memory->changed);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

struct status gpu_memory_create(const char *library, struct gpu_memory **ret) {
    struct gpu_memory *memory = calloc(1, sizeof *memory);
    if (!memory || monotonic_cond_init(&memory->changed) != 0) {
        free(memory);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for memory of GPUs");
    }
    pthread_mutex_init(&memory->lock, NULL);
    memory->path = library;
    memory->last = &memory->first;
    memory->busy = true; /* until the thread has started the driver */
    struct status status = worker_thread_start(&memory->thread, run, memory, "gpu-memory");
    if (status_is_ok(&status))
        *ret = memory;
    else
        free_memory(memory);
    return status;
}

int gpu_memory_devices(struct gpu_memory *memory) {
    return atomic_load(&memory->devices);
}

/* The thread is in the context until `leave`. */
static struct status enter(const struct gpu_memory *memory, const struct gpu_context *context) {
    return cuda_library_check(&memory->cuda, "cuCtxPushCurrent", memory->cuda.context_push(context->handle));
}

static void leave(const struct gpu_memory *memory) {
    void *popped;
    (void)memory->cuda.context_pop(&popped);
}

static void release_context(const struct gpu_memory *memory, struct gpu_context *context) {
    if (!context->handle)
        return;
    struct status status = context->stream ? enter(memory, context) : status_ok();
    if (context->stream && status_is_ok(&status)) {
        (void)memory->cuda.stream_destroy(context->stream);
        leave(memory);
    }
    (void)memory->cuda.context_release(context->device);
}

void gpu_memory_destroy(struct gpu_memory *memory) {
    if (!memory)
        return;
    uint64_t until_ns = clock_monotonic_ns() + GPU_MEMORY_PATIENCE_NS;
    pthread_mutex_lock(&memory->lock);
    memory->stopping = true;
    pthread_cond_broadcast(&memory->changed);
    while (!memory->ended && clock_monotonic_ns() < until_ns)
        monotonic_cond_wait(&memory->changed, &memory->lock, until_ns);
    bool ended = memory->ended;
    pthread_mutex_unlock(&memory->lock);
    if (!ended) {
        pthread_detach(memory->thread);
        return;
    }
    pthread_join(memory->thread, NULL);
    for (int i = 0; i < DEVICES_MAX; i++)
        release_context(memory, &memory->contexts[i]);
    free_memory(memory);
}

/* ---- opening and closing ---- */

static struct status create_stream(const struct gpu_memory *memory, struct gpu_context *context) {
    STATUS_TRY(enter(memory, context));
    int error = memory->cuda.stream_create(&context->stream, CUDA_STREAM_NON_BLOCKING);
    leave(memory);
    return cuda_library_check(&memory->cuda, "cuStreamCreate", error);
}

/* While busy. */
static struct status make_context(struct gpu_memory *memory, int64_t index, const struct gpu_context **ret) {
    const struct cuda_library *cuda = &memory->cuda;
    int devices = atomic_load(&memory->devices);
    if (index < 0 || index >= devices)
        return status_error(STATUS_INVALID_ARGUMENT, "device_id: expected 0 to %d, got %" PRId64, devices - 1, index);
    struct gpu_context *context = &memory->contexts[index];
    *ret = context;
    if (!context->handle) {
        STATUS_TRY(cuda_library_check(cuda, "cuDeviceGet", cuda->device_get(&context->device, (int)index)));
        STATUS_TRY(cuda_library_check(cuda, "cuDevicePrimaryCtxRetain",
                                      cuda->context_retain(&context->handle, context->device)));
    }
    return context->stream ? status_ok() : create_stream(memory, context);
}

static struct status check_size(uint64_t byte_size, uint64_t bytes) {
    if (byte_size >= 1 && byte_size <= bytes)
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT,
                        "invalid args: expected a byte_size of 1 to the %" PRIu64 " bytes of the allocation, got "
                        "%" PRIu64,
                        bytes, byte_size);
}

/* In the mapping's context. */
static struct status open_handle(struct gpu_mapping *mapping, uint64_t byte_size) {
    const struct cuda_library *cuda = &mapping->memory->cuda;
    unsigned long long base;
    size_t size;
    int error = cuda->ipc_open(&mapping->address, mapping->handle, CUDA_IPC_LAZY_PEER_ACCESS);
    struct status status = cuda_library_check(cuda, "cuIpcOpenMemHandle", error);
    if (error)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "raw_handle stands for no memory that a process of this machine lends: %s", status.message);
    error = cuda->get_range(&base, &size, mapping->address);
    status = cuda_library_check(cuda, "cuMemGetAddressRange", error);
    if (status_is_ok(&status)) {
        mapping->bytes = size - (mapping->address - base);
        status = check_size(byte_size, mapping->bytes);
    }
    if (!status_is_ok(&status))
        (void)cuda->ipc_close(mapping->address);
    return status;
}

static void run_close(struct gpu_task *task) {
    struct gpu_mapping *mapping = (void *)((char *)task - offsetof(struct gpu_mapping, task));
    struct gpu_memory *memory = mapping->memory;
    struct status status = enter(memory, mapping->context);
    if (status_is_ok(&status)) {
        (void)memory->cuda.ipc_close(mapping->address); /* nobody is left to hear of an error */
        leave(memory);
    }
    free(mapping);
    pthread_mutex_lock(&memory->lock);
    memory->closing--;
    pthread_cond_broadcast(&memory->changed);
    pthread_mutex_unlock(&memory->lock);
}

static struct status open_new(struct gpu_memory *memory, const struct cuda_ipc_handle *handle,
                              const struct gpu_context *context, uint64_t byte_size, struct gpu_mapping **ret) {
    struct gpu_mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a CUDA shared memory region");
    *mapping = (struct gpu_mapping){
        .memory = memory, .context = context, .handle = *handle, .uses = 1, .task = {.run = run_close}};
    struct status status = enter(memory, context);
    if (status_is_ok(&status)) {
        status = open_handle(mapping, byte_size);
        leave(memory);
    }
    if (!status_is_ok(&status)) {
        free(mapping);
        return status;
    }
    pthread_mutex_lock(&memory->lock);
    mapping->next = memory->mappings;
    memory->mappings = mapping;
    pthread_mutex_unlock(&memory->lock);
    *ret = mapping;
    return status;
}

/* One that is open already, kept once more; NULL: there is none. */
static struct gpu_mapping *find_open(struct gpu_memory *memory, const struct cuda_ipc_handle *handle,
                                     const struct gpu_context *context) {
    pthread_mutex_lock(&memory->lock);
    struct gpu_mapping *mapping = memory->mappings;
    while (mapping && (mapping->context != context || memcmp(&mapping->handle, handle, sizeof *handle) != 0))
        mapping = mapping->next;
    if (mapping)
        mapping->uses++;
    pthread_mutex_unlock(&memory->lock);
    return mapping;
}

static struct status open_busy(struct gpu_memory *memory, const struct cuda_ipc_handle *handle, int64_t device,
                               uint64_t byte_size, struct gpu_mapping **ret) {
    const struct gpu_context *context;
    STATUS_TRY(start(memory));
    STATUS_TRY(make_context(memory, device, &context));
    struct gpu_mapping *open = find_open(memory, handle, context);
    if (!open)
        return open_new(memory, handle, context, byte_size, ret);
    struct status status = check_size(byte_size, open->bytes);
    if (status_is_ok(&status))
        *ret = open;
    else
        gpu_memory_close(open);
    return status;
}

struct status gpu_memory_open(struct gpu_memory *memory, struct slice handle, int64_t device, uint64_t byte_size,
                              struct gpu_mapping **ret) {
    struct cuda_ipc_handle copy;
    if (handle.size != sizeof copy)
        return status_error(STATUS_INVALID_ARGUMENT, "raw_handle: expected %zu bytes, got %zu", sizeof copy,
                            handle.size);
    memcpy(&copy, handle.data, sizeof copy);
    STATUS_TRY(begin_busy(memory));
    struct status status = open_busy(memory, &copy, device, byte_size, ret);
    end_busy(memory);
    return status;
}

void gpu_memory_close(struct gpu_mapping *mapping) {
    if (!mapping)
        return;
    struct gpu_memory *memory = mapping->memory;
    pthread_mutex_lock(&memory->lock);
    if (--mapping->uses == 0) {
        struct gpu_mapping **link = &memory->mappings;
        while (*link != mapping)
            link = &(*link)->next;
        *link = mapping->next;
        memory->closing++;
        append(memory, &mapping->task);
    }
    pthread_mutex_unlock(&memory->lock);
}

void gpu_memory_flush(struct gpu_memory *memory) {
    pthread_mutex_lock(&memory->lock);
    (void)wait_while_closing(memory, false);
    pthread_mutex_unlock(&memory->lock);
}

/* ---- copies ---- */

/* A copy from pageable memory may return before the device has the bytes: both wait for the stream. */
static struct status end_copy(struct gpu_mapping *mapping, const char *function, int error) {
    const struct cuda_library *cuda = &mapping->memory->cuda;
    int waited = cuda->stream_synchronize(mapping->context->stream);
    leave(mapping->memory);
    struct status status = cuda_library_check(cuda, function, error);
    if (status_is_ok(&status))
        status = cuda_library_check(cuda, "cuStreamSynchronize", waited);
    return status_is_ok(&status) ? status : status_error(STATUS_INTERNAL, "%s", status.message);
}

struct status gpu_memory_read(struct gpu_mapping *mapping, uint64_t offset, size_t size, char *to) {
    const struct gpu_memory *memory = mapping->memory;
    if (size == 0)
        return status_ok();
    STATUS_TRY(enter(memory, mapping->context));
    return end_copy(mapping, "cuMemcpyDtoHAsync",
                    memory->cuda.copy_to_host(to, mapping->address + offset, size, mapping->context->stream));
}

struct status gpu_memory_write(struct gpu_mapping *mapping, uint64_t offset, struct slice bytes) {
    const struct gpu_memory *memory = mapping->memory;
    if (bytes.size == 0)
        return status_ok();
    STATUS_TRY(enter(memory, mapping->context));
    return end_copy(
        mapping, "cuMemcpyHtoDAsync",
        memory->cuda.copy_to_device(mapping->address + offset, bytes.data, bytes.size, mapping->context->stream));
}
