/* The runtime's streams, launches, events and graphs (cuda_emulator.h). */
#include "cuda_runtime.h"

#include <stdlib.h>
#include <string.h>

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

static struct CUstream_st default_stream = {.queue = {NULL, &default_stream.queue.first}};
static struct CUstream_st *streams[64];
static int graph_launches, cooperative_launches;
static size_t shared_memory = 227 << 10;
static void (*before_cooperative)(const void *arguments), (*after_cooperative)(const void *arguments);

int emulator_graph_launches(void) {
    return graph_launches;
}

int emulator_cooperative_launches(void) {
    return cooperative_launches;
}

void emulator_watch_cooperative(void (*before)(const void *arguments), void (*after)(const void *arguments)) {
    before_cooperative = before;
    after_cooperative = after;
}

void emulator_set_shared_memory(size_t size) {
    shared_memory = size;
}

/* ---- streams ---- */

static struct operation *make_operation(void (*run)(const void *arguments), const void *arguments, size_t size) {
    struct operation *operation = runtime_must(calloc(1, sizeof *operation + size));
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

void runtime_drain(struct CUstream_st *stream) {
    stream = stream ? stream : &default_stream;
    while (stream->queue.first)
        run_first(stream);
}

void runtime_drain_all(void) {
    runtime_drain(NULL);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (streams[i])
            runtime_drain(streams[i]);
}

/* What must not be called while a stream records, and spoils the record. */
bool runtime_spoils_recording(void) {
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

cudaError_t emulator_enqueue(cudaStream_t stream, void (*run)(const void *arguments), const void *arguments,
                             size_t size) {
    runtime_lock();
    if (!stream && runtime_spoils_recording())
        return runtime_unlock(cudaErrorStreamCaptureImplicit);
    stream = stream ? stream : &default_stream;
    append(stream->recording ? &stream->recording->queue : &stream->queue, make_operation(run, arguments, size));
    return runtime_unlock(cudaSuccess);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *ret, unsigned flags) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    if (flags != cudaStreamNonBlocking)
        return runtime_result(cudaErrorInvalidValue); /* the other kind waits for the default stream: not emulated */
    runtime_lock();
    size_t place = 0;
    while (place < sizeof streams / sizeof streams[0] && streams[place])
        place++;
    if (place == sizeof streams / sizeof streams[0])
        return runtime_unlock(cudaErrorMemoryAllocation);
    struct CUstream_st *stream = runtime_must(calloc(1, sizeof *stream));
    stream->queue.end = &stream->queue.first;
    streams[place] = stream;
    emulator_count_live(1);
    *ret = stream;
    return runtime_unlock(cudaSuccess);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    runtime_lock();
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        if (streams[i] != stream)
            continue;
        runtime_drain(stream);
        free(stream);
        streams[i] = NULL;
        emulator_count_live(-1);
        return runtime_unlock(cudaSuccess);
    }
    return runtime_unlock(cudaErrorInvalidResourceHandle);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchFailure);
    runtime_lock();
    if (runtime_spoils_recording())
        return runtime_unlock(cudaErrorStreamCaptureUnsupported);
    runtime_drain(stream);
    return runtime_unlock(cudaSuccess);
}

cudaError_t cudaDeviceSynchronize(void) {
    MAY_FAIL(cudaErrorLaunchFailure);
    runtime_lock();
    if (runtime_spoils_recording())
        return runtime_unlock(cudaErrorStreamCaptureUnsupported);
    runtime_drain_all();
    return runtime_unlock(cudaSuccess);
}

/* ---- kernels ---- */

struct launch {
    struct emulated_kernel kernel;
    alignas(16) char arguments[];
};

static void run_launch(const void *arguments) {
    const struct launch *launch = arguments;
    const bool is_watched = launch->kernel.is_cooperative;
    emulator_spend(0.01f);
    if (is_watched && before_cooperative)
        before_cooperative(launch->arguments);
    block_run_kernel(&launch->kernel, launch->arguments);
    if (is_watched && after_cooperative)
        after_cooperative(launch->arguments);
}

cudaError_t emulator_resident_blocks(size_t shared_size, unsigned *ret) {
    MAY_FAIL(cudaErrorInvalidValue);
    *ret = shared_size <= shared_memory ? BLOCKS_RESIDENT : 0;
    return cudaSuccess;
}

