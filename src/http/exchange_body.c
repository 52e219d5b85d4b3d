/* exchange_body.c: the body of a request, collected within its limit or handed on piece by piece, and what of it is
 * booked in the budget of all sessions. */
#include <assert.h>

#include "http/exchange_priv.h"

/* ---- budget ---- */

/* Makes `bytes` what is booked for the exchange; false, and nothing changes, when there is no room for more. */
static bool book(struct http_exchange *exchange, size_t bytes) {
    if (bytes == exchange->booked_bytes)
        return true;
    if (bytes < exchange->booked_bytes)
        http_account_give(exchange->account, exchange->booked_bytes - bytes);
    else if (!http_account_take(exchange->account, bytes - exchange->booked_bytes))
        return false;
    exchange->booked_bytes = bytes;
    return true;
}

/* Of a streamed body, besides what the handler holds. */
static size_t kept_bytes(const struct http_exchange *exchange) {
    return exchange->streaming ? exchange->body.size : 0;
}

bool http_exchange_hold(struct http_exchange *exchange, size_t bytes) {
    if (!book(exchange, bytes + kept_bytes(exchange)))
        return false;
    exchange->held_bytes = bytes;
    return true;
}

struct http_budget *http_exchange_budget(const struct http_exchange *exchange) {
    return exchange->limits->budget;
}

void exchange_free_body(struct http_exchange *exchange) {
    buf_free(&exchange->body);
    exchange->body_at = 0;
    (void)book(exchange, 0);
}

/* ---- refusals ---- */

static void refuse_large(struct http_exchange *exchange) {
    exchange_refuse(exchange, 413, "the request body is larger than the limit of %zu bytes",
                    exchange->limits->max_body_bytes);
}

void exchange_check_content_length(struct http_exchange *exchange) {
    if (!exchange_is_open(exchange) || exchange->streaming || exchange->request.content_length <= 0)
        return;
    uint64_t length = (uint64_t)exchange->request.content_length;
    if (length > exchange->limits->max_body_bytes)
        refuse_large(exchange);
    else if (!http_account_has_room(exchange->account, (size_t)length))
        exchange_refuse_beyond_budget(exchange, "the request body"); /* there is little sense in beginning to take it */
}

/* ---- collected ---- */

/* Books so many bytes of the body, or more that its memory uses; false, and it is refused, when there is no room. */
static bool hold_collected(struct http_exchange *exchange, size_t bytes) {
    if (http_exchange_hold(exchange, bytes > exchange->used_bytes ? bytes : exchange->used_bytes))
        return true;
    exchange_refuse_beyond_budget(exchange, "the request body");
    return false;
}

static void collect(struct http_exchange *exchange, const char *data, size_t size) {
    if (size > exchange->limits->max_body_bytes - exchange->body.size) {
        refuse_large(exchange);
        return;
    }
    if (!hold_collected(exchange, exchange->body.size + size))
        return;
    if (exchange->request.content_length >= 0)
        buf_reserve_promised(&exchange->body, size, (size_t)exchange->request.content_length);
    buf_append_placed(&exchange->body, data, size);
    if (buf_failed(&exchange->body))
        exchange_refuse(exchange, 503, "no memory for the request body");
}

struct slice http_exchange_body(const struct http_exchange *exchange) {
    return buf_slice(&exchange->body);
}

struct buf http_exchange_take_body(struct http_exchange *exchange) {
    struct buf body = exchange->body;
    exchange->body = BUF_EMPTY;
    return body;
}

/* ---- streamed ---- */

void http_exchange_stream_body(struct http_exchange *exchange, bool idle_allowed) {
    assert(exchange->handler->on_data && exchange->body.size == 0);
    exchange->streaming = true;
    exchange->idle_allowed = idle_allowed;
}

void http_exchange_await_body(struct http_exchange *exchange, size_t bytes) {
    exchange->awaited = bytes;
}

bool exchange_is_paused(const struct http_exchange *exchange) {
    return exchange->streaming && exchange->body.size > 0;
}

static void tell_taken(struct http_exchange *exchange, size_t bytes) {
    if (exchange->ops->taken)
        exchange->ops->taken(exchange, bytes);
}

static void tell_end(struct http_exchange *exchange) {
    exchange->end_told = true;
    exchange->handler->on_end(exchange->handler->user, exchange);
}

/* Gives bytes to on_data; returns how many it took: all, once the answer is complete and nobody needs them. */
static size_t offer(struct http_exchange *exchange, const char *data, size_t size) {
    exchange->in_on_data = true;
    size_t taken = exchange->handler->on_data(exchange->handler->user, exchange, data, size);
    exchange->in_on_data = false;
    taken = exchange_is_open(exchange) ? taken : size;
    tell_taken(exchange, taken);
    return taken;
}

