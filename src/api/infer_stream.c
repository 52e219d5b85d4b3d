#include "api/infer_stream.h"

#include "api/call_log.h"
#include "api/grpc_front.h"
#include "api/infer_call.h"
#include "api/infer_head.h"
#include "base/clock.h"

/* Bytes of answers that the client has not taken at which requests are taken again, behind INFER_STREAM_UNREAD_MAX. */
enum { UNREAD_RESUME = 64 << 10 };

struct infer_stream {
    struct grpc_call *grpc;
    const struct api_context *context;
    struct stream_call *first, *last;                 /* pending requests, as they came */
    struct stream_call *ordered_first, *ordered_last; /* those of them that are answered in this order */
    struct stream_call *decoding;                     /* one that is not pending yet; none is taken meanwhile */
    size_t pending;
    size_t held_bytes; /* by these, booked */
    uint64_t wake_ns;  /* asked for; 0: not */
    bool errors_end;   /* triton_grpc_error */
    bool half_closed;
    bool ending; /* the server is being stopped */
};

struct stream_call {
    struct infer_call call;
    const struct infer_stream_ops *ops;
    struct stream_call *previous, *next, *next_ordered;
    size_t bytes; /* that it holds: of its request, or of the answers that have to wait */
    bool ordered;
    bool wants_empty_final;
    struct infer_answer *waiting, **waiting_last; /* answers before which others must go out */
};

/* ---- pending requests ---- */

static void add_call(struct infer_stream *stream, struct stream_call *call) {
    call->previous = stream->last;
    if (stream->last)
        stream->last->next = call;
    else
        stream->first = call;
    stream->last = call;
    if (call->ordered) {
        if (stream->ordered_last)
            stream->ordered_last->next_ordered = call;
        else
            stream->ordered_first = call;
        stream->ordered_last = call;
    }
    stream->pending++;
}

/* Takes a request out, which is cancelled if it still runs. An ordered one is the first of those, or all of them go. */
static void drop_call(struct infer_stream *stream, struct stream_call *call) {
    if (call->previous)
        call->previous->next = call->next;
    else
        stream->first = call->next;
    if (call->next)
        call->next->previous = call->previous;
    else
        stream->last = call->previous;
    if (stream->ordered_first == call)
        stream->ordered_first = call->next_ordered;
    if (!stream->ordered_first)
        stream->ordered_last = NULL;
    stream->pending--;
    stream->held_bytes -= call->bytes;
    while (call->waiting) {
        struct infer_answer *answer = call->waiting;
        call->waiting = answer->next;
        infer_answer_free(&call->call, answer);
    }
    infer_call_detach(&call->call);
}

static void drop_all(struct infer_stream *stream) {
    if (stream->decoding) {
        stream->held_bytes -= stream->decoding->bytes;
        infer_call_detach(&stream->decoding->call);
    }
    stream->decoding = NULL;
    while (stream->first)
        drop_call(stream, stream->first);
}

/* ---- answers ---- */

/* Only such a one has a tail. */
static bool is_good_end(const struct infer_answer *answer) {
    return answer->final && status_is_ok(&answer->status);
}

static void emit(struct infer_stream *stream, struct stream_call *call, struct infer_answer *answer) {
    struct http_tail tail = {.release = NULL};
    if (!status_is_ok(&answer->status) && stream->errors_end) {
        grpc_front_fail(stream->grpc, &answer->status);
        return;
    }
    if (!buf_failed(&answer->bytes) && answer->bytes.size == 0)
        return; /* it is an end that nobody wants to hear of */
    if (is_good_end(answer))
        tail = infer_call_tail(&call->call);
    grpc_call_send_with_tail(stream->grpc, &answer->bytes, tail);
}

/* Sends what the first of the ordered requests has, and goes on to the next ones that are complete. */
static void emit_waiting(struct infer_stream *stream) {
    struct stream_call *call;
    while ((call = stream->ordered_first) != NULL && call->waiting && !grpc_call_is_finished(stream->grpc)) {
        struct infer_answer *answer = call->waiting;
        bool final = answer->final;
        call->waiting = answer->next;
        if (!call->waiting)
            call->waiting_last = &call->waiting;
        emit(stream, call, answer);
        infer_answer_free(&call->call, answer);
        if (final) {
            infer_call_sent(&call->call);
            drop_call(stream, call);
        }
    }
}

/* ---- what comes in, at the pace at which answers go out ---- */

/* After every change: ends what has to end, and stops or goes on taking requests. */
static void settle(struct infer_stream *stream) {
    if (grpc_call_is_finished(stream->grpc)) {
        drop_all(stream);
        return;
    }
    if (!stream->first && !stream->decoding && (stream->half_closed || stream->ending)) {
        grpc_call_finish(stream->grpc, stream->half_closed ? GRPC_OK : GRPC_UNAVAILABLE,
                         stream->half_closed ? "" : "Server exiting");
        return;
    }
    (void)grpc_call_hold(stream->grpc, stream->held_bytes); /* it is no more than before */
    size_t unread = grpc_call_unsent_bytes(stream->grpc);
    if (unread > UNREAD_RESUME)
        grpc_call_await_drain(stream->grpc, UNREAD_RESUME);
    if (stream->decoding || stream->ending || stream->pending >= stream->context->max_stream_requests ||
        unread > INFER_STREAM_UNREAD_MAX)
        grpc_call_pause(stream->grpc);
    else if (unread <= UNREAD_RESUME)
        grpc_call_resume(stream->grpc); /* more requests may come from within */
}

