#include "core/request_completion.h"

#include "base/clock.h"
#include "core/request_state.h"
#include "core/request_validation.h"

struct status request_status(const struct infer_request *request, struct status status) {
    if (!request->id.size)
        return status;
    return status_error(status.code, "[request id: %.*s] %s", SLICE_ARGS(request->id), status.message);
}

/* Clocks of different threads are read at different moments; a duration is never negative. */
static uint64_t elapsed(uint64_t from, uint64_t to) {
    return to > from ? to - from : 0;
}

struct request_outcome request_outcome_of(const struct infer_request *request, const struct infer_response *response,
                                          uint64_t now_ns) {
    const struct infer_times *times = &request->times;
    bool failed = !status_is_ok(&response->status);
    return (struct request_outcome){
        .items = request->state->batch_size,
        .failed = failed,
        .reason = response->status.code == STATUS_CANCELLED ? FAILURE_CANCELED : FAILURE_BACKEND,
        .total_ns = elapsed(times->queued, now_ns),
        .queue_ns = elapsed(times->queued, times->compute_start),
        .compute_input_ns = elapsed(times->compute_start, times->compute_input_end),
        .compute_infer_ns = elapsed(times->compute_input_end, times->compute_output_start),
        .compute_output_ns = elapsed(times->compute_output_start, times->compute_end),
    };
}

void request_deliver(struct infer_request *request, struct infer_response *response) {
    if (!response->final) {
        request->on_response(request, response, request->user);
        return;
    }
    struct model *model = request->model;
    model_retain(model); /* the request's own reference may go with on_release */
    request->on_response(request, response, request->user);
    request->on_release(request, request->user);
    model_request_done(model);
    model_release(model);
}

/* The caller holds a reference to the model, for the response may be the last that keeps it. */
static void deliver_in_turn(struct infer_request *request, struct infer_response *response) {
    if (request->model->order)
        response_order_deliver(request->model->order, request, response);
    else
        request_deliver(request, response);
}

void request_finish(struct infer_request *request, struct infer_response *response) {
    atomic_store(&request->state->stage, STAGE_ANSWERED);
    response->final = true;
    deliver_in_turn(request, response);
}

static struct status drop_status(const struct infer_request *request, enum status_code why) {
    if (why == STATUS_CANCELLED)
        return status_error(why, "request was cancelled before it was executed");
    if (why == STATUS_DEADLINE_EXCEEDED)
        return status_error(why, "Request timeout expired");
    return status_error(STATUS_UNAVAILABLE, "model '%.*s' was unloaded before the request was executed",
                        SLICE_ARGS(request->state->model_name));
}

void request_drop(struct infer_request *request, enum status_code why) {
    struct model *model = request->model;
    struct status status = request_status(request, drop_status(request, why));
    struct infer_response *response = infer_response_create_error(request, status);
    response->final = true;
    struct request_outcome outcome = request_outcome_of(request, response, clock_monotonic_ns());
    if (why != STATUS_CANCELLED)
        outcome.reason = why == STATUS_DEADLINE_EXCEEDED ? FAILURE_REJECTED : FAILURE_OTHER;
    statistics_book(model->statistics, NULL, &outcome, 1);
    atomic_store(&request->state->stage, STAGE_ANSWERED);
    model_retain(model);
    if (model->order)
        response_order_remove(model->order, request);
    request_deliver(request, response);
    model_release(model);
}

/* Output shapes as the config tells them; an engine that breaks them gives an error in place of its response. */
static struct infer_response *checked(struct infer_request *request, struct infer_response *response) {
    if (!response)
        return infer_response_create_error(request, status_error(STATUS_RESOURCE_EXHAUSTED,
                                                                 "no memory for the response of model '%.*s'",
                                                                 SLICE_ARGS(request->state->model_name)));
    struct status status = response_reshape_outputs(request->model->config, response);
    if (status_is_ok(&status))
        return response;
    infer_response_destroy(response);
    return infer_response_create_error(request, status);
}

void request_respond(struct infer_request *request, struct infer_response *response, bool final) {
    struct request_state *state = request->state;
    int stage = atomic_load(&state->stage);
    if (stage != STAGE_EXECUTING && stage != STAGE_RETURNED) {
        infer_response_destroy(response); /* the backend has given its final response already: a defect of its own */
        return;
    }
    final |= !response;
    response = checked(request, response);
    response->final = final;
    if (!final) {
        deliver_in_turn(request, response);
        return;
    }
    state->final_response = response;
    if (stage == STAGE_EXECUTING && atomic_compare_exchange_strong(&state->stage, &stage, STAGE_HELD))
        return; /* the instance goes on with it when execute() returns */
    struct model *model = request->model;
    model_retain(model);
    struct request_outcome outcome = request_outcome_of(request, response, clock_monotonic_ns());
    statistics_book(model->statistics, NULL, &outcome, 1);
    request_finish(request, response);
    model_release(model);
}
