#include "core/request_completion.h"

#include "base/clock.h"
#include "core/request_state.h"
#include "core/request_validation.h"
#include "core/shared_memory.h"

struct status request_status(const struct infer_request *request, struct status status) {
    if (!request->id.size || status_is_ok(&status))
        return status;
    return status_error(status.code, "[request id: %.*s] %s", SLICE_ARGS(request->id), status.message);
}

struct status request_expired(const struct infer_request *request) {
    if (request->deadline_code == STATUS_OK)
        return status_error(STATUS_DEADLINE_EXCEEDED, "Deadline Exceeded"); /* as gRPC's clients say it themselves */
    return status_error(request->deadline_code, "Request timeout expired");
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
        .reason =
            request->state->given_up || response->status.code == STATUS_CANCELLED ? FAILURE_CANCELED : FAILURE_BACKEND,
        .total_ns = elapsed(times->queued, now_ns),
        .queue_ns = elapsed(times->queued, times->compute_start),
        .compute_input_ns = elapsed(times->compute_start, times->compute_input_end),
        .compute_infer_ns = elapsed(times->compute_input_end, times->compute_output_start),
        .compute_output_ns = elapsed(times->compute_output_start, times->compute_end),
    };
}

static enum response_kind kind_of(const struct infer_request *request, const struct infer_response *response) {
    bool good = status_is_ok(&response->status);
    bool unwanted = request->state->given_up || atomic_load(&request->cancelled);
    if (response->status.code == STATUS_CANCELLED || (!good && unwanted))
        return RESPONSE_CANCEL;
    if (!good)
        return RESPONSE_FAIL;
    return response->empty ? RESPONSE_EMPTY : RESPONSE_SUCCESS;
}

void request_book_response(struct infer_request *request, const struct infer_response *response) {
    struct request_state *state = request->state;
    if (!state->response_began_ns)
        return;
    uint64_t now_ns = clock_monotonic_ns(), made_ns = now_ns;
    struct response_outcome outcome = {.index = state->response_count++, .kind = kind_of(request, response)};
    if (outcome.kind == RESPONSE_SUCCESS)
        made_ns = response->created_ns > state->response_began_ns ? response->created_ns : state->response_began_ns;
    outcome.compute_infer_ns = elapsed(state->response_began_ns, made_ns);
    outcome.compute_output_ns = elapsed(made_ns, now_ns);
    state->response_began_ns = now_ns;
    statistics_book_response(request->model->statistics, &outcome);
}

void request_deliver(struct infer_request *request, struct infer_response *response) {
    if (!response->final) {
        request->on_response(request, response, request->user);
        return;
    }
    struct model *model = request->model;
    model_retain(model);           /* the request's own reference may go with on_release */
    shared_memory_detach(request); /* before the client can see the answer: a region unregistered since then is gone */
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
        return request_expired(request);
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

static bool is_late(const struct infer_request *request) {
    return request->deadline_ns && clock_monotonic_ns() > request->deadline_ns;
}

static struct status breach(const struct infer_request *request, const char *count) {
    return status_error(STATUS_INTERNAL,
                        "the engine of model '%.*s' made %s to a request, and only the config's "
                        "model_transaction_policy { decoupled: true } allows that",
                        SLICE_ARGS(request->state->model_name), count);
}

/* Whether the client has left its memory as it was. */
static struct status check_memory(const struct infer_request *request) {
    return request_status(request, shared_memory_check(request));
}

/* Whether a good final response may go out: OK, or the error that takes its place. */
static struct status check_final(struct infer_request *request, struct infer_response *response) {
    const struct model_config *config = request->model->config;
    bool late = is_late(request);
    request->state->given_up = late || atomic_load(&request->cancelled);
    if (late)
        return request_status(request, request_expired(request));
    if (request->state->given_up)
        return request_status(request, status_error(STATUS_CANCELLED, "request was cancelled during its execution"));
    if (response->empty)
        return config->decoupled ? status_ok() : breach(request, "no response");
    STATUS_TRY(check_memory(request));
    return response_reshape_outputs(config, response); /* the shapes as the config tells them */
}

static struct infer_response *replace(struct infer_request *request, struct infer_response *response,
                                      struct status status) {
    infer_response_destroy(response);
    return infer_response_create_error(request, status);
}

/* Takes the engine's last response (NULL: it had no memory for one) and gives the one to end with. */
static struct infer_response *final_of(struct infer_request *request, struct infer_response *response) {
    const struct request_state *state = request->state;
    if (state->failure)
        return replace(request, response, *state->failure);
    if (!response)
        return replace(request, NULL,
                       status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the response of model '%.*s'",
                                    SLICE_ARGS(state->model_name)));
    if (!status_is_ok(&response->status))
        return response;
    struct status status = check_final(request, response);
    return status_is_ok(&status) ? response : replace(request, response, status);
}

/* The end will be this error. */
static void fail_later(struct infer_request *request, struct status status) {
    static const struct status no_memory = {STATUS_RESOURCE_EXHAUSTED, "no memory for the response"};
    struct status *copy = arena_alloc(request->arena, sizeof *copy);
    if (copy)
        *copy = status;
    request->state->failure = copy ? copy : &no_memory;
}

/* A response that others follow. What is wrong with it is told at the end: an error is always the last. */
static void respond_in_part(struct infer_request *request, struct infer_response *response) {
    const struct model_config *config = request->model->config;
    bool unwanted = request->state->failure || atomic_load(&request->cancelled) || is_late(request);
    struct status status = check_memory(request);
    if (!unwanted && status_is_ok(&status))
        status = config->decoupled ? response_reshape_outputs(config, response) : breach(request, "several responses");
    if (!unwanted && status_is_ok(&status)) {
        response->final = false;
        request_book_response(request, response);
        deliver_in_turn(request, response);
        return;
    }
    infer_response_destroy(response);
    if (!unwanted)
        fail_later(request, status);
}

static void respond(struct infer_request *request, struct infer_response *response, bool final) {
    struct request_state *state = request->state;
    int stage = atomic_load(&state->stage);
    if (stage != STAGE_EXECUTING && stage != STAGE_RETURNED) {
        infer_response_destroy(response); /* the backend has given its final response already: a defect of its own */
        return;
    }
    if (response && !final) {
        respond_in_part(request, response);
        return;
    }
    response = final_of(request, response);
    response->final = true;
    request_book_response(request, response);
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

/* From the thread that copies results to GPUs; `status` is what came of that. */
static void respond_copied(struct infer_request *request, struct infer_response *response, bool final,
                           struct status status) {
    if (status_is_ok(&status)) {
        respond(request, response, final);
    } else if (final) {
        respond(request, replace(request, response, request_status(request, status)), true);
    } else {
        infer_response_destroy(response);
        if (!request->state->failure)
            fail_later(request, request_status(request, status));
    }
}

void request_respond(struct infer_request *request, struct infer_response *response, bool final) {
    if (!shared_memory_defer(request, response, response ? final : true, respond_copied))
        respond(request, response, final);
}
