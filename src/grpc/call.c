/* call.c: one gRPC call on an exchange: from its head to its status.
 *
 * A call whose head is refused never becomes a struct grpc_call: it is answered at once, and the exchange's context
 * stays NULL. Otherwise the call lives in the exchange's arena. */
#include "grpc/call.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "grpc/message_reader.h"
#include "grpc/metadata.h"

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
    struct buf message; /* the one that was last complete */
    size_t lent_bytes;  /* held by the method */
    bool paused;
    bool has_message; /* unary: it has come */
    bool announced;   /* the method got a callback, so a last one is owed */
    bool head_sent;
    bool finished;
    bool detached; /* the last callback was given */
};

static const struct http_header content_type = {{"content-type", 12}, {"application/grpc", 16}};

static struct http_header accept_encoding(void) {
    return (struct http_header){SLICE_LITERAL("grpc-accept-encoding"), grpc_accepted_encodings()};
}

/* ---- status ---- */

enum {
    STATUS_FIELDS = 3,
    BUSY_RETRY_MS = 1000 /* what a client is asked to wait when there is no memory for its message */
};

/* How a call ends. */
struct ending {
    enum grpc_code code;
    const char *message;
    uint32_t retry_ms; /* 0: nothing is said of another try */
};

/* grpc-status, grpc-message and grpc-retry-pushback-ms, in arena memory; how many of the three. */
static size_t status_fields(struct http_exchange *exchange, const struct ending *ending,
                            struct http_header fields[static STATUS_FIELDS]) {
    struct arena *arena = http_exchange_arena(exchange);
    size_t count = 0;
    http_exchange_set_inner_status(exchange, (int)ending->code);
    fields[count++] = (struct http_header){SLICE_LITERAL("grpc-status"), arena_u64(arena, ending->code)};
    struct slice text = grpc_encode_message(arena, slice_of(ending->message));
    if (text.size > 0)
        fields[count++] = (struct http_header){SLICE_LITERAL("grpc-message"), text};
    const char *retry = ending->retry_ms ? arena_printf(arena, "%u", (unsigned)ending->retry_ms) : NULL;
    if (retry)
        fields[count++] = (struct http_header){SLICE_LITERAL("grpc-retry-pushback-ms"), slice_of(retry)};
    return count;
}

/* The whole answer in one block of fields. http_status is 200 except for what is no call at all. */
static void answer_trailers_only(struct http_exchange *exchange, int http_status, const struct ending *ending) {
    struct http_header fields[2 + STATUS_FIELDS] = {content_type, accept_encoding()};
    size_t count = 2 + status_fields(exchange, ending, fields + 2);
    http_respond(exchange, http_status, fields, count, NULL);
}

void grpc_refuse(struct http_exchange *exchange, enum grpc_code code, const char *message, uint32_t retry_ms) {
    answer_trailers_only(exchange, 200, &(struct ending){code, message, retry_ms});
}

