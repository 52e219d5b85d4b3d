/* call.c: one gRPC call on an exchange: from its head to its status.
 *
 * A call whose head is refused never becomes a struct grpc_call: it is answered at once, and the exchange's context
 * stays NULL. Otherwise the call lives in the exchange's arena. */
#include "grpc/call.h"

#include <string.h>

#include "base/clock.h"
#include "grpc/call_head.h"
#include "grpc/ending.h"
#include "grpc/message_reader.h"
#include "grpc/message_unpack.h"
#include "grpc/metadata.h"
#include "grpc/unpacking.h"

/* Messages up to this size are moved to make room for their prefix; larger ones get it in a buffer of its own. */
enum { PREFIX_BY_MOVE_MAX = 64 << 10 };

struct grpc_call {
    struct http_exchange *exchange;
    const struct grpc_service *service;
    const struct grpc_method *method;
    void *context;
    uint64_t deadline_ns;
    uint64_t wake_ns; /* 0: not wanted */
    struct message_reader reader;
    struct buf message;          /* the one that was last complete */
    size_t lent_bytes;           /* held by the method */
    struct unpacking *unpacking; /* of the message under way, by another thread; NULL: none */
    size_t unpacked_here;        /* bytes, by the on_data that runs */
    bool paused;
    bool in_message;  /* on_message of a stream runs: what gave it the message goes on with the next */
    bool has_message; /* unary: it has come */
    bool half_closed; /* by the client, while a message was unpacked */
    bool shut_down;   /* by the server, likewise: the message has come, and is answered */
    bool announced;   /* the method got a callback, so a last one is owed */
    bool head_sent;
    bool finished;
    bool detached; /* the last callback was given */
};

/* Makes what the call has in memory known, with what the method has of it. */
static bool hold(struct grpc_call *call, size_t lent_bytes) {
    size_t packed = call->unpacking ? call->unpacking->packed_size : 0;
    return http_exchange_hold(call->exchange,
                              lent_bytes + call->message.size + message_reader_used(&call->reader) + packed);
}

/* ---- status ---- */

static void leave_unpacking(struct grpc_call *call) {
    if (!call->unpacking)
        return;
    unpacking_leave(call->unpacking);
    call->unpacking = NULL;
    (void)hold(call, call->lent_bytes); /* less than before, which is always possible */
}

void grpc_refuse(struct http_exchange *exchange, enum grpc_code code, const char *message, uint32_t retry_ms) {
    ending_answer(exchange, 200, &(struct ending){code, message, retry_ms});
}

void grpc_call_finish_for_now(struct grpc_call *call, enum grpc_code code, const char *message, uint32_t retry_ms) {
    const struct ending ending = {code, message, retry_ms};
    if (call->finished)
        return;
    call->finished = true;
    leave_unpacking(call);
    if (!call->head_sent) {
        ending_answer(call->exchange, 200, &ending);
        return;
    }
    struct http_header fields[ENDING_FIELDS_MAX];
    size_t count = ending_fields(call->exchange, &ending, fields);
    http_respond_end(call->exchange, fields, count);
}

void grpc_call_finish(struct grpc_call *call, enum grpc_code code, const char *message) {
    grpc_call_finish_for_now(call, code, message, 0);
}

static void cancel(struct grpc_call *call) {
    if (call->announced && !call->detached && call->method->on_cancel)
        call->method->on_cancel(call);
    call->detached = true;
}

/* Ends the call on our own account. */
static void fail(struct grpc_call *call, enum grpc_code code, const char *message) {
    grpc_call_finish(call, code, message);
    cancel(call);
}

static void fail_with(struct grpc_call *call, const struct status *status) {
    fail(call, status->code == STATUS_RESOURCE_EXHAUSTED ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL, status->message);
}

/* ---- head ---- */

bool grpc_is_call(const struct http_request *request) {
    struct slice value;
    return http_request_header(request, "content-type", &value) && grpc_is_content_type(value);
}