/* Makes `bytes` what a request holds; false when there is no room for that, and nothing changes. */
static bool book(struct infer_stream *stream, struct stream_call *call, size_t bytes) {
    size_t others = stream->held_bytes - call->bytes;
    if (!grpc_call_hold(stream->grpc, others + bytes))
        return false;
    stream->held_bytes = others + bytes;
    call->bytes = bytes;
    return true;
}

/* The answer has to wait for those of earlier requests. With the final one the memory of its own request has gone. */
static void keep(struct infer_stream *stream, struct stream_call *call, struct infer_answer *answer) {
    size_t before = answer->final && !call->waiting ? 0 : call->bytes;
    if (is_good_end(answer))
        infer_call_copy_tail(&call->call, &answer->bytes);
    answer->kept = true;
    answer->next = NULL;
    *call->waiting_last = answer;
    call->waiting_last = &answer->next;
    if (book(stream, call, before + answer->bytes.size))
        return;
    struct status status = http_budget_no_room(stream->context->budget, 0, "the answers that wait for earlier ones");
    grpc_front_fail(stream->grpc, &status);
}

/* Of struct infer_call_ops, like the next two. */
static void send(struct infer_call *base, struct infer_answer *answer) {
    struct stream_call *call = (struct stream_call *)base;
    struct infer_stream *stream = base->exchange;
    if (call->ordered && stream->ordered_first != call) {
        keep(stream, call, answer);
    } else {
        emit(stream, call, answer);
        if (answer->final) {
            infer_call_sent(&call->call);
            drop_call(stream, call);
            emit_waiting(stream);
        }
    }
    settle(stream);
}

static struct status encode(struct infer_call *base, const struct infer_response *response, struct buf *out) {
    const struct stream_call *call = (struct stream_call *)base;
    if (response->empty && !call->wants_empty_final)
        return status_ok();
    if (!response->arena)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the end of the responses");
    struct slice *tail = response->final ? &base->tail : NULL;
    STATUS_TRY(call->ops->encode(base->context, base->request, response, out, tail));
    /* The answer is booked until the client has it; what is kept for its tail is not to be much more than that. */
    size_t kept = arena_used(response->arena) + (response->borrows ? infer_call_held_bytes(base) : 0);
    if (base->tail.size < kept / 2)
        infer_call_copy_tail(base, out);
    return status_ok();
}

static void encode_error(struct infer_call *base, const struct status *error, struct buf *out) {
    const struct stream_call *call = (struct stream_call *)base;
    struct status status = call->ops->encode_error(base->context, base->request, error, out);
    if (!status_is_ok(&status))
        out->failed = true; /* ends the stream */
}

static struct status decode(struct infer_call *base) {
    struct stream_call *call = (struct stream_call *)base;
    return call->ops->decode(base->context, base->message, base->request, &call->wants_empty_final);
}

static const struct infer_call_ops stream_call_ops = {
    .front = TRACE_GRPC, .decode = decode, .encode = encode, .encode_error = encode_error, .send = send};

/* ---- requests ---- */

/* The call's own, in its arena: made with its first message. NULL when memory is short. */
static struct infer_stream *stream_of(struct grpc_call *grpc) {
    struct infer_stream *stream = grpc_call_context(grpc);
    if (stream)
        return stream;
    stream = arena_calloc(grpc_call_arena(grpc), 1, sizeof *stream);
    if (!stream)
        return NULL;
    struct slice value;
    stream->grpc = grpc;
    stream->context = grpc_call_user(grpc);
    stream->errors_end =
        http_request_header(http_exchange_request(grpc_call_exchange(grpc)), "triton_grpc_error", &value) &&
        slice_equal_nocase(value, SLICE_LITERAL("true"));
    grpc_call_set_context(grpc, stream);
    return stream;
}

/* A model that is not there is found out by the submission. */
static bool is_decoupled(const struct infer_stream *stream, const struct infer_request *request) {
    struct model *model = NULL;
    struct status status =
        inference_server_acquire_model(stream->context->server, request->model_name, request->model_version, &model);
    bool decoupled = status_is_ok(&status) && model_config_of(model)->decoupled;
    model_release(model);
    return decoupled;
}

static struct status prepare(struct infer_stream *stream, struct stream_call *call, const struct status *decoded) {
    if (!status_is_ok(decoded))
        return *decoded;
    STATUS_TRY(infer_head_apply(&call->call, grpc_call_exchange(stream->grpc), TRACE_GRPC));
    call->ordered = !is_decoupled(stream, call->call.request);
    bool roomy = book(stream, call, infer_call_held_bytes(&call->call));
    return roomy ? status_ok() : infer_call_no_room(&call->call);
}