void grpc_call_finish_for_now(struct grpc_call *call, enum grpc_code code, const char *message, uint32_t retry_ms) {
    const struct ending ending = {code, message, retry_ms};
    if (call->finished)
        return;
    call->finished = true;
    if (!call->head_sent) {
        answer_trailers_only(call->exchange, 200, &ending);
        return;
    }
    struct http_header fields[STATUS_FIELDS];
    size_t count = status_fields(call->exchange, &ending, fields);
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

static const struct grpc_method *find_method(const struct grpc_service *services, size_t service_count,
                                             struct slice path, const struct grpc_service **ret_service) {
    for (size_t i = 0; i < service_count; i++) {
        for (size_t k = 0; k < services[i].method_count; k++) {
            if (slice_equal(path, services[i].methods[k].path)) {
                *ret_service = &services[i];
                return &services[i].methods[k];
            }
        }
    }
    return NULL;
}

/* Requests that do not even speak gRPC get an HTTP status. True when this one was answered. */
static bool refuse_other_protocols(struct http_exchange *exchange, const struct http_request *request) {
    if (request->version < 20) {
        static const struct http_header type = {{"content-type", 12}, {"text/plain", 10}};
        struct buf text = BUF_EMPTY;
        buf_append_text(&text, "gRPC needs HTTP/2\n");
        http_respond(exchange, 505, &type, 1, &text);
        return true;
    }
    if (!grpc_is_call(request)) {
        answer_trailers_only(exchange, 415,
                             &(struct ending){GRPC_UNKNOWN, "the content-type is not application/grpc", 0});
        return true;
    }
    if (!slice_equal_text(request->method, "POST")) {
        answer_trailers_only(exchange, 405, &(struct ending){GRPC_INTERNAL, "the HTTP method of a call is POST", 0});
        return true;
    }
    return false;
}

static void refuse_value(struct http_exchange *exchange, enum grpc_code code, const char *what, struct slice value) {
    char text[256];
    snprintf(text, sizeof text, "%s: %.*s", what, SLICE_ARGS(value));
    grpc_refuse(exchange, code, text, 0);
}

/* From grpc-timeout; 0: none. False: the field is broken. */
static bool find_deadline(const struct http_exchange *exchange, const struct http_request *request, uint64_t *ret) {
    struct slice value;
    uint64_t timeout;
    *ret = 0;
    if (!http_request_header(request, "grpc-timeout", &value))
        return true;
    if (!grpc_parse_timeout(value, &timeout))
        return false;
    if (__builtin_add_overflow(http_exchange_received_ns(exchange), timeout, ret))
        *ret = 0; /* centuries away */
    return true;
}

/* Asks the service; for a path that none has, the first one. */
static bool is_admitted(const struct grpc_service *service, size_t service_count, const struct grpc_method *method,
                        struct http_exchange *exchange) {
    return service_count == 0 || !service->admit || service->admit(service->user, method, exchange);
}

void grpc_on_head(const struct grpc_service *services, size_t service_count, struct http_exchange *exchange) {
    const struct http_request *request = http_exchange_request(exchange);
    const struct grpc_service *service = NULL;
    struct slice encoding_name = SLICE_LITERAL("identity"), timeout = {NULL, 0};
    enum grpc_encoding encoding;
    uint64_t deadline_ns;
    http_exchange_set_context(exchange, NULL);
    if (refuse_other_protocols(exchange, request))
        return;
    http_request_header(request, "grpc-encoding", &encoding_name);
    http_request_header(request, "grpc-timeout", &timeout);
    const struct grpc_method *method = find_method(services, service_count, request->path, &service);
    if (!is_admitted(method ? service : services, service_count, method, exchange))
        return;
    struct grpc_call *call = method ? arena_calloc(http_exchange_arena(exchange), 1, sizeof *call) : NULL;
    if (!method) {
        refuse_value(exchange, GRPC_UNIMPLEMENTED, "unknown method", request->path);
    } else if (!grpc_parse_encoding(encoding_name, &encoding)) {
        refuse_value(exchange, GRPC_UNIMPLEMENTED, "unknown grpc-encoding", encoding_name);
    } else if (!find_deadline(exchange, request, &deadline_ns)) {
        refuse_value(exchange, GRPC_INTERNAL, "malformed grpc-timeout", timeout);
    } else if (!call) {
        grpc_refuse(exchange, GRPC_RESOURCE_EXHAUSTED, "no memory for a call", BUSY_RETRY_MS);
    } else {
        call->exchange = exchange;
        call->service = service;
        call->method = method;
        call->deadline_ns = deadline_ns;
        call->reader.encoding = encoding;
        call->reader.max_bytes = service->max_message_bytes;
        http_exchange_set_context(exchange, call);
        http_exchange_stream_body(exchange, method->client_streaming);
        http_exchange_set_deadline(exchange, deadline_ns);
    }
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
    call->method->on_message(call, buf_slice(&call->message));
    /* Its memory, if it was not taken, serves the next one. */
    call->reader.message = call->message;
    call->message = BUF_EMPTY;
    message_reader_next(&call->reader);
}

/* The budget of all sessions has no room for it. */
static void finish_without_room(struct grpc_call *call, const char *what) {
    char text[160];
    snprintf(text, sizeof text,
             "no room for the %s: all requests and answers together hold as many bytes as they may; try again later",
             what);
    grpc_call_finish_for_now(call, GRPC_RESOURCE_EXHAUSTED, text, BUSY_RETRY_MS);
}

/* Makes what the call has in memory known, with what the method has of it. */
static bool hold(struct grpc_call *call, size_t lent_bytes) {
    return http_exchange_hold(call->exchange, lent_bytes + call->message.size + call->reader.message.size);
}

/* Takes bytes of one message; returns how many. */
static size_t take_data(struct grpc_call *call, const char *data, size_t size) {
    size_t taken = 0;
    bool complete = false;
    struct status status = message_reader_take(&call->reader, data, size, &taken, &complete);
    if (!status_is_ok(&status)) {
        fail_with(call, &status);
        return size;
    }
    if (!hold(call, call->lent_bytes)) {
        finish_without_room(call, "message");
        cancel(call);
        return size;
    }
    if (complete)
        take_message(call);
    http_exchange_allow_idle(call->exchange, call->method->client_streaming && message_reader_is_empty(&call->reader));
    return taken;
}

size_t grpc_on_data(struct http_exchange *exchange, const char *data, size_t size) {
    struct grpc_call *call = http_exchange_context(exchange);
    size_t at = 0;
    while (call && at < size && !call->finished) {
        if (call->paused && message_reader_is_empty(&call->reader))
            return at;
        if (call->has_message)
            fail(call, GRPC_UNIMPLEMENTED, "the method takes exactly one message, the client sent more");
        else
            at += take_data(call, data + at, size - at);
    }
    return size;
}

void grpc_on_end(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call || call->finished)
        return;
    if (call->deadline_ns != 0 && clock_monotonic_ns() >= call->deadline_ns) {
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

void grpc_on_shutdown(struct http_exchange *exchange) {
    struct grpc_call *call = http_exchange_context(exchange);
    if (!call || call->finished || (!call->method->client_streaming && !call->method->on_shutdown))
        return;
    if (call->announced && call->method->on_shutdown)
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
    else if (!call->finished && !http_exchange_has_room(call->exchange, size + MESSAGE_PREFIX_BYTES))
        finish_without_room(call, "answer");
    if (call->finished) {
        buf_free(message);
        release(&tail);
        return;
    }
    if (!call->head_sent) {
        const struct http_header head[] = {content_type, accept_encoding()};
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
