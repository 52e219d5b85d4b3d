#include "api/infer_call.h"

#include <stdlib.h>

#include "api/call_log.h"
#include "api/decoded_size.h"
#include "api/infer_call_priv.h"
#include "api/infer_record.h"
#include "api/infer_trace.h"
#include "base/clock.h"

/* What the tail lies in. */
static void free_kept(struct infer_call *call) {
    infer_response_destroy(call->kept_response);
    infer_request_destroy(call->kept_request);
    if (call->kept_request)
        buf_free(&call->body);
    call->kept_response = NULL;
    call->kept_request = NULL;
}

void infer_call_unref(struct infer_call *call) {
    if (atomic_fetch_sub(&call->references, 1) != 1)
        return;
    free_kept(call);
    infer_request_destroy(call->request);
    buf_free(&call->body);
    pthread_mutex_destroy(&call->lock);
    trace_end(call->trace);
    free(call);
}

void infer_answer_free(struct infer_call *call, struct infer_answer *answer) {
    answer->kept = false;
    if (answer->in_send)
        return; /* send() still looks at it, and frees it then */
    buf_free(&answer->bytes);
    if (answer != &call->end)
        free(answer);
}

/* Loop thread. The caller has a reference, for the adapter may give up its own. */
static void send(struct infer_call *call, struct infer_answer *answer) {
    if (call->exchange && !call->over) {
        call->over = answer->final;
        if (call->trace)
            trace_stamp(call->trace, TRACE_SEND_START, clock_monotonic_ns());
        answer->in_send = true;
        call->ops->send(call, answer);
        answer->in_send = false;
    } else if (answer == &call->end) {
        free_kept(call); /* nobody has its tail */
    }
    if (!answer->kept)
        infer_answer_free(call, answer);
}

/* A final answer on our own account; NULL when memory is short. */
static struct infer_answer *create_error(struct infer_call *call, const struct status *error) {
    struct infer_answer *answer = calloc(1, sizeof *answer);
    if (!answer)
        return NULL;
    answer->final = true;
    answer->status = *error;
    if (call->ops->encode_error)
        call->ops->encode_error(call, error, &answer->bytes);
    return answer;
}

static void send_own(struct infer_call *call, struct infer_answer *answer) {
    atomic_fetch_add(&call->references, 1);
    send(call, answer);
    infer_call_unref(call);
}

/* Under the lock: what has been encoded so far. */
static struct infer_answer *take_answers(struct infer_call *call) {
    struct infer_answer *answer = call->first;
    call->first = NULL;
    call->last = &call->first;
    return answer;
}

/* Loop thread. The reference that the request had goes with its final answer. */
static void send_all(struct infer_call *call, struct infer_answer *answer) {
    bool final = false;
    while (answer) {
        struct infer_answer *next = answer->next;
        final = answer->final;
        send(call, answer);
        answer = next;
    }
    if (final)
        infer_call_unref(call);
}

void infer_call_run_task(struct api_task *task) {
    struct infer_call *call = infer_call_of(task);
    pthread_mutex_lock(&call->lock);
    struct infer_answer *answer = take_answers(call);
    call->posted = false;
    pthread_mutex_unlock(&call->lock);
    send_all(call, answer);
}

/* Called with the lock held, which it leaves. The call may be gone after it when the answer is the final one. */
static void hand_over(struct infer_call *call, struct infer_answer *answer) {
    const struct api_context *context = call->context;
    answer->next = NULL;
    *call->last = answer;
    call->last = &answer->next;
    bool inside = call->submitting && pthread_equal(call->submitter, pthread_self());
    bool post = !call->posted && !inside;
    call->posted |= post;
    pthread_mutex_unlock(&call->lock);
    if (post)
        context->loop->post(context->loop, &call->task);
}

/* The call will end with this error, as soon as the core gives the request back. */
static void fail(struct infer_call *call, struct status status) {
    call->end.status = status;
    atomic_store(&call->request->cancelled, true);
}