void grpc_on_head(const struct grpc_service *services, size_t service_count, struct http_exchange *exchange) {
    struct call_head head;
    http_exchange_set_context(exchange, NULL);
    if (!call_head_read(services, service_count, exchange, &head))
        return;
    struct grpc_call *call = arena_calloc(http_exchange_arena(exchange), 1, sizeof *call);
    if (!call) {
        grpc_refuse(exchange, GRPC_RESOURCE_EXHAUSTED, "no memory for a call", ENDING_BUSY_RETRY_MS);
        return;
    }
    call->exchange = exchange;
    call->service = head.service;
    call->method = head.method;
    call->deadline_ns = head.deadline_ns;
    call->reader.encoding = head.encoding;
    call->reader.max_bytes = head.service->max_message_bytes;
    http_exchange_set_context(exchange, call);
    http_exchange_stream_body(exchange, head.method->client_streaming);
    http_exchange_set_deadline(exchange, head.deadline_ns);
}

/* ---- messages ---- */

/* A message is complete. Unary ones wait for the half-close, which shows that there is only one. */
static void take_message(struct grpc_call *call) {
    call->message = call->reader.message;
    call->reader.message = BUF_EMPTY;
    if (!call->method->client_streaming) {
        call->has_message = true;
        message_reader_next(&call->reader);
        return;
    }
    call->announced = true;
    call->in_message = true;
    call->method->on_message(call, buf_slice(&call->message));
    call->in_message = false;
    /* Its memory, if it was not taken, serves the next one. */
    call->reader.message = call->message;
    call->message = BUF_EMPTY;
    message_reader_next(&call->reader);
}

/* The budget of all sessions has no room for it. */
static void finish_without_room(struct grpc_call *call, const char *what) {
    struct status status = http_budget_no_room(http_exchange_budget(call->exchange), 0, what);
    grpc_call_finish_for_now(call, GRPC_RESOURCE_EXHAUSTED, status.message, ENDING_BUSY_RETRY_MS);
}

static void fail_without_room(struct grpc_call *call, const char *what) {
    finish_without_room(call, what);
    cancel(call);
}

/* Books what the reader has; false, and the call has ended, when there is no room for it. */
static bool hold_message(struct grpc_call *call) {
    if (hold(call, call->lent_bytes))
        return true;
    fail_without_room(call, "the message");
    return false;
}

/* Silence is all right between the messages of a stream, and while we take none. */
static void allow_idle(struct grpc_call *call) {
    http_exchange_allow_idle(
        call->exchange, call->unpacking || (call->method->client_streaming && message_reader_is_empty(&call->reader)));
}

/* ---- packed messages ---- */

/* The message has come back from the thread that unpacked it; what has come meanwhile is next. */
static void on_unpacked(struct unpacking *unpacking) {
    struct grpc_call *call = unpacking->call;
    call->unpacking = NULL;
    call->reader.message = unpacking->message;
    unpacking->message = BUF_EMPTY;
    if (unpacking->status.code == STATUS_UNAVAILABLE) {
        fail_without_room(call, "the message, unpacked");
    } else if (!status_is_ok(&unpacking->status)) {
        fail_with(call, &unpacking->status);
    } else if (hold_message(call)) {
        take_message(call);
        allow_idle(call);
        if (call->half_closed)
            grpc_on_end(call->exchange);
        if (call->shut_down)
            grpc_on_shutdown(call->exchange);
        http_exchange_resume_body(call->exchange);
    }
}

/* Gives the message to another thread. */
static void unpack_elsewhere(struct grpc_call *call) {
    const struct unpacking order = {.encoding = call->reader.encoding,
                                    .max_bytes = call->reader.max_bytes,
                                    .budget = http_exchange_budget(call->exchange),
                                    .on_end = on_unpacked,
                                    .call = call,
                                    .message = call->reader.message};
    call->unpacking = unpacking_start(call->service, &order);
    if (call->unpacking) {
        call->reader.message = BUF_EMPTY;
        return;
    }
    grpc_call_finish_for_now(call, GRPC_RESOURCE_EXHAUSTED,
                             "no thread can be had to unpack the message; try again later", ENDING_BUSY_RETRY_MS);
    cancel(call);
}

/* Unpacks the message, which is complete, here or elsewhere. Small ones that come together are many, too. */
static void take_packed(struct grpc_call *call) {
    struct buf *message = &call->reader.message;
    bool quick = message->size <= UNPACKING_HERE_PACKED && call->unpacked_here < UNPACKING_HERE_BYTES;
    if (message->size > 0 && !quick && call->service->submit) {
        unpack_elsewhere(call);
        return;
    }
    struct status status =
        message_unpack(call->reader.encoding, call->reader.max_bytes, (struct inflate_gate){NULL, NULL}, message);
    call->unpacked_here += message->size;
    if (!status_is_ok(&status))
        fail_with(call, &status);
    else if (hold_message(call))
        take_message(call);
}

