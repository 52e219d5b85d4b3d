#include "engine/cuda/cuda_session.h"

#include <stdlib.h>
#include <string.h>

#include "engine/cuda/cuda_forward.h"
#include "engine/cuda/cuda_status.h"

enum {
    SPARE_TILES = 16,   /* of a graph, besides two for each that its tokens fill: for sequences that fill none */
    SPIN_TOKENS = 4096, /* a batch that takes longer than a thread's sleep is slept for */
};

struct small_graph {
    cudaGraphExec_t graph; /* NULL: not made yet */
    bool cannot_be;        /* it was tried, in vain */
};

struct cuda_session {
    const struct cuda_weights *weights;
    struct cuda_gemm_room *gemms;
    struct cuda_room room;
    cudaStream_t stream;
    cudaEvent_t end; /* a thread that waits for it sleeps */
    int device;
    struct small_graph graphs[CUDA_SMALL_BUCKETS][4]; /* by with_spans, with_hidden */
};

static bool has_sequence_results(const struct bert_results *results) {
    return results->mean || results->first || results->pooled || results->labels;
}

static struct cuda_forward forward_of(struct cuda_session *session, const struct cuda_plan *plan,
                                      const struct bert_results *results) {
    return (struct cuda_forward){
        .weights = session->weights,
        .room = &session->room,
        .gemms = session->gemms,
        .stream = session->stream,
        .plan = *plan,
        .with_spans = results->starts != NULL,
        .with_hidden = results->hidden || has_sequence_results(results),
    };
}

/* ---- graphs ---- */

static struct cuda_plan bucket_plan(unsigned bucket) {
    const unsigned tokens = cuda_bucket_tokens(bucket), tiles = 2 * tokens / CUDA_QUERY_TILE + SPARE_TILES;
    return (struct cuda_plan){tokens, tiles, tiles};
}

/* A graph's plan; false: the batch is none for graphs. */
static bool plan_graph(const struct cuda_session *session, const struct cuda_plan *plan, struct cuda_plan *ret) {
    if (plan->tokens > CUDA_SMALL_TOKENS)
        return false;
    *ret = bucket_plan(cuda_bucket_of(plan->tokens));
    return ret->tokens <= session->room.capacity && plan->tile_count <= ret->tile_count;
}

static struct status record(const struct cuda_forward *forward, cudaGraph_t *ret) {
    CUDA_TRY(cudaStreamBeginCapture(forward->stream, cudaStreamCaptureModeThreadLocal));
    struct status status = cuda_forward_run(forward);
    cudaError_t error = cudaStreamEndCapture(forward->stream, ret);
    return status_is_ok(&status) && error ? cuda_status(error, "cudaStreamEndCapture") : status;
}

static struct status make_graph(const struct cuda_forward *forward, cudaGraphExec_t *ret) {
    cudaGraph_t graph = NULL;
    cudaGraphExec_t made = NULL;
    struct status status = record(forward, &graph);
    if (status_is_ok(&status))
        status = cuda_status(cudaGraphInstantiate(&made, graph, 0), "cudaGraphInstantiate");
    if (status_is_ok(&status)) {
        *ret = made;
        status = cuda_status(cudaGraphUpload(made, forward->stream), "cudaGraphUpload");
    }
    if (graph)
        cudaGraphDestroy(graph);
    return status;
}

/* The graph of what a forward pass computes; NULL: it cannot be had, and takes longer without, no more. */
static cudaGraphExec_t graph_of(struct cuda_session *session, const struct cuda_forward *forward) {
    const int kind = (forward->with_spans ? 1 : 0) + (forward->with_hidden ? 2 : 0);
    struct small_graph *small = &session->graphs[cuda_bucket_of(forward->plan.tokens)][kind];
    if (!small->graph && !small->cannot_be) {
        struct status status = make_graph(forward, &small->graph);
        small->cannot_be = !status_is_ok(&status);
        if (small->cannot_be)
            (void)cudaGetLastError();
    }
    return small->cannot_be ? NULL : small->graph;
}

static struct status run_graph(struct cuda_session *session, const struct cuda_forward *forward) {
    cudaGraphExec_t graph = graph_of(session, forward);
    if (!graph)
        return cuda_forward_run(forward);
    CUDA_TRY(cudaGraphLaunch(graph, session->stream));
    return status_ok();
}

/* Makes the graphs of the results that a model of these heads is asked for most, so that no request waits for them.
 * Those of other results are made when they are first needed. */