/* There is no room for it. */
static void refuse_kept(struct http_exchange *exchange) {
    if (exchange->handler->on_no_room)
        exchange->handler->on_no_room(exchange->handler->user, exchange);
    if (exchange_is_open(exchange))
        exchange_refuse_beyond_budget(exchange, "the request body");
}

/* For on_data to take later. What it has taken meanwhile is moved out of the way now and then. */
static void keep(struct http_exchange *exchange, const char *data, size_t size) {
    struct buf *body = &exchange->body;
    if (exchange->body_at > 0 && exchange->body_at >= body->size / 2) {
        buf_consume(body, exchange->body_at);
        exchange->body_at = 0;
    }
    if (!book(exchange, exchange->held_bytes + body->size + size)) {
        refuse_kept(exchange);
        return;
    }
    buf_append(body, data, size);
    if (buf_failed(body))
        exchange_refuse(exchange, 503, "no memory for the request body");
}

/* The handler cannot have more now: it has not taken what came, or others have their turn. */
static bool must_wait(struct http_exchange *exchange) {
    if (exchange_is_paused(exchange))
        return true;
    exchange->awaits_turn = exchange->ops->turn_is_over && exchange->ops->turn_is_over(exchange);
    return exchange->awaits_turn;
}

static void stream(struct http_exchange *exchange, const char *data, size_t size) {
    size_t taken = must_wait(exchange) ? 0 : offer(exchange, data, size);
    if (taken < size)
        keep(exchange, data + taken, size - taken);
}

void http_exchange_resume_body(struct http_exchange *exchange) {
    if (exchange->in_on_data || !exchange_is_open(exchange))
        return;
    size_t kept = exchange->body.size - exchange->body_at;
    if (kept > 0) {
        size_t taken = offer(exchange, exchange->body.data + exchange->body_at, kept);
        exchange->body_at += taken;
        if (taken < kept)
            return;
        buf_free(&exchange->body);
        exchange->body_at = 0;
        (void)book(exchange, exchange->held_bytes);
    }
    if (exchange->request_ended && !exchange->end_told && exchange_is_open(exchange))
        tell_end(exchange);
}

/* ---- for sessions ---- */

void exchange_add_body(struct http_exchange *exchange, const char *data, size_t size) {
    if (size == 0)
        return;
    if (exchange->streaming && exchange_is_open(exchange)) {
        stream(exchange, data, size);
        return;
    }
    tell_taken(exchange, size);
    if (exchange_is_open(exchange))
        collect(exchange, data, size);
}

/* What is placed is in memory before it is booked. */
static bool has_room_for_placed(const struct http_exchange *exchange, size_t room) {
    return http_account_has_room(exchange->account, room < SESSION_PLACES_BYTES ? room : SESSION_PLACES_BYTES);
}

char *exchange_place(struct http_exchange *exchange, size_t *ret_room) {
    const struct http_handler *handler = exchange->handler;
    if (exchange->request_ended || !exchange_is_open(exchange))
        return NULL;
    char *to = NULL;
    if (!exchange->streaming && exchange->request.content_length > 0)
        to = buf_place(&exchange->body, (size_t)exchange->request.content_length, ret_room);
    else if (exchange->streaming && exchange->body.size == 0 && handler->on_place)
        to = handler->on_place(handler->user, exchange, ret_room);
    if (to && has_room_for_placed(exchange, *ret_room))
        return to;
    *ret_room = 0;
    return NULL;
}

void exchange_misplaced(struct http_exchange *exchange, const char *end) {
    const struct http_handler *handler = exchange->handler;
    if (!exchange_is_open(exchange))
        return; /* refused for the part before */
    if (exchange->streaming) {
        if (handler->on_misplaced)
            handler->on_misplaced(handler->user, exchange, end);
        return;
    }
    size_t used = (size_t)(end - exchange->body.data);
    if (used > exchange->used_bytes)
        exchange->used_bytes = used;
    (void)hold_collected(exchange, exchange->body.size);
}

size_t exchange_awaited(const struct http_exchange *exchange) {
    if (exchange->request_ended || !exchange_is_open(exchange))
        return 0;
    if (exchange->streaming)
        return exchange->awaited;
    int64_t told = exchange->request.content_length;
    return told > (int64_t)exchange->body.size ? (size_t)told - exchange->body.size : 0;
}

void exchange_end_request(struct http_exchange *exchange) {
    exchange->request_ended = true;
    if (!exchange->streaming)
        buf_shrink(&exchange->body);
    if (exchange_is_open(exchange) && !must_wait(exchange))
        tell_end(exchange);
}

void exchange_take_turn(struct http_exchange *exchange) {
    exchange->awaits_turn = false;
    if (exchange->streaming)
        http_exchange_resume_body(exchange);
    else if (exchange->request_ended && exchange_is_open(exchange))
        tell_end(exchange);
}
