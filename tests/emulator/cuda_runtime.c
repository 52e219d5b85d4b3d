/* The runtime's functions: memory, streams, events and graphs (cuda_emulator.h). */
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_emulator.h"

struct operation {
    struct operation *next;
    void (*run)(const void *arguments);
    size_t size;
    alignas(16) char arguments[];
};

struct queue {
    struct operation *first, **end;
};

struct CUstream_st {
    struct queue queue;
    struct CUgraph_st *recording; /* or NULL */
    bool is_broken;               /* what is recorded has been refused something */
    bool is_of_all_threads;       /* so that any of them may break it */
    pthread_t thread;             /* that records */
};

struct CUevent_st {
    struct CUstream_st *stream; /* NULL: never recorded */
    unsigned recorded, passed;  /* how often */
    float time;                 /* milliseconds */
    bool has_time;
};

struct CUgraph_st {
    struct queue queue;
};

struct CUgraphExec_st {
    struct queue queue;
};

struct block {
    struct block *next;
    char *memory;
    size_t size;
    bool is_on_device;
};

static pthread_mutex_t lock; /* recursive: whatever is below */
static struct CUstream_st default_stream = {.queue = {NULL, &default_stream.queue.first}};
static struct CUstream_st *streams[64];
static struct block *blocks;
static int live, calls_to_fail, capability = 90, graph_launches;
static bool has_failed;
static float now;
static _Thread_local cudaError_t last_error;

static void __attribute__((constructor)) make_lock(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static void *must(void *memory) {
    if (memory)
        return memory;
    fprintf(stderr, "emulator: no memory\n");
    abort();
}

static cudaError_t result(cudaError_t error) {
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

static cudaError_t unlock(cudaError_t error) {
    pthread_mutex_unlock(&lock);
    return result(error);
}

/* ---- for tests ---- */

int emulator_live(void) {
    return live;
}

void emulator_fail_call(int n) {
    calls_to_fail = n;
    has_failed = false;
}

bool emulator_has_failed(void) {
    return has_failed;
}

void emulator_set_capability(int to) {
    capability = to;
}

int emulator_graph_launches(void) {
    return graph_launches;
}

float emulator_time(void) {
    return now;
}

bool emulator_fails(const char *function) {
    (void)function;
    pthread_mutex_lock(&lock);
    const bool fails = calls_to_fail > 0 && --calls_to_fail == 0;
    has_failed = has_failed || fails;
    pthread_mutex_unlock(&lock);
    return fails;
}

void emulator_count_live(int change) {
    pthread_mutex_lock(&lock);
    live += change;
    pthread_mutex_unlock(&lock);
}

void emulator_spend(float milliseconds) {
    now += milliseconds;
}

/* Leaves the function with the error that a test has asked for. */
#define MAY_FAIL(error)                                                                                                \
    do {                                                                                                               \
        if (emulator_fails(__func__))                                                                                  \
            return result(error);                                                                                      \
    } while (0)

/* ---- memory ---- */

static struct block *block_of(const void *memory, size_t size) {
    for (struct block *block = blocks; block; block = block->next)
        if ((const char *)memory >= block->memory && (const char *)memory + size <= block->memory + block->size)
            return block;
    return NULL;
}

bool emulator_is_on_device(const void *memory, size_t size) {
    pthread_mutex_lock(&lock);
    const struct block *block = block_of(memory, size);
    const bool is = block && block->is_on_device;
    pthread_mutex_unlock(&lock);
    return is;
}

/* What must not be called while a stream records, and spoils the record. */
static bool spoils_recording(void) {
    bool is = false;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct CUstream_st *stream = streams[i];
        if (!stream || !stream->recording ||
            (!stream->is_of_all_threads && !pthread_equal(stream->thread, pthread_self())))
            continue;
        stream->is_broken = is = true;
    }
    return is;
}

static cudaError_t allocate(void **ret, size_t size, bool is_on_device) {
    pthread_mutex_lock(&lock);
    if (spoils_recording())
        return unlock(cudaErrorStreamCaptureUnsupported);
    struct block *block = must(calloc(1, sizeof *block));
    *block = (struct block){blocks, must(aligned_alloc(256, (size + 255) / 256 * 256)), size, is_on_device};
    memset(block->memory, 0xff, size);
    blocks = block;
    live++;
    *ret = block->memory;
    return unlock(cudaSuccess);
}

cudaError_t cudaMalloc(void **ret, size_t size) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    return allocate(ret, size, true);
}

cudaError_t cudaMallocHost(void **ret, size_t size) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    return allocate(ret, size, false);
}

static void drain(struct CUstream_st *stream);

static void drain_all(void) {
    drain(&default_stream);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (streams[i])
            drain(streams[i]);
}

static cudaError_t release(void *memory, bool is_on_device) {
    if (!memory)
        return cudaSuccess;
    pthread_mutex_lock(&lock);
    drain_all();
    for (struct block **at = &blocks; *at; at = &(*at)->next) {
        struct block *block = *at;
        if (block->memory != memory || block->is_on_device != is_on_device)
            continue;
        *at = block->next;
        free(block->memory);
        free(block);
        live--;
        return unlock(cudaSuccess);
    }
    return unlock(cudaErrorInvalidValue);
}