static void make_usual_graphs(struct cuda_session *session) {
    const bool has_span = session->weights->span != NULL;
    const struct bert_results usual = {.starts = has_span ? session->room.host_spans : NULL,
                                       .hidden = has_span ? NULL : session->room.hidden};
    for (unsigned bucket = 0; bucket < CUDA_SMALL_BUCKETS; bucket++) {
        const struct cuda_plan plan = bucket_plan(bucket);
        const struct cuda_forward forward = forward_of(session, &plan, &usual);
        if (plan.tokens <= session->room.capacity)
            (void)graph_of(session, &forward);
    }
}

/* ---- results of whole sequences ---- */

static struct status fetch(const struct cuda_session *session, const float *from, size_t count, float *to) {
    CUDA_TRY(cudaMemcpyAsync(to, from, count * sizeof *to, cudaMemcpyDeviceToHost, session->stream));
    return status_ok();
}

/* Pooler and classifier: from the first rows in room->vectors, by way of room->hidden, which nothing else needs any
 * more. */
static struct status pool(const struct cuda_session *session, unsigned count, const struct bert_results *results) {
    const struct cuda_weights *weights = session->weights;
    const struct cuda_room *room = &session->room;
    const int hidden = (int)weights->config.hidden_size, labels = (int)weights->config.label_count;
    const struct cuda_dense pooler = {.rows = room->vectors,
                                      .weights = weights->pooler.weights,
                                      .bias = weights->pooler.bias,
                                      .to = room->hidden,
                                      .count = count,
                                      .inputs = hidden,
                                      .outputs = hidden,
                                      .is_tanh = true};
    const struct cuda_dense classifier = {.rows = room->hidden,
                                          .weights = weights->classifier.weights,
                                          .bias = weights->classifier.bias,
                                          .to = room->labels,
                                          .count = count,
                                          .inputs = hidden,
                                          .outputs = labels};
    CUDA_TRY(cuda_dense(&pooler, session->stream));
    if (results->pooled)
        STATUS_TRY(fetch(session, room->hidden, (size_t)count * (size_t)hidden, results->pooled));
    if (!results->labels)
        return status_ok();
    CUDA_TRY(cuda_dense(&classifier, session->stream));
    return fetch(session, room->labels, (size_t)count * (size_t)labels, results->labels);
}

/* In an order in which each may overwrite what those before it have used. */
static struct status run_sequences(const struct cuda_session *session, const struct cuda_forward *forward,
                                   unsigned count, const struct bert_results *results) {
    const struct cuda_room *room = &session->room;
    const int hidden = (int)session->weights->config.hidden_size;
    const size_t numbers = (size_t)count * (size_t)hidden;
    const struct cuda_sequences rows = {.hidden = room->hidden,
                                        .offsets = cuda_room_staged(room->staged, &forward->plan).offsets,
                                        .count = count,
                                        .columns = hidden,
                                        .to = room->vectors};
    if (results->mean) {
        CUDA_TRY(cuda_mean_rows(&rows, session->stream));
        STATUS_TRY(fetch(session, room->vectors, numbers, results->mean));
    }
    if (!results->first && !results->pooled && !results->labels)
        return status_ok();
    CUDA_TRY(cuda_first_rows(&rows, session->stream));
    if (results->first)
        STATUS_TRY(fetch(session, room->vectors, numbers, results->first));
    return results->pooled || results->labels ? pool(session, count, results) : status_ok();
}

/* ---- one batch ---- */

static struct status put(struct cuda_session *session, const struct bert_batch *batch,
                         const struct bert_results *results, unsigned *ret_tokens) {
    const unsigned tokens = batch->offsets[batch->sequence_count], count = (unsigned)batch->sequence_count;
    struct cuda_plan plan = {tokens, cuda_room_tile_count(batch), count}, graph;
    const bool is_graph = plan_graph(session, &plan, &graph);
    const struct cuda_forward forward = forward_of(session, is_graph ? &graph : &plan, results);
    const struct cuda_staged staged = cuda_room_staged(session->room.host_staged, &forward.plan);
    *ret_tokens = forward.plan.tokens;
    cuda_room_stage(batch, &forward.plan, &staged);
    STATUS_TRY(is_graph ? run_graph(session, &forward) : cuda_forward_run(&forward));
    if (results->hidden)
        STATUS_TRY(fetch(session, session->room.hidden, (size_t)tokens * (size_t)session->weights->config.hidden_size,
                         results->hidden));
    return has_sequence_results(results) ? run_sequences(session, &forward, count, results) : status_ok();
}

