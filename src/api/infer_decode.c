/* infer_decode.c: how an inference is decoded: what that books, and the threads that it moves through (infer_call.h).
 */
#include "api/infer_call_priv.h"
#include "core/shared_memory.h"

enum { JSON_VALUE_BYTES = 16 }; /* that the parser takes for each */

static bool reserve(struct infer_call *call, size_t bytes) {
    if (call->context->budget && !http_budget_take(call->context->budget, bytes))
        return false;
    call->reserved += bytes;
    return true;
}

static struct status no_room(const struct infer_call *call, size_t bytes, const char *what) {
    return http_budget_no_room(call->context->budget, bytes, what);
}

/* The same for memory that is taken step by step, by someone who only hears that there is none. */
static bool reserve_step(struct infer_call *call, size_t bytes, const char *what) {
    if (reserve(call, bytes))
        return true;
    call->missing = what;
    call->missing_bytes = bytes;
    return false;
}

static bool reserve_decoded(void *user, size_t bytes) {
    return reserve_step(user, bytes, "the request, decoded");
}

static bool reserve_inflated(void *user, size_t bytes) {
    return reserve_step(user, bytes, "the body decompressed");
}

struct inflate_gate infer_call_inflate_gate(struct infer_call *call) {
    return (struct inflate_gate){reserve_inflated, call};
}

struct status infer_call_reserve(struct infer_call *call, size_t bytes, const char *what) {
    return reserve(call, bytes) ? status_ok() : no_room(call, bytes, what);
}

struct status infer_call_reserve_json(struct infer_call *call, struct slice json) {
    if (json.size <= INFER_WEIGHT_LIGHT)
        return status_ok();
    size_t values = 1;
    for (size_t i = 0; i < json.size; i++)
        values += json.data[i] == ',' || json.data[i] == ':' || json.data[i] == '[' || json.data[i] == '{';
    return infer_call_reserve(call, json.size + values * JSON_VALUE_BYTES, "the JSON, taken apart");
}

/* What the request holds from now on is its exchange's to book. */
static void give_back(struct infer_call *call) {
    if (call->reserved > 0 && call->context->budget)
        http_budget_give(call->context->budget, call->reserved);
    call->reserved = 0;
}

/* Back on the loop. The reference is the decoder's. */
static void end_decoding(struct api_task *task) {
    struct infer_call *call = infer_call_of(task);
    struct status status = call->end.status;
    call->end.status = status_ok();
    task->run = infer_call_run_task;
    give_back(call);
    if (!call->exchange && call->body_size > 0 && call->context->budget)
        http_budget_give(call->context->budget, call->body_size);
    call->body_size = 0;
    if (call->exchange)
        call->decoded(call, &status);
    infer_call_unref(call);
}

/* False: it has been left while it waited, and there is nothing to decode. */
static bool begin_decoding(struct infer_call *call) {
    pthread_mutex_lock(&call->lock);
    bool begins = call->waits;
    call->waits = false;
    pthread_mutex_unlock(&call->lock);
    return begins;
}

/* What a budget without room looks like to those who decode, or copy, is memory that is short. */
static struct status tell(const struct infer_call *call, struct status status) {
    if (status_is_ok(&status) || !call->missing)
        return status;
    /* How much it would have been in all is not known. */
    return no_room(call, call->reserved + call->missing_bytes, call->missing);
}

static struct status decode(struct infer_call *call) {
    return tell(call, call->ops->decode(call));
}

static struct shared_memory *memory_of(const struct infer_call *call) {
    return inference_server_shared_memory(call->context->server);
}

static struct status no_thread(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no thread can be had to decode the request; try again later");
}

static void post_end(struct infer_call *call) {
    call->task.run = end_decoding;
    call->context->loop->post(call->context->loop, &call->task);
}

/* On a copier's thread. */
static void fetch_far(struct api_task *task) {
    struct infer_call *call = infer_call_of(task);
    if (begin_decoding(call)) {
        arena_set_gate(call->request->arena, reserve_decoded, call);
        call->end.status = tell(call, shared_memory_fetch(memory_of(call), call->request));
        arena_set_gate(call->request->arena, NULL, NULL);
    }
    post_end(call);
}

/* False when no copier can be had. After it the call is theirs. */
static bool submit_fetch(struct infer_call *call) {
    pthread_mutex_lock(&call->lock);
    call->waits = true;
    pthread_mutex_unlock(&call->lock);
    call->task.run = fetch_far;
    return call->context->copiers->submit(call->context->copiers, &call->task);
}

static void decode_far(struct api_task *task) {
    struct infer_call *call = infer_call_of(task);
    struct status *status = &call->end.status;
    bool begun = begin_decoding(call);
    if (begun) {
        struct arena *arena = call->request->arena;
        arena_set_gate(arena, reserve_decoded, call);
        *status = decode(call);
        arena_set_gate(arena, NULL, NULL);
    }
    if (begun && status_is_ok(status) && shared_memory_is_far(memory_of(call), call->request)) {
        if (submit_fetch(call))
            return;
        (void)begin_decoding(call);
        *status = no_thread();
    }
    post_end(call);
}

/* Leaves the call to other threads: `submit` is given it, and false when none can be had. */
static void decode_elsewhere(struct infer_call *call, bool (*submit)(struct infer_call *call),
                             void (*decoded)(struct infer_call *call, const struct status *status)) {
    call->decoded = decoded;
    call->body_size = call->body.size;
    atomic_fetch_add(&call->references, 1);
    if (submit(call))
        return;
    call->task.run = infer_call_run_task;
    call->body_size = 0;
    call->waits = false;
    give_back(call);
    struct status status = no_thread();
    decoded(call, &status);
    infer_call_unref(call);
}

static bool submit_decode(struct infer_call *call) {
    call->waits = true;
    call->task.run = decode_far;
    return call->context->decoders->submit(call->context->decoders, &call->task);
}

void infer_call_decode(struct infer_call *call, size_t weight,
                       void (*decoded)(struct infer_call *call, const struct status *status)) {
    if (weight > INFER_WEIGHT_LIGHT) {
        decode_elsewhere(call, submit_decode, decoded);
        return;
    }
    struct status status = decode(call);
    if (status_is_ok(&status) && shared_memory_is_far(memory_of(call), call->request)) {
        decode_elsewhere(call, submit_fetch, decoded);
        return;
    }
    give_back(call);
    decoded(call, &status);
}

void infer_call_leave_decoding(struct infer_call *call) {
    struct http_budget *budget = call->context->budget;
    if (call->waits) {
        call->waits = false;
        call->body_size = 0;
        infer_request_destroy(call->request);
        call->request = NULL;
        buf_free(&call->body);
    } else if (call->body_size > 0 && budget) {
        http_budget_force(budget, call->body_size); /* until end_decoding */
    }
}