cudaError_t cudaFree(void *memory) {
    return release(memory, true);
}

cudaError_t cudaFreeHost(void *memory) {
    return release(memory, false);
}

/* ---- streams ---- */

static struct operation *make_operation(void (*run)(const void *arguments), const void *arguments, size_t size) {
    struct operation *operation = must(calloc(1, sizeof *operation + size));
    operation->run = run;
    operation->size = size;
    memcpy(operation->arguments, arguments, size);
    return operation;
}

static void append(struct queue *queue, struct operation *operation) {
    *queue->end = operation;
    queue->end = &operation->next;
}

static void clear(struct queue *queue) {
    while (queue->first) {
        struct operation *operation = queue->first;
        queue->first = operation->next;
        free(operation);
    }
    queue->end = &queue->first;
}

static void copy_queue(const struct queue *from, struct queue *to) {
    for (const struct operation *operation = from->first; operation; operation = operation->next)
        append(to, make_operation(operation->run, operation->arguments, operation->size));
}

static void run_first(struct CUstream_st *stream) {
    struct operation *operation = stream->queue.first;
    stream->queue.first = operation->next;
    if (!operation->next)
        stream->queue.end = &stream->queue.first;
    operation->run(operation->arguments);
    free(operation);
}

static void drain(struct CUstream_st *stream) {
    while (stream->queue.first)
        run_first(stream);
}

cudaError_t emulator_enqueue(cudaStream_t stream, void (*run)(const void *arguments), const void *arguments,
                             size_t size) {
    pthread_mutex_lock(&lock);
    if (!stream && spoils_recording())
        return unlock(cudaErrorStreamCaptureImplicit);
    stream = stream ? stream : &default_stream;
    append(stream->recording ? &stream->recording->queue : &stream->queue, make_operation(run, arguments, size));
    return unlock(cudaSuccess);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *ret, unsigned flags) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    if (flags != cudaStreamNonBlocking)
        return result(cudaErrorInvalidValue); /* the other kind waits for the default stream: not emulated */
    pthread_mutex_lock(&lock);
    size_t place = 0;
    while (place < sizeof streams / sizeof streams[0] && streams[place])
        place++;
    if (place == sizeof streams / sizeof streams[0])
        return unlock(cudaErrorMemoryAllocation);
    struct CUstream_st *stream = must(calloc(1, sizeof *stream));
    stream->queue.end = &stream->queue.first;
    streams[place] = stream;
    live++;
    *ret = stream;
    return unlock(cudaSuccess);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        if (streams[i] != stream)
            continue;
        drain(stream);
        free(stream);
        streams[i] = NULL;
        live--;
        return unlock(cudaSuccess);
    }
    return unlock(cudaErrorInvalidResourceHandle);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchFailure);
    pthread_mutex_lock(&lock);
    if (spoils_recording())
        return unlock(cudaErrorStreamCaptureUnsupported);
    drain(stream ? stream : &default_stream);
    return unlock(cudaSuccess);
}

cudaError_t cudaDeviceSynchronize(void) {
    MAY_FAIL(cudaErrorLaunchFailure);
    pthread_mutex_lock(&lock);
    if (spoils_recording())
        return unlock(cudaErrorStreamCaptureUnsupported);
    drain_all();
    return unlock(cudaSuccess);
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
    pthread_mutex_lock(&lock);
    cudaError_t error = check_copy(&copy, kind);
    if (error)
        return unlock(error);
    if (spoils_recording())
        return unlock(cudaErrorStreamCaptureImplicit);
    drain(&default_stream);
    run_copy(&copy);
    return unlock(cudaSuccess);
}

/* Of memory that is not pinned: what is read has been read when the call returns, and what is written has been
 * written. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind, cudaStream_t stream) {
    const struct copy copy = {to, from, size, 0};
    MAY_FAIL(cudaErrorLaunchFailure);
    pthread_mutex_lock(&lock);
    cudaError_t error = check_copy(&copy, kind);
    const bool is_pinned = block_of(to, size) && block_of(from, size);
    if (!error && !is_pinned && stream && stream->recording)
        error = cudaErrorStreamCaptureUnsupported;
    if (!error)
        error = emulator_enqueue(stream, run_copy, &copy, sizeof copy);
    if (!error && !is_pinned)
        drain(stream ? stream : &default_stream);
    return unlock(error);
}

static cudaError_t fill(void *memory, int byte, size_t size, cudaStream_t stream) {
    const struct copy copy = {memory, NULL, size, byte};
    if (!emulator_is_on_device(memory, size))
        return result(cudaErrorInvalidValue);
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

/* ---- kernels ---- */

struct launch {
    struct emulated_kernel kernel;
    alignas(16) char arguments[];
};

