#include "engine/cuda/cuda_session.h"

#include <stdlib.h>
#include <string.h>

#include "engine/cuda/cuda_forward.h"
#include "engine/cuda/cuda_status.h"

enum { SPIN_TOKENS = 4096 }; /* a batch that takes longer than a thread's sleep is slept for */

struct cuda_session {
    const struct cuda_weights *weights;
    struct cuda_gemm_room *gemms;
    struct cuda_room room;
    cudaStream_t stream;
    cudaEvent_t end; /* a thread that waits for it sleeps */
    int device;
    struct cuda_graphs graphs;
    struct cuda_short *shorts;
    atomic_bool *is_lost; /* the engine's */
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
    /* Offsets are read from the host's memory: not every way of computing has copied them. */
    const struct cuda_sequences rows = {.hidden = room->hidden,
                                        .offsets = cuda_room_staged(room->host_staged, &forward->plan).offsets,
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

/* How a batch is computed. */
struct way {
    unsigned blocks; /* of one kernel; 0: */
    bool is_graph;
    struct cuda_plan plan;
};

static struct way way_of(const struct cuda_session *session, const struct bert_batch *batch) {
    const unsigned tokens = batch->offsets[batch->sequence_count];
    const struct cuda_plan plan = {tokens, cuda_room_tile_count(batch), (unsigned)batch->sequence_count};
    struct way way = {.blocks = cuda_short_blocks(session->shorts, tokens), .plan = plan};
    if (!way.blocks)
        way.is_graph = cuda_graphs_plan(&session->room, &plan, &way.plan);
    return way;
}

static struct status run_way(struct cuda_session *session, const struct way *way, const struct cuda_forward *forward) {
    if (way->blocks)
        return cuda_forward_run_persistent(forward, way->blocks);
    return way->is_graph ? cuda_graphs_run(&session->graphs, forward) : cuda_forward_run(forward);
}

static struct status put(struct cuda_session *session, const struct way *way, const struct bert_batch *batch,
                         const struct bert_results *results) {
    const unsigned tokens = batch->offsets[batch->sequence_count], count = (unsigned)batch->sequence_count;
    const struct cuda_forward forward = forward_of(session, &way->plan, results);
    const struct cuda_staged staged = cuda_room_staged(session->room.host_staged, &way->plan);
    cuda_room_stage(batch, &way->plan, &staged);
    STATUS_TRY(run_way(session, way, &forward));
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

static struct status compute(struct cuda_session *session, const struct way *way, const struct bert_batch *batch,
                             const struct bert_results *results) {
    CUDA_TRY(cudaSetDevice(session->device));
    STATUS_TRY(put(session, way, batch, results));
    return wait_for(session, batch->offsets[batch->sequence_count]);
}

/* Nothing may still read or write what the caller has. After a fault of the device CUDA answers every call with that
 * fault, also one that comes after it has been told; what follows other errors is as if they had not been. */
static void recover(const struct cuda_session *session) {
    (void)cudaStreamSynchronize(session->stream);
    (void)cudaGetLastError();
    if (cudaStreamSynchronize(session->stream) != cudaSuccess)
        atomic_store(session->is_lost, true);
    (void)cudaGetLastError();
}

/* As a graph too, where one kernel could not be started or has given the batch up, and need not be used. */
static struct status compute_at_last(struct cuda_session *session, struct way *way, const struct bert_batch *batch,
                                     const struct bert_results *results) {
    struct status status = compute(session, way, batch, results);
    if (way->blocks && status_is_ok(&status))
        status = cuda_forward_persistent_end(&session->room);
    if (!way->blocks || status_is_ok(&status))
        return status;
    recover(session);
    cuda_short_give_up(session->shorts);
    *way = way_of(session, batch);
    return way->blocks ? status : compute(session, way, batch, results);
}

struct status cuda_session_run(struct cuda_session *session, const struct bert_batch *batch,
                               const struct bert_results *results) {
    const size_t tokens = batch->offsets[batch->sequence_count];
    struct way way = way_of(session, batch);
    struct status status = compute_at_last(session, &way, batch, results);
    if (!status_is_ok(&status)) {
        recover(session);
    } else if (results->starts) {
        memcpy(results->starts, session->room.host_spans, tokens * sizeof(float));
        memcpy(results->ends, session->room.host_spans + way.plan.tokens, tokens * sizeof(float));
    }
    return status;
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
    const int64_t layers[] = {0, session->weights->config.layer_count - 1}; /* maybe the second alone is in fp8 */
    struct cuda_gemm_call calls[CUDA_GEMM_COUNT];
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
            calls[gemm] = cuda_forward_gemm(&forward, (enum cuda_gemm)gemm, layers[i]);
        STATUS_TRY(cuda_gemms_measure(session->gemms, calls, session->room.capacity, session->stream));
    }
    return status_ok();
}

/* The results that a model of these heads is asked for most. */
static struct cuda_forward usual_forward(struct cuda_session *session) {
    const bool has_span = session->weights->span != NULL;
    const struct bert_results usual = {.starts = has_span ? session->room.host_spans : NULL,
                                       .hidden = has_span ? NULL : session->room.hidden};
    return forward_of(session, &(struct cuda_plan){0, 0, 0}, &usual);
}

static struct status fill(struct cuda_session *session, const struct cuda_session_parts *parts, size_t max_tokens) {
    CUDA_TRY(cudaSetDevice(session->device));
    CUDA_TRY(cudaStreamCreateWithFlags(&session->stream, cudaStreamNonBlocking));
    CUDA_TRY(cudaEventCreateWithFlags(&session->end, cudaEventBlockingSync | cudaEventDisableTiming));
    STATUS_TRY(cuda_room_create(session->weights, cuda_short_room(parts->shorts, max_tokens), &session->room));
    STATUS_TRY(cuda_gemm_room_create(parts->gemms, &session->gemms));
    CUDA_TRY(cudaStreamSynchronize(NULL)); /* what fills the room runs beside the session's stream */
    STATUS_TRY(measure(session));
    STATUS_TRY(try_out(session));
    const struct cuda_forward usual = usual_forward(session);
    cuda_graphs_make(&session->graphs, &usual);
    STATUS_TRY(cuda_short_prepare(parts->shorts, &session->graphs, &usual));
    CUDA_TRY(cudaStreamSynchronize(session->stream));
    return status_ok();
}

struct status cuda_session_create(const struct cuda_session_parts *parts, size_t max_tokens,
                                  struct cuda_session **ret) {
    struct cuda_session *session = calloc(1, sizeof *session);
    if (!session)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a session");
    session->weights = parts->weights;
    session->shorts = parts->shorts;
    session->is_lost = parts->is_lost;
    session->device = parts->device;
    struct status status = fill(session, parts, max_tokens);
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
    cuda_graphs_free(&session->graphs);
    cuda_gemm_room_destroy(session->gemms);
    cuda_room_free(&session->room);
    if (session->end)
        cudaEventDestroy(session->end);
    if (session->stream)
        cudaStreamDestroy(session->stream);
    free(session);
}