cudaError_t emulator_launch(const struct emulated_kernel *kernel, const void *arguments, size_t size,
                            cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchOutOfResources);
    const unsigned *grid = kernel->grid;
    if (kernel->is_cooperative && grid[0] * grid[1] * grid[2] > BLOCKS_RESIDENT)
        return runtime_result(cudaErrorCooperativeLaunchTooLarge);
    if (kernel->is_cooperative && stream && stream->recording)
        return runtime_result(cudaErrorStreamCaptureUnsupported); /* not emulated */
    if (kernel->shared_size > shared_memory || !grid[0] || !grid[1] || !grid[2] || grid[0] > 0x7fffffff ||
        grid[1] > 65535 || grid[2] > 65535 || !kernel->threads || kernel->threads > 1024 || size > 4096)
        return runtime_result(cudaErrorInvalidConfiguration);
    struct launch *launch = runtime_must(calloc(1, sizeof *launch + size));
    launch->kernel = *kernel;
    memcpy(launch->arguments, arguments, size);
    cooperative_launches += kernel->is_cooperative;
    cudaError_t error = emulator_enqueue(stream, run_launch, launch, sizeof *launch + size);
    free(launch);
    return error;
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *ret, unsigned flags) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    *ret = runtime_must(calloc(1, sizeof **ret));
    (*ret)->has_time = !(flags & cudaEventDisableTiming);
    emulator_count_live(1);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *ret) {
    return cudaEventCreateWithFlags(ret, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    runtime_lock();
    if (event->stream)
        runtime_drain(event->stream);
    free(event);
    emulator_count_live(-1);
    return runtime_unlock(cudaSuccess);
}

static void pass_event(const void *arguments) {
    struct CUevent_st *event = *(struct CUevent_st *const *)arguments;
    event->passed++;
    event->time = emulator_time();
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchFailure);
    runtime_lock();
    if (stream && stream->recording)
        return runtime_unlock(cudaErrorStreamCaptureUnsupported); /* would become a node: not emulated */
    event->stream = stream ? stream : &default_stream;
    event->recorded++;
    return runtime_unlock(emulator_enqueue(stream, pass_event, &event, sizeof event));
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    MAY_FAIL(cudaErrorLaunchFailure);
    runtime_lock();
    if (runtime_spoils_recording())
        return runtime_unlock(cudaErrorStreamCaptureUnsupported);
    while (event->passed < event->recorded)
        run_first(event->stream);
    return runtime_unlock(cudaSuccess);
}

cudaError_t cudaEventElapsedTime(float *ret, cudaEvent_t begin, cudaEvent_t end) {
    MAY_FAIL(cudaErrorLaunchFailure);
    if (!begin->has_time || !end->has_time || !begin->recorded || !end->recorded)
        return runtime_result(cudaErrorInvalidResourceHandle);
    if (begin->passed < begin->recorded || end->passed < end->recorded)
        return runtime_result(cudaErrorNotReady);
    *ret = end->time - begin->time;
    return cudaSuccess;
}

/* ---- graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    if (mode != cudaStreamCaptureModeThreadLocal && mode != cudaStreamCaptureModeGlobal)
        return runtime_result(cudaErrorInvalidValue); /* the relaxed mode is not emulated */
    if (!stream || stream->recording)
        return runtime_result(stream ? cudaErrorIllegalState : cudaErrorStreamCaptureUnsupported);
    struct CUgraph_st *graph = runtime_must(calloc(1, sizeof *graph));
    graph->queue.end = &graph->queue.first;
    runtime_lock();
    stream->recording = graph;
    stream->is_broken = false;
    stream->is_of_all_threads = mode == cudaStreamCaptureModeGlobal;
    stream->thread = pthread_self();
    emulator_count_live(1);
    return runtime_unlock(cudaSuccess);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *ret) {
    runtime_lock();
    struct CUgraph_st *graph = stream->recording;
    *ret = NULL;
    if (!graph)
        return runtime_unlock(cudaErrorIllegalState);
    stream->recording = NULL;
    if (stream->is_broken || emulator_fails()) {
        cudaGraphDestroy(graph);
        return runtime_unlock(cudaErrorStreamCaptureInvalidated);
    }
    *ret = graph;
    return runtime_unlock(cudaSuccess);
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
        return runtime_result(cudaErrorInvalidValue);
    struct CUgraphExec_st *made = runtime_must(calloc(1, sizeof *made));
    made->queue.end = &made->queue.first;
    copy_queue(&graph->queue, &made->queue);
    emulator_count_live(1);
    *ret = made;
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t graph, cudaStream_t stream) {
    MAY_FAIL(cudaErrorMemoryAllocation);
    return runtime_result(graph && stream && !stream->recording ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    clear(&graph->queue);
    free(graph);
    emulator_count_live(-1);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    MAY_FAIL(cudaErrorLaunchFailure);
    runtime_lock();
    if (!stream || stream->recording)
        return runtime_unlock(cudaErrorStreamCaptureUnsupported);
    copy_queue(&graph->queue, &stream->queue);
    graph_launches++;
    return runtime_unlock(cudaSuccess);
}
