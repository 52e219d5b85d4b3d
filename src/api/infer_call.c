#include "api/infer_call.h"

#include <stdlib.h>

/* Honest requests of any form need less: the widest growth is that of one-byte varints into 64-bit integers, in arrays
 * with room to spare. */
enum { ARENA_FACTOR = 16, ARENA_BASE = 1 << 20 };

static void call_unref(struct infer_call *call) {
    if (atomic_fetch_sub(&call->references, 1) != 1)
        return;
    infer_request_destroy(call->request);
    buf_free(&call->body);
    buf_free(&call->answer);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

void *infer_call_create(const struct infer_call_ops *ops, size_t size, const struct api_context *context,
                        void *exchange, size_t body_size) {
    size_t limit;
    if (__builtin_mul_overflow(body_size, ARENA_FACTOR, &limit) || __builtin_add_overflow(limit, ARENA_BASE, &limit))
        limit = SIZE_MAX;
    struct infer_call *call = calloc(1, size);
    if (!call)
        return NULL;
    call->request = infer_request_create(limit);
    if (!call->request || pthread_mutex_init(&call->lock, NULL) != 0) {
        infer_request_destroy(call->request);
        free(call);
        return NULL;
    }
    call->ops = ops;
    call->context = context;
    call->exchange = exchange;
    atomic_init(&call->references, 1);
    return call;
}

/* On the loop thread, with the reference that the request had. */
static void send_answer(struct api_task *task) {
    struct infer_call *call = (void *)((char *)task - offsetof(struct infer_call, task));
    if (call->exchange)
        call->ops->send(call);
    call_unref(call);
}

/* Unary calls carry one response: the first must be the final one. */
static void on_response(struct infer_request *request, struct infer_response *response, void *user) {
    struct infer_call *call = user;
    if (!call->answered) {
        call->answered = true;
        if (!status_is_ok(&response->status)) {
            call->status = response->status;
        } else if (!response->final) {
            call->status = status_error(STATUS_UNSUPPORTED,
                                        "model '%.*s' makes several responses to a request, and this call carries one",
                                        SLICE_ARGS(request->model_name));
            atomic_store(&request->cancelled, true);
        } else {
            call->status = call->ops->encode(call, response);
        }
    }
    infer_response_destroy(response);
}

static void on_release(struct infer_request *request, void *user) {
    struct infer_call *call = user;
    pthread_mutex_lock(&call->lock);
    call->request = NULL;
    pthread_mutex_unlock(&call->lock);
    if (!call->answered)
        call->status = status_error(STATUS_INTERNAL, "the model ended the request without a response");
    struct buf body = call->body;
    call->body = BUF_EMPTY;
    /* The answer first; the request's memory is freed while it is on its way. The call is the loop's after this. */
    call->task.run = send_answer;
    call->context->loop->post(call->context->loop, &call->task);
    infer_request_destroy(request);
    buf_free(&body);
}

struct status infer_call_submit(struct infer_call *call) {
    struct infer_request *request = call->request;
    request->on_response = on_response;
    request->on_release = on_release;
    request->user = call;
    atomic_fetch_add(&call->references, 1);
    struct status status = inference_server_submit(call->context->server, request);
    if (!status_is_ok(&status)) {
        request->on_release = NULL; /* still ours: not to be cancelled */
        atomic_fetch_sub(&call->references, 1);
    }
    return status;
}

void infer_call_detach(struct infer_call *call) {
    if (!call)
        return;
    call->exchange = NULL;
    /* on_release, which never runs on this thread meanwhile, waits for the lock: the request is the core's until then.
     */
    pthread_mutex_lock(&call->lock);
    if (call->request && call->request->on_release)
        inference_server_cancel(call->context->server, call->request);
    pthread_mutex_unlock(&call->lock);
    call_unref(call);
}