/* ---- what the client sends ---- */

/* Takes bytes of one message; returns how many. */
static size_t take_data(struct grpc_call *call, const char *data, size_t size) {
    size_t taken = 0;
    bool complete = false;
    struct status status = message_reader_take(&call->reader, data, size, &taken, &complete);
    if (!status_is_ok(&status)) {
        fail_with(call, &status);
        return size;
    }
    if (!hold_message(call))
        return size;
    http_exchange_await_body(call->exchange, call->reader.wanted - call->reader.message.size);
    if (complete && message_reader_is_packed(&call->reader))
        take_packed(call);
    else if (complete)
        take_message(call);
    allow_idle(call);
    return taken;
}

size_t grpc_on_data(struct http_exchange *exchange, const char *data, size_t size) {
    struct grpc_call *call = http_exchange_context(exchange);
    size_t at = 0;
    if (call)
        call->unpacked_here = 0;
    while (call && at < size && !call->finished) {
        if (call->unpacking || (call->paused && message_reader_is_empty(&call->reader)))
            return at;
        if (call->has_message)
            fail(call, GRPC_UNIMPLEMENTED, "the method takes exactly one message, the client sent more");
        else
            at += take_data(call, data + at, size - at);
    }
    return size;
}

char *grpc_on_place(struct http_exchange *exchange, size_t *ret_room) {
    struct grpc_call *call = http_exchange_context(exchange);
    return call && !call->finished && !call->unpacking ? message_reader_place(&call->reader, ret_room) : NULL;
}

void grpc_on_misplaced(struct http_exchange *exchange, const char *end) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call || call->finished)
        return;
    message_reader_misplaced(&call->reader, end);
    (void)hold_message(call);
}

void grpc_on_end(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call || call->finished)
        return;
    if (call->unpacking) {
        call->half_closed = true; /* on_unpacked goes on with that */
    } else if (call->deadline_ns != 0 && clock_monotonic_ns() >= call->deadline_ns) {
        grpc_on_deadline(exchange);
    } else if (!message_reader_is_empty(&call->reader)) {
        fail(call, GRPC_INTERNAL, "the client half-closed in the middle of a message");
    } else if (call->method->client_streaming) {
        call->announced = true;
        call->method->on_half_close(call);
    } else if (!call->has_message) {
        fail(call, GRPC_UNIMPLEMENTED, "the method takes exactly one message, the client sent none");
    } else {
        call->announced = true;
        call->method->on_message(call, buf_slice(&call->message));
    }
}

/* ---- ends ---- */

static void free_buffers(struct grpc_call *call) {
    leave_unpacking(call);
    message_reader_free(&call->reader);
    buf_free(&call->message);
}

void grpc_on_abort(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call)
        return;
    call->finished = true;
    cancel(call);
    free_buffers(call);
}

/* The exchange has one timer for both times. True when it is for the wake. */
static bool wakes_first(const struct grpc_call *call) {
    return call->wake_ns && (!call->deadline_ns || call->wake_ns < call->deadline_ns);
}

static void set_timer(struct grpc_call *call) {
    http_exchange_set_deadline(call->exchange, wakes_first(call) ? call->wake_ns : call->deadline_ns);
}

void grpc_on_deadline(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call || call->finished)
        return;
    bool expired = !wakes_first(call);
    call->wake_ns = 0;
    if (call->announced && call->method->on_wake)
        call->method->on_wake(call);
    if (call->finished)
        return;
    if (expired)
        fail(call, GRPC_DEADLINE_EXCEEDED, "Deadline Exceeded");
    else
        set_timer(call);
}

void grpc_on_drain(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (call && !call->finished && call->announced && call->method->on_drain)
        call->method->on_drain(call);
}

void grpc_on_no_room(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (call && !call->finished)
        fail_without_room(call, "the message");
}

void grpc_on_shutdown(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call || call->finished || (!call->method->client_streaming && !call->method->on_shutdown))
        return;
    if (call->unpacking)
        call->shut_down = true;
    else if (call->announced && call->method->on_shutdown)
        call->method->on_shutdown(call);
    else
        grpc_call_finish(call, GRPC_UNAVAILABLE, "Server exiting");
}

