#include "api/blocking_call.h"

#include <stdlib.h>

#include "api/decoded_size.h"

/* Who comes first to take a call that waits: a worker, or the client who leaves. */
enum { STAGE_WAITING, STAGE_AT_WORK, STAGE_LEFT };

static void free_contents(struct blocking_call *call) {
    buf_free(&call->body);
    buf_free(&call->answer);
    arena_destroy(call->arena);
    call->arena = NULL;
}

void *blocking_call_create(const struct blocking_call_ops *ops, size_t size, const struct api_context *context,
                           void *exchange, size_t body_size) {
    struct blocking_call *call = calloc(1, size);
    if (!call)
        return NULL;
    call->arena = arena_create(decoded_size_max(body_size));
    if (!call->arena) {
        free(call);
        return NULL;
    }
    call->ops = ops;
    call->context = context;
    call->exchange = exchange;
    call->done = true; /* until it is submitted */
    atomic_init(&call->stage, STAGE_WAITING);
    return call;
}

static struct blocking_call *call_of(struct api_task *task) {
    return (void *)((char *)task - offsetof(struct blocking_call, task));
}

static void finish(struct api_task *task) {
    struct blocking_call *call = call_of(task);
    call->done = true;
    if (call->exchange) {
        call->ops->send(call);
        return; /* its end is that of the exchange */
    }
    free_contents(call);
    free(call);
}

static void work(struct api_task *task) {
    struct blocking_call *call = call_of(task);
    int stage = STAGE_WAITING;
    if (atomic_compare_exchange_strong(&call->stage, &stage, STAGE_AT_WORK))
        call->status = call->ops->work(call);
    call->task.run = finish;
    call->context->loop->post(call->context->loop, &call->task);
}

struct status blocking_call_submit(struct blocking_call *call) {
    call->task.run = work;
    call->done = false;
    if (call->context->workers->submit(call->context->workers, &call->task))
        return status_ok();
    call->done = true;
    return status_error(STATUS_UNAVAILABLE, "too many calls wait for a thread that does them; try again later");
}

void blocking_call_detach(struct blocking_call *call) {
    if (!call)
        return;
    call->exchange = NULL;
    int stage = STAGE_WAITING;
    if (call->done) {
        free_contents(call);
        free(call);
    } else if (atomic_compare_exchange_strong(&call->stage, &stage, STAGE_LEFT)) {
        free_contents(call); /* a worker still has to find it; only the struct waits for that */
    }
}