static struct status wait_for(const struct cuda_session *session, size_t tokens) {
    if (tokens < SPIN_TOKENS) {
        CUDA_TRY(cudaStreamSynchronize(session->stream));
        return status_ok();
    }
    CUDA_TRY(cudaEventRecord(session->end, session->stream));
    CUDA_TRY(cudaEventSynchronize(session->end));
    return status_ok();
}

struct status cuda_session_run(struct cuda_session *session, const struct bert_batch *batch,
                               const struct bert_results *results) {
    const size_t tokens = batch->offsets[batch->sequence_count];
    unsigned stride = 0; /* from starts to ends */
    CUDA_TRY(cudaSetDevice(session->device));
    struct status status = put(session, batch, results, &stride);
    if (!status_is_ok(&status)) {
        (void)cudaStreamSynchronize(session->stream); /* nothing may still read or write what the caller has */
        (void)cudaGetLastError();
        return status;
    }
    STATUS_TRY(wait_for(session, tokens));
    if (results->starts) {
        memcpy(results->starts, session->room.host_spans, tokens * sizeof(float));
        memcpy(results->ends, session->room.host_spans + stride, tokens * sizeof(float));
    }
    return status_ok();
}

/* ---- sessions ---- */

/* Loads every kernel, which cannot be done while a graph is recorded, and tells at once what does not work. */
static struct status try_out(struct cuda_session *session) {
    static const uint32_t offsets[] = {0, 1};
    static const int32_t zero[] = {0};
    const struct bert_batch batch = {1, offsets, zero, zero, zero};
    const struct cuda_plan plan = {1, 1, 1};
    const struct bert_results spans = {.starts = session->weights->span ? session->room.host_spans : NULL};
    const struct cuda_forward forward = forward_of(session, &plan, &spans);
    const struct cuda_staged staged = cuda_room_staged(session->room.host_staged, &plan);
    cuda_room_stage(&batch, &plan, &staged);
    STATUS_TRY(cuda_forward_run(&forward));
    CUDA_TRY(cudaStreamSynchronize(session->stream));
    return status_ok();
}

static struct status measure(struct cuda_session *session) {
    const struct cuda_plan plan = {session->room.capacity, 0, 0};
    const struct cuda_forward forward = forward_of(session, &plan, &(struct bert_results){0});
    struct cuda_gemm_call calls[CUDA_GEMM_COUNT];
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
        calls[gemm] = cuda_forward_gemm(&forward, (enum cuda_gemm)gemm, 0);
    return cuda_gemms_measure(session->gemms, calls, session->room.capacity, session->stream);
}

static struct status fill(struct cuda_session *session, struct cuda_gemms *gemms, size_t max_tokens) {
    CUDA_TRY(cudaSetDevice(session->device));
    CUDA_TRY(cudaStreamCreateWithFlags(&session->stream, cudaStreamNonBlocking));
    CUDA_TRY(cudaEventCreateWithFlags(&session->end, cudaEventBlockingSync | cudaEventDisableTiming));
    STATUS_TRY(cuda_room_create(session->weights, max_tokens, &session->room));
    STATUS_TRY(cuda_gemm_room_create(gemms, &session->gemms));
    CUDA_TRY(cudaStreamSynchronize(NULL)); /* what fills the room runs beside the session's stream */
    STATUS_TRY(measure(session));
    STATUS_TRY(try_out(session));
    make_usual_graphs(session);
    CUDA_TRY(cudaStreamSynchronize(session->stream));
    return status_ok();
}

struct status cuda_session_create(const struct cuda_weights *weights, struct cuda_gemms *gemms, int device,
                                  size_t max_tokens, struct cuda_session **ret) {
    struct cuda_session *session = calloc(1, sizeof *session);
    if (!session)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a session");
    session->weights = weights;
    session->device = device;
    struct status status = fill(session, gemms, max_tokens);
    if (status_is_ok(&status)) {
        *ret = session;
    } else {
        cuda_session_destroy(session);
        (void)cudaGetLastError(); /* it has been told, and is not the next call's */
    }
    return status;
}

void cuda_session_destroy(struct cuda_session *session) {
    if (!session)
        return;
    (void)cudaSetDevice(session->device);
    if (session->stream)
        (void)cudaStreamSynchronize(session->stream);
    for (int bucket = 0; bucket < CUDA_SMALL_BUCKETS; bucket++)
        for (int kind = 0; kind < 4; kind++)
            if (session->graphs[bucket][kind].graph)
                cudaGraphExecDestroy(session->graphs[bucket][kind].graph);
    cuda_gemm_room_destroy(session->gemms);
    cuda_room_free(&session->room);
    if (session->end)
        cudaEventDestroy(session->end);
    if (session->stream)
        cudaStreamDestroy(session->stream);
    free(session);
}