void grpc_on_close(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call)
        return;
    call->finished = true;
    if (call->announced && !call->detached && call->method->on_close)
        call->method->on_close(call);
    call->detached = true;
    free_buffers(call);
}

/* ---- what methods ask ---- */

void *grpc_call_user(const struct grpc_call *call) {
    return call->service->user;
}

const struct grpc_method *grpc_call_method(const struct grpc_call *call) {
    return call->method;
}

struct http_exchange *grpc_call_exchange(struct grpc_call *call) {
    return call->exchange;
}

struct arena *grpc_call_arena(struct grpc_call *call) {
    return http_exchange_arena(call->exchange);
}

uint64_t grpc_call_deadline_ns(const struct grpc_call *call) {
    return call->deadline_ns;
}

void grpc_call_set_context(struct grpc_call *call, void *context) {
    call->context = context;
}

void *grpc_call_context(const struct grpc_call *call) {
    return call->context;
}

struct buf grpc_call_take_message(struct grpc_call *call, struct slice *ret_message) {
    struct buf message = call->message;
    call->message = BUF_EMPTY;
    *ret_message = buf_slice(&message);
    return message;
}

void grpc_call_pause(struct grpc_call *call) {
    call->paused = true;
}

void grpc_call_resume(struct grpc_call *call) {
    if (!call->paused)
        return;
    call->paused = false;
    if (!call->in_message)
        http_exchange_resume_body(call->exchange);
}

bool grpc_call_hold(struct grpc_call *call, size_t bytes) {
    if (!hold(call, bytes))
        return false;
    call->lent_bytes = bytes;
    return true;
}

void grpc_call_wake_at(struct grpc_call *call, uint64_t time_ns) {
    call->wake_ns = time_ns;
    set_timer(call);
}

size_t grpc_call_unsent_bytes(const struct grpc_call *call) {
    return http_exchange_unsent_bytes(call->exchange);
}

void grpc_call_await_drain(struct grpc_call *call, size_t bytes) {
    http_exchange_await_drain(call->exchange, bytes);
}

bool grpc_call_is_finished(const struct grpc_call *call) {
    return call->finished;
}

static void write_prefix(char *to, size_t size) {
    to[0] = 0;
    for (int i = 0; i < 4; i++)
        to[1 + i] = (char)(size >> (24 - 8 * i));
}

/* Puts the prefix of a message of `size` bytes before the first ones of it, in their own memory. */
static void prefix_by_move(struct buf *message, size_t size) {
    if (!buf_reserve(message, MESSAGE_PREFIX_BYTES))
        return;
    memmove(message->data + MESSAGE_PREFIX_BYTES, message->data, message->size);
    write_prefix(message->data, size);
    message->size += MESSAGE_PREFIX_BYTES;
}

static void release(const struct http_tail *tail) {
    if (tail->release)
        tail->release(tail->user);
}

void grpc_call_send_with_tail(struct grpc_call *call, struct buf *message, struct http_tail tail) {
    size_t size = message->size + tail.bytes.size;
    bool too_large = buf_failed(message) || size > UINT32_MAX;
    if (!call->finished && too_large)
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "the answer is too large");
    else if (!call->finished && !http_exchange_take_room(call->exchange, size + MESSAGE_PREFIX_BYTES))
        finish_without_room(call, "the answer");
    if (call->finished) {
        buf_free(message);
        release(&tail);
        return;
    }
    if (!call->head_sent) {
        const struct http_header head[] = {ending_content_type, ending_accept_encoding()};
        call->head_sent = true;
        http_respond_head(call->exchange, 200, head, sizeof head / sizeof head[0]);
    }
    if (message->size > PREFIX_BY_MOVE_MAX) {
        struct buf prefix = BUF_EMPTY;
        char bytes[MESSAGE_PREFIX_BYTES];
        write_prefix(bytes, size);
        buf_append(&prefix, bytes, sizeof bytes);
        http_respond_data(call->exchange, &prefix);
    } else {
        prefix_by_move(message, size);
    }
    http_respond_data(call->exchange, message);
    if (tail.bytes.size > 0)
        http_respond_tail(call->exchange, tail);
}

void grpc_call_send(struct grpc_call *call, struct buf *message) {
    grpc_call_send_with_tail(call, message, (struct http_tail){.release = NULL});
}