static void encode_part(struct infer_call *call, const struct infer_response *response) {
    struct infer_answer *answer = calloc(1, sizeof *answer);
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an answer");
    if (answer)
        status = call->ops->encode(call, response, &answer->bytes);
    if (status_is_ok(&status)) {
        pthread_mutex_lock(&call->lock);
        hand_over(call, answer);
        return;
    }
    fail(call, status);
    if (answer)
        infer_answer_free(call, answer);
}

static void encode_end(struct infer_call *call, const struct infer_response *response) {
    struct infer_answer *end = &call->end;
    end->empty = response->empty;
    if (!status_is_ok(&response->status)) {
        end->status = response->status;
        return;
    }
    struct status status = call->ops->encode(call, response, &end->bytes);
    if (!status_is_ok(&status))
        end->status = status;
}

static void on_response(struct infer_request *request, struct infer_response *response, void *user) {
    (void)request;
    struct infer_call *call = user;
    struct infer_answer *end = &call->end;
    infer_trace_response(call, response);
    if (!status_is_ok(&end->status)) {
        /* It has failed on our side; the model only had not ended yet. */
    } else if (!response->final) {
        encode_part(call, response);
    } else {
        encode_end(call, response);
        if (status_is_ok(&end->status) && call->tail.size > 0) {
            call->kept_response = response;
            return;
        }
    }
    infer_response_destroy(response);
}

static void on_release(struct infer_request *request, void *user) {
    struct infer_call *call = user;
    struct infer_answer *end = &call->end;
    if (!status_is_ok(&end->status)) {
        call_log_failure(call->context->log, request, &end->status);
        buf_free(&end->bytes); /* what an encoder that failed has left */
        if (call->ops->encode_error)
            call->ops->encode_error(call, &end->status, &end->bytes);
    }
    infer_trace_release(call, request, &end->status);
    end->final = true;
    struct buf body = BUF_EMPTY;
    if (call->kept_response && call->kept_response->borrows) {
        call->kept_request = request;
    } else {
        body = call->body;
        call->body = BUF_EMPTY;
    }
    bool kept = call->kept_request != NULL;
    /* The answer first; the request's memory is freed while it is on its way. The call is the loop's after this. */
    pthread_mutex_lock(&call->lock);
    call->request = NULL;
    hand_over(call, end);
    if (!kept)
        infer_request_destroy(request);
    buf_free(&body);
}

void *infer_call_create(const struct infer_call_ops *ops, size_t size, const struct api_context *context,
                        void *exchange, size_t body_size) {
    struct infer_call *call = calloc(1, size);
    if (!call)
        return NULL;
    call->request = infer_request_create(decoded_size_max(body_size));
    if (!call->request || pthread_mutex_init(&call->lock, NULL) != 0) {
        infer_request_destroy(call->request);
        free(call);
        return NULL;
    }
    call->ops = ops;
    call->protocol = ops->protocol;
    call->context = context;
    call->exchange = exchange;
    if (tracer_is_on(context->tracer))
        call->created_ns = clock_monotonic_ns();
    call->last = &call->first;
    call->task.run = infer_call_run_task;
    atomic_init(&call->references, 1);
    return call;
}

void infer_call_set_body_size(struct infer_call *call, size_t body_size) {
    arena_set_limit(call->request->arena, decoded_size_max(body_size));
}

/* ---- submission ---- */

size_t infer_call_held_bytes(const struct infer_call *call) {
    return call->body.size + arena_used(call->request->arena);
}

struct status infer_call_no_room(const struct infer_call *call) {
    return http_budget_no_room(call->context->budget, infer_call_held_bytes(call), "the request");
}

struct status infer_call_book(const struct infer_call *call, struct http_exchange *exchange) {
    return http_exchange_hold(exchange, infer_call_held_bytes(call)) ? status_ok() : infer_call_no_room(call);
}