static void run_launch(const void *arguments) {
    const struct launch *launch = arguments;
    emulator_spend(0.01f);
    block_run_kernel(&launch->kernel, launch->arguments);
}

cudaError_t emulator_launch(const struct emulated_kernel *kernel, const void *arguments, size_t size,
                            cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchOutOfResources);
    const unsigned *grid = kernel->grid;
    if (!grid[0] || !grid[1] || !grid[2] || grid[0] > 0x7fffffff || grid[1] > 65535 || grid[2] > 65535 ||
        !kernel->threads || kernel->threads > 1024 || size > 4096)
        return result(cudaErrorInvalidConfiguration);
    struct launch *launch = must(calloc(1, sizeof *launch + size));
    launch->kernel = *kernel;
    memcpy(launch->arguments, arguments, size);
    cudaError_t error = emulator_enqueue(stream, run_launch, launch, sizeof *launch + size);
    free(launch);
    return error;
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *ret, unsigned flags) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    *ret = must(calloc(1, sizeof **ret));
    (*ret)->has_time = !(flags & cudaEventDisableTiming);
    emulator_count_live(1);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *ret) {
    return cudaEventCreateWithFlags(ret, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    pthread_mutex_lock(&lock);
    if (event->stream)
        drain(event->stream);
    free(event);
    live--;
    return unlock(cudaSuccess);
}

static void pass_event(const void *arguments) {
    struct CUevent_st *event = *(struct CUevent_st *const *)arguments;
    event->passed++;
    event->time = now;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchFailure);
    pthread_mutex_lock(&lock);
    if (stream && stream->recording)
        return unlock(cudaErrorStreamCaptureUnsupported); /* would become a node: not emulated */
    event->stream = stream ? stream : &default_stream;
    event->recorded++;
    return unlock(emulator_enqueue(stream, pass_event, &event, sizeof event));
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    MAY_FAIL(cudaErrorLaunchFailure);
    pthread_mutex_lock(&lock);
    if (spoils_recording())
        return unlock(cudaErrorStreamCaptureUnsupported);
    while (event->passed < event->recorded)
        run_first(event->stream);
    return unlock(cudaSuccess);
}

cudaError_t cudaEventElapsedTime(float *ret, cudaEvent_t begin, cudaEvent_t end) {
    MAY_FAIL(cudaErrorLaunchFailure);
    if (!begin->has_time || !end->has_time || !begin->recorded || !end->recorded)
        return result(cudaErrorInvalidResourceHandle);
    if (begin->passed < begin->recorded || end->passed < end->recorded)
        return result(cudaErrorNotReady);
    *ret = end->time - begin->time;
    return cudaSuccess;
}

/* ---- graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    if (mode != cudaStreamCaptureModeThreadLocal && mode != cudaStreamCaptureModeGlobal)
        return result(cudaErrorInvalidValue); /* the relaxed mode is not emulated */
    if (!stream || stream->recording)
        return result(stream ? cudaErrorIllegalState : cudaErrorStreamCaptureUnsupported);
    struct CUgraph_st *graph = must(calloc(1, sizeof *graph));
    graph->queue.end = &graph->queue.first;
    pthread_mutex_lock(&lock);
    stream->recording = graph;
    stream->is_broken = false;
    stream->is_of_all_threads = mode == cudaStreamCaptureModeGlobal;
    stream->thread = pthread_self();
    live++;
    return unlock(cudaSuccess);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *ret) {
    pthread_mutex_lock(&lock);
    struct CUgraph_st *graph = stream->recording;
    *ret = NULL;
    if (!graph)
        return unlock(cudaErrorIllegalState);
    stream->recording = NULL;
    if (stream->is_broken || emulator_fails(__func__)) {
        cudaGraphDestroy(graph);
        return unlock(cudaErrorStreamCaptureInvalidated);
    }
    *ret = graph;
    return unlock(cudaSuccess);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    clear(&graph->queue);
    free(graph);
    emulator_count_live(-1);
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *ret, cudaGraph_t graph, unsigned long long flags) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    if (flags != 0)
        return result(cudaErrorInvalidValue);
    struct CUgraphExec_st *made = must(calloc(1, sizeof *made));
    made->queue.end = &made->queue.first;
    copy_queue(&graph->queue, &made->queue);
    emulator_count_live(1);
    *ret = made;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    clear(&graph->queue);
    free(graph);
    emulator_count_live(-1);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchFailure);
    pthread_mutex_lock(&lock);
    if (!stream || stream->recording)
        return unlock(cudaErrorStreamCaptureUnsupported);
    copy_queue(&graph->queue, &stream->queue);
    graph_launches++;
    return unlock(cudaSuccess);
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
    return result(device >= 0 && device < DEVICES ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceGetAttribute(int *ret, enum cudaDeviceAttr attribute, int device) {
    if (device < 0 || device >= DEVICES)
        return result(cudaErrorInvalidDevice);
    if (attribute != cudaDevAttrComputeCapabilityMajor && attribute != cudaDevAttrComputeCapabilityMinor)
        return result(cudaErrorInvalidValue);
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