static void wake_for(struct infer_stream *stream, uint64_t deadline) {
    if (deadline == 0 || deadline == grpc_call_deadline_ns(stream->grpc) ||
        (stream->wake_ns != 0 && stream->wake_ns <= deadline))
        return;
    stream->wake_ns = deadline;
    grpc_call_wake_at(stream->grpc, deadline);
}

static void out_of_memory(struct infer_stream *stream) {
    grpc_call_finish(stream->grpc, GRPC_RESOURCE_EXHAUSTED, "out of memory for the request");
}

/* Decoded: from now on the request is pending. */
static void start(struct infer_call *base, const struct status *decoded) {
    struct stream_call *call = (struct stream_call *)base;
    struct infer_stream *stream = base->exchange;
    stream->decoding = NULL;
    struct status status = prepare(stream, call, decoded);
    add_call(stream, call);
    uint64_t deadline_ns = base->request->deadline_ns;
    if (status_is_ok(&status))
        status = infer_call_submit(base);
    if (status_is_ok(&status)) { /* the call may have had its last answer, and be gone */
        wake_for(stream, deadline_ns);
    } else {
        call_log_failure(stream->context->log, base->request, &status);
        if (!infer_call_refuse(base, &status))
            out_of_memory(stream);
    }
    settle(stream);
}

static void take_request(struct infer_stream *stream, const struct infer_stream_ops *ops, struct slice message) {
    struct stream_call *call = infer_call_create(&stream_call_ops, sizeof *call, stream->context, stream, message.size);
    if (!call) {
        out_of_memory(stream);
        settle(stream);
        return;
    }
    struct infer_call *base = &call->call;
    call->ops = ops;
    call->ordered = true; /* until its model is known */
    call->waiting_last = &call->waiting;
    base->protocol = ops->protocol;
    base->body = grpc_call_take_message(stream->grpc, &message); /* so that its memory lives as long */
    base->message = message;
    base->request->takes_several = true;
    base->request->deadline_ns = grpc_call_deadline_ns(stream->grpc);
    base->request->times.received = clock_monotonic_ns();
    stream->decoding = call;
    (void)book(stream, call, message.size); /* no more than is booked for the message until now */
    infer_call_decode(base, message.size / INFER_WEIGHT_OF_MESSAGE, start);
    if (stream->decoding)
        settle(stream); /* no more are taken until a decoder has done it */
}

void infer_stream_on_message(const struct infer_stream_ops *ops, struct grpc_call *grpc, struct slice message) {
    struct infer_stream *stream = stream_of(grpc);
    if (stream)
        take_request(stream, ops, message);
    else
        grpc_call_finish(grpc, GRPC_RESOURCE_EXHAUSTED, "out of memory for the request");
}

void infer_stream_on_half_close(struct grpc_call *grpc) {
    struct infer_stream *stream = stream_of(grpc);
    if (!stream) {
        grpc_call_finish(grpc, GRPC_RESOURCE_EXHAUSTED, "out of memory for the call");
        return;
    }
    stream->half_closed = true;
    settle(stream);
}

/* ---- time, and the end ---- */

/* A pending request whose deadline has passed and whose client has not been told; those whose deadline is the stream's
 * end with it. Each is found once. */
static struct stream_call *find_expired(struct infer_stream *stream, uint64_t now_ns) {
    for (struct stream_call *call = stream->first; call; call = call->next) {
        uint64_t *deadline = &call->call.deadline_ns;
        if (*deadline == 0 || *deadline > now_ns || *deadline == grpc_call_deadline_ns(stream->grpc))
            continue;
        *deadline = 0;
        return call;
    }
    return NULL;
}

void infer_stream_on_wake(struct grpc_call *grpc) {
    struct infer_stream *stream = grpc_call_context(grpc);
    if (!stream)
        return;
    uint64_t now_ns = clock_monotonic_ns();
    struct stream_call *call;
    stream->wake_ns = 0;
    while ((call = find_expired(stream, now_ns)) != NULL)
        infer_call_expire(&call->call); /* may take out any of them, and bring in others */
    for (call = stream->first; call; call = call->next)
        wake_for(stream, call->call.deadline_ns);
}

void infer_stream_on_drain(struct grpc_call *grpc) {
    struct infer_stream *stream = grpc_call_context(grpc);
    if (stream)
        settle(stream);
}

void infer_stream_on_shutdown(struct grpc_call *grpc) {
    struct infer_stream *stream = grpc_call_context(grpc);
    if (!stream)
        return;
    stream->ending = true;
    settle(stream);
}

void infer_stream_leave(struct grpc_call *grpc) {
    struct infer_stream *stream = grpc_call_context(grpc);
    grpc_call_set_context(grpc, NULL);
    if (stream)
        drop_all(stream);
}