/* Sends what has come from within the submission. */
static void end_submission(struct infer_call *call) {
    pthread_mutex_lock(&call->lock);
    call->submitting = false;
    struct infer_answer *answer = call->posted ? NULL : take_answers(call);
    pthread_mutex_unlock(&call->lock);
    send_all(call, answer);
}

/* Of the inputs together, wherever they lie. */
static size_t input_bytes(const struct infer_request *request) {
    size_t bytes = 0;
    for (size_t i = 0; i < request->input_count; i++) {
        const struct tensor *input = &request->inputs[i];
        if (__builtin_add_overflow(bytes, input->data.size, &bytes) ||
            __builtin_add_overflow(bytes, input->part.size, &bytes))
            return SIZE_MAX; /* the part does not exist, which the submission finds out */
    }
    return bytes;
}

struct status infer_call_submit(struct infer_call *call) {
    struct infer_request *request = call->request;
    request->on_response = on_response;
    request->on_release = on_release;
    request->user = call;
    request->runs_inside = input_bytes(request) <= INFER_INSIDE_BYTES;
    call->deadline_ns = request->deadline_ns;
    call->submitter = pthread_self();
    call->submitting = true;
    atomic_fetch_add(&call->references, 1);
    infer_trace_submit(call);
    struct recorder *recorder = call->context->recorder;
    bool records = recorder_is_open(recorder);
    struct recorded *recorded = records ? infer_record_make(call) : NULL;
    struct status status = inference_server_submit(call->context->server, request);
    if (!status_is_ok(&status)) {
        infer_trace_release(call, request, &status);
        request->on_release = NULL; /* still ours: not to be cancelled */
        atomic_fetch_sub(&call->references, 1);
        recorder_discard(recorded);
        return status;
    }
    end_submission(call);
    if (records)
        recorder_commit(recorder, recorded);
    return status_ok();
}

/* on_release, which never runs on this thread meanwhile, waits for the lock: the request is the core's until then. */
static bool is_submitted(const struct infer_call *call) {
    return call->request && call->request->on_release;
}

void infer_call_expire(struct infer_call *call) {
    struct infer_answer *answer = NULL;
    pthread_mutex_lock(&call->lock);
    if (!call->over && is_submitted(call)) {
        struct status status = inference_server_expire(call->context->server, call->request);
        answer = create_error(call, &status);
    }
    pthread_mutex_unlock(&call->lock);
    if (answer) /* else the request's own end, which has been hastened, tells it */
        send_own(call, answer);
}

bool infer_call_refuse(struct infer_call *call, const struct status *error) {
    struct infer_answer *answer = create_error(call, error);
    if (!answer)
        return false;
    infer_request_destroy(call->request); /* the answer may have to wait for others, but needs no memory for that */
    call->request = NULL;
    buf_free(&call->body);
    send_own(call, answer);
    return true;
}

void infer_call_sent(struct infer_call *call) {
    if (call && call->trace)
        trace_stamp(call->trace, TRACE_SEND_END, clock_monotonic_ns());
}

static void release_tail(void *user) {
    infer_call_unref(user);
}

struct http_tail infer_call_tail(struct infer_call *call) {
    if (call->tail.size == 0)
        return (struct http_tail){.release = NULL};
    atomic_fetch_add(&call->references, 1);
    return (struct http_tail){.bytes = call->tail, .release = release_tail, .user = call};
}

void infer_call_copy_tail(struct infer_call *call, struct buf *out) {
    if (call->tail.size > 0)
        buf_append(out, call->tail.data, call->tail.size);
    call->tail = (struct slice){NULL, 0};
    free_kept(call);
}

void infer_call_detach(struct infer_call *call) {
    if (!call)
        return;
    call->exchange = NULL;
    pthread_mutex_lock(&call->lock);
    if (is_submitted(call))
        inference_server_cancel(call->context->server, call->request);
    else
        infer_call_leave_decoding(call);
    pthread_mutex_unlock(&call->lock);
    infer_call_unref(call);
}
