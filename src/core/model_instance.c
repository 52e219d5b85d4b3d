#include "core/model_instance.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/worker_thread.h"
#include "core/model_priv.h"
#include "core/request_completion.h"
#include "core/request_state.h"

struct model_instance {
    struct model *model;
    int index;
    void *handle; /* of ops->instance_create */
    bool created, started;
    pthread_t thread;

    /* Scratch of the batch under way; room for the largest. */
    struct infer_request **requests;
    struct infer_response **responses;
    struct request_outcome *outcomes;
};

/* Puts the batch into instance->requests, without those that must not run any more. */
static struct backend_batch begin_batch(struct model_instance *instance, struct infer_request *list, uint64_t now_ns) {
    struct backend_batch batch = {.requests = instance->requests};
    for (struct infer_request *request = list, *next; request; request = next) {
        next = request->next;
        request->next = NULL;
        if (atomic_load(&request->cancelled)) {
            request_drop(request, STATUS_CANCELLED);
        } else if (request->deadline_ns && now_ns > request->deadline_ns) {
            request_drop(request, STATUS_DEADLINE_EXCEEDED);
        } else {
            request->state->response_began_ns = instance->model->config->decoupled ? now_ns : 0;
            atomic_store(&request->state->stage, STAGE_EXECUTING);
            batch.requests[batch.count++] = request;
            batch.items += request->cost.items;
        }
    }
    return batch;
}

static uint64_t between(uint64_t low, uint64_t time, uint64_t high) {
    return time < low ? low : time > high ? high : time;
}

/* Times that a backend left out become the ends of execute(); none goes backwards. */
static void complete_times(struct backend_times *times, uint64_t begun_ns, uint64_t ended_ns) {
    times->compute_start = between(begun_ns, times->compute_start, ended_ns);
    times->input_end = between(times->compute_start, times->input_end, ended_ns);
    times->compute_end = times->compute_end ? between(times->input_end, times->compute_end, ended_ns) : ended_ns;
    times->output_start =
        times->output_start ? between(times->input_end, times->output_start, times->compute_end) : times->compute_end;
}

static void stamp(struct infer_request *request, const struct backend_times *times) {
    request->times.compute_start = times->compute_start;
    request->times.compute_input_end = times->input_end;
    request->times.compute_output_start = times->output_start;
    request->times.compute_end = times->compute_end;
}

/* After execute(): lines up the requests that end now in front of instance->requests, with their responses, and returns
 * how many; the others are answered later by the backend and must not be touched any more. */
static size_t settle(struct model_instance *instance, const struct backend_batch *batch, const struct status *status,
                     const struct backend_times *times, uint64_t now_ns) {
    size_t ended = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct infer_request *request = batch->requests[i];
        stamp(request, times);
        struct infer_response *response;
        if (atomic_exchange(&request->state->stage, STAGE_RETURNED) == STAGE_HELD) {
            response = request->state->final_response;
        } else if (!status_is_ok(status)) {
            response = infer_response_create_error(request, *status);
            request_book_response(request, response);
        } else {
            continue;
        }
        instance->outcomes[ended] = request_outcome_of(request, response, now_ns);
        instance->responses[ended] = response;
        instance->requests[ended++] = request;
    }
    return ended;
}

static void book(struct model_instance *instance, const struct backend_batch *batch, const struct backend_times *times,
                 size_t ended) {
    bool executed = ended < batch->count; /* those still under way have passed the engine */
    for (size_t i = 0; i < ended; i++)    /* dropped results have been computed all the same */
        executed |= !instance->outcomes[i].failed || instance->requests[i]->state->given_up;
    struct batch_outcome outcome = {
        .items = batch->items,
        .compute_input_ns = times->input_end - times->compute_start,
        .compute_infer_ns = times->output_start - times->input_end,
        .compute_output_ns = times->compute_end - times->output_start,
        .ended_ms = clock_realtime_ns() / NS_PER_MS,
    };
    statistics_book(instance->model->statistics, executed ? &outcome : NULL, instance->outcomes, ended);
}

void model_instance_run(struct model_instance *instance, struct infer_request *list) {
    uint64_t begun_ns = clock_monotonic_ns();
    struct backend_batch batch = begin_batch(instance, list, begun_ns);
    if (batch.count == 0)
        return;
    struct backend_times times = {0};
    struct status status = instance->model->ops->execute(instance->handle, &batch, &times);
    uint64_t ended_ns = clock_monotonic_ns();
    complete_times(&times, begun_ns, ended_ns);
    size_t ended = settle(instance, &batch, &status, &times, ended_ns);
    book(instance, &batch, &times, ended);
    if (model_look_for_loss(instance->model) && instance->model->on_lost)
        instance->model->on_lost(instance->model->on_lost_user);
    for (size_t i = 0; i < ended; i++)
        request_finish(instance->requests[i], instance->responses[i]);
}

static void *worker_run(void *argument) {
    struct model_instance *instance = argument;
    struct infer_request *batch;
    while ((batch = dynamic_batcher_take(instance->model->batcher, instance->index)) != NULL)
        model_instance_run(instance, batch);
    return NULL;
}

struct status model_instance_create(struct model *model, int index, struct model_instance **ret) {
    size_t capacity = dynamic_batcher_max_requests(model->batcher);
    struct model_instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an instance");
    instance->model = model;
    instance->index = index;
    instance->requests = calloc(capacity, sizeof(struct infer_request *));
    instance->responses = calloc(capacity, sizeof(struct infer_response *));
    instance->outcomes = calloc(capacity, sizeof *instance->outcomes);
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for batches of %zu requests", capacity);
    if (instance->requests && instance->responses && instance->outcomes)
        status = model->ops->instance_create(model->backend_model, index, &instance->handle);
    instance->created = status_is_ok(&status);
    if (!instance->created) {
        model_instance_destroy(instance);
        return status_prefix(status, "instance %d", index);
    }
    *ret = instance;
    return status_ok();
}

struct status model_instance_start(struct model_instance *instance) {
    char name[64];
    snprintf(name, sizeof name, "%d:%.*s", instance->index, SLICE_ARGS(instance->model->config->name));
    STATUS_TRY(worker_thread_start(&instance->thread, worker_run, instance, name));
    instance->started = true;
    return status_ok();
}

void model_instance_destroy(struct model_instance *instance) {
    if (!instance)
        return;
    if (instance->started)
        pthread_join(instance->thread, NULL);
    if (instance->created)
        instance->model->ops->instance_destroy(instance->handle);
    free(instance->requests);
    free(instance->responses);
    free(instance->outcomes);
    free(instance);
}
