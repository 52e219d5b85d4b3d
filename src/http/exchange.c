/* exchange.c: the life of an exchange that both protocols share: the states of the answer, and the cleaning of what
 * handlers give. It never touches bytes of the wire. The request's body is in exchange_body.c. */
#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/exchange_priv.h"
#include "http/http_limits.h"
#include "http/http_text.h"

struct http_limits http_limits_default(void) {
    return (struct http_limits){
        .max_head_bytes = HTTP_HEAD_MAX,
        .max_header_count = HTTP_FIELDS_MAX,
        .max_body_bytes = (size_t)64 << 20,
        .max_concurrent_streams = 256,
        .idle_timeout_ns = 300 * NS_PER_S,
        .head_timeout_ns = HTTP_HEAD_TIMEOUT_S * NS_PER_S,
        .body_timeout_ns = 60 * NS_PER_S,
        .drain_timeout_ns = HTTP_DRAIN_TIMEOUT_S * NS_PER_S,
        .max_resets_per_second = HTTP_H2_RESETS_PER_SECOND,
        .turn_ns = EXCHANGE_TURN_NS,
        .min_placed_bytes = HTTP_MIN_PLACED_BYTES,
    };
}

/* ---- life ---- */

void exchange_pool_init(struct exchange_pool *pool, const struct http_limits *limits) {
    *pool = (struct exchange_pool){.account.limits = limits};
}

void exchange_pool_free(struct exchange_pool *pool) {
    while (pool->count > 0)
        arena_destroy(pool->spare[--pool->count]);
}

void *exchange_create(struct exchange_pool *pool, size_t size, struct session *session, const struct exchange_ops *ops,
                      const struct http_handler *handler, const struct http_limits *limits) {
    struct arena *arena = pool->count > 0 ? pool->spare[--pool->count] : arena_create(0);
    if (!arena)
        return NULL;
    struct http_exchange *exchange = arena_calloc(arena, 1, size);
    if (!exchange) {
        arena_destroy(arena);
        return NULL;
    }
    exchange->request.content_length = -1;
    exchange->inner_status = -1;
    exchange->arena = arena;
    exchange->session = session;
    exchange->ops = ops;
    exchange->handler = handler;
    exchange->limits = limits;
    exchange->account = exchange->answer.account = &pool->account;
    return exchange;
}

bool exchange_book_head(struct http_exchange *exchange, size_t bytes) {
    if (!http_account_take(exchange->account, bytes))
        return false;
    exchange->head_bytes += bytes;
    return true;
}

/* What the handler has put into the arena stays as long as the answer waits. It is there already, so it is not refused;
 * what comes next is. */
static void book_arena(struct http_exchange *exchange) {
    size_t used = arena_used(exchange->arena);
    if (used <= exchange->head_bytes)
        return;
    http_account_force(exchange->account, used - exchange->head_bytes);
    exchange->head_bytes = used;
}

static void drop_answer(struct http_exchange *exchange) {
    http_account_give(exchange->account, exchange->room);
    exchange->room = 0;
    http_queue_clear(&exchange->answer);
}

void exchange_finish(struct exchange_pool *pool, struct http_exchange *exchange, bool sent) {
    /* Whatever the handler still tries in its last callback is without effect. */
    exchange->answer_state = HTTP_ANSWER_RESET;
    if (exchange->announced) {
        const struct http_handler *handler = exchange->handler;
        (sent ? handler->on_close : handler->on_abort)(handler->user, exchange);
    }
    drop_answer(exchange);
    http_queue_free(&exchange->answer, exchange->booked_bytes);
    exchange->booked_bytes = 0;
    exchange_free_body(exchange);
    http_account_give(exchange->account, exchange->head_bytes);
    struct arena *arena = exchange->arena;
    if (pool->count < EXCHANGE_POOL_SIZE) {
        arena_reset(arena);
        pool->spare[pool->count++] = arena;
    } else {
        arena_destroy(arena);
    }
}

/* Lets the session, and then the connection, see what a handler has done. */
static void announce_change(struct http_exchange *exchange) {
    struct session *session = exchange->session;
    if (exchange->ops->changed)
        exchange->ops->changed(exchange);
    if (session->wake)
        session->wake(session->wake_user);
}

/* A whole answer, as it is passed around: its own bytes and what comes behind them. */
struct whole {
    struct http_piece body, tail;
};

static void respond_booked(struct http_exchange *exchange, int status, const struct http_header *headers,
                           size_t header_count, struct whole *whole);

void exchange_announce(struct http_exchange *exchange) {
    exchange->announced = true;
    exchange->handler->on_head(exchange->handler->user, exchange);
    exchange_check_content_length(exchange);
}

uint64_t exchange_drain_timeout(const struct http_limits *limits, uint64_t timeout_ns) {
    return timeout_ns < limits->drain_timeout_ns ? timeout_ns : limits->drain_timeout_ns;
}

bool exchange_check_deadline(struct http_exchange *exchange, uint64_t now_ns) {
    if (exchange->deadline_ns == 0 || now_ns < exchange->deadline_ns)
        return false;
    exchange->deadline_ns = 0;
    if (exchange_is_open(exchange) && exchange->handler->on_deadline)
        exchange->handler->on_deadline(exchange->handler->user, exchange);
    return true;
}

void exchange_refuse(struct http_exchange *exchange, int status, const char *format, ...) {
    if (exchange->answer_state != HTTP_ANSWER_NONE) {
        http_exchange_reset(exchange);
        return;
    }
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct buf body = BUF_EMPTY;
    buf_printf(&body, "{\"error\":\"%s\"}", text);
    static const struct http_header headers[] = {{{"content-type", 12}, {"application/json", 16}},
                                                 {{"retry-after", 11}, {"1", 1}}};
    http_account_force(exchange->account, body.size);
    struct whole whole = {.body.own = body};
    respond_booked(exchange, status, headers, status == 503 ? 2 : 1, &whole);
}

void exchange_refuse_beyond_budget(struct http_exchange *exchange, const char *what) {
    exchange_refuse(exchange, 503, "%s", http_budget_no_room(exchange->limits->budget, 0, what).message);
}

void exchange_refuse_large_head(struct http_exchange *exchange, int status, const char *text) {
    const struct http_limits *limits = exchange->limits;
    exchange_refuse(exchange, status, "%s; at most %zu bytes and %zu header fields are taken", text,
                    limits->max_head_bytes, limits->max_header_count);
}

/* ---- what handlers ask ---- */

const struct http_request *http_exchange_request(const struct http_exchange *exchange) {
    return &exchange->request;
}

bool http_request_header(const struct http_request *request, const char *name, struct slice *ret) {
    struct slice wanted = slice_of(name);
    for (size_t i = 0; i < request->header_count; i++) {
        if (slice_equal(request->headers[i].name, wanted)) {
            *ret = request->headers[i].value;
            return true;
        }
    }
    return false;
}

struct status http_request_sole_header(const struct http_request *request, const char *name, struct slice *ret) {
    size_t found = 0;
    *ret = (struct slice){NULL, 0};
    for (size_t i = 0; i < request->header_count; i++)
        if (slice_equal_text(request->headers[i].name, name) && found++ == 0)
            *ret = request->headers[i].value;
    if (found <= 1)
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "header %s: expected it once, got it %zu times", name, found);
}

struct arena *http_exchange_arena(struct http_exchange *exchange) {
    return exchange->arena;
}

uint64_t http_exchange_received_ns(const struct http_exchange *exchange) {
    return exchange->received_ns;
}

void http_exchange_set_deadline(struct http_exchange *exchange, uint64_t monotonic_ns) {
    exchange->deadline_ns = monotonic_ns;
    announce_change(exchange);
}

void http_exchange_allow_idle(struct http_exchange *exchange, bool allowed) {
    if (exchange->idle_allowed == allowed || !exchange_is_open(exchange))
        return;
    exchange->idle_allowed = allowed;
    announce_change(exchange);
}

void http_exchange_set_context(struct http_exchange *exchange, void *context) {
    exchange->context = context;
}

void *http_exchange_context(const struct http_exchange *exchange) {
    return exchange->context;
}

void http_exchange_set_note(struct http_exchange *exchange, void *note) {
    exchange->note = note;
}

void *http_exchange_note(const struct http_exchange *exchange) {
    return exchange->note;
}

int http_exchange_status(const struct http_exchange *exchange) {
    return exchange->status;
}

uint64_t http_exchange_answer_bytes(const struct http_exchange *exchange) {
    return exchange->answer_bytes;
}

void http_exchange_set_inner_status(struct http_exchange *exchange, int status) {
    exchange->inner_status = status;
}

int http_exchange_inner_status(const struct http_exchange *exchange) {
    return exchange->inner_status;
}

size_t http_exchange_unsent_bytes(const struct http_exchange *exchange) {
    return exchange->answer.bytes;
}

void http_exchange_await_drain(struct http_exchange *exchange, size_t bytes) {
    exchange->drain_wanted = true;
    exchange->drain_bytes = bytes;
    announce_change(exchange); /* it may be so already */
}

bool exchange_drain_is_due(const struct http_exchange *exchange) {
    return exchange->drain_wanted && exchange->answer.bytes <= exchange->drain_bytes && exchange_is_open(exchange);
}

void exchange_drain(struct http_exchange *exchange) {
    exchange->drain_wanted = false;
    if (exchange->handler->on_drain)
        exchange->handler->on_drain(exchange->handler->user, exchange);
}

void exchange_shutdown(struct http_exchange *exchange) {
    if (exchange->announced && exchange->handler->on_shutdown && exchange_is_open(exchange))
        exchange->handler->on_shutdown(exchange->handler->user, exchange);
}

void http_exchange_peer_text(const struct http_exchange *exchange, char *text, size_t size) {
    const struct session *session = exchange->session;
    if (size > 0)
        text[0] = '\0';
    if (session->peer_text)
        session->peer_text(session->wake_user, text, size);
}

/* ---- answers ---- */

/* The value with control characters turned into blanks: a handler's text must not end the field. */
static struct slice clean_value(struct arena *arena, struct slice value) {
    if (http_all_chars(value, HTTP_CHAR_VALUE))
        return slice_trim(value);
    char *copy = arena_strdup(arena, value);
    if (!copy)
        return (struct slice){NULL, 0};
    for (size_t i = 0; i < value.size; i++)
        if (!(http_char_class[(unsigned char)copy[i]] & HTTP_CHAR_VALUE))
            copy[i] = ' ';
    return slice_trim((struct slice){copy, value.size});
}

/* The fields that may be sent, in arena memory. NULL when memory is short. */
static struct http_header *clean_fields(struct http_exchange *exchange, const struct http_header *fields, size_t count,
                                        size_t *ret_count) {
    struct http_header *clean = arena_calloc(exchange->arena, count, sizeof *clean);
    size_t n = 0;
    for (size_t i = 0; clean && i < count; i++) {
        assert(http_is_token(fields[i].name));
        if (http_is_session_field(fields[i].name))
            continue;
        clean[n].name = fields[i].name;
        clean[n].value = clean_value(exchange->arena, fields[i].value);
        n++;
    }
    *ret_count = n;
    return clean;
}

static void send_head(struct http_exchange *exchange, int status, const struct http_header *headers,
                      size_t header_count, int64_t content_length) {
    struct http_answer_head head = {.status = status, .content_length = content_length};
    head.headers = clean_fields(exchange, headers, header_count, &head.header_count);
    head.no_body = slice_equal_text(exchange->request.method, "HEAD") || status == 204 || status == 304;
    if (status == 204 || status == 304)
        head.content_length = -1;
    exchange->answer_no_body = head.no_body;
    exchange->status = status;
    exchange->answer_state = HTTP_ANSWER_BEGUN;
    if (!head.headers || !exchange->ops->send_head(exchange, &head))
        http_exchange_reset(exchange);
}

/* Takes over the piece, whose size is booked. */
static void push_piece(struct http_exchange *exchange, struct http_piece *piece) {
    size_t size = http_piece_bytes(piece).size;
    bool failed = buf_failed(&piece->own);
    bool queued = !exchange->answer_no_body && !failed && http_queue_push(&exchange->answer, piece);
    if (queued) {
        exchange->answer_bytes += size;
    } else {
        http_piece_free(piece);
        http_account_give(exchange->account, size);
    }
    if (failed || (!queued && !exchange->answer_no_body))
        http_exchange_reset(exchange);
}

static void end_answer(struct http_exchange *exchange) {
    exchange->answer_state = HTTP_ANSWER_ENDED;
    exchange->deadline_ns = 0;
    announce_change(exchange);
}

static size_t whole_size(const struct whole *whole) {
    return http_piece_bytes(&whole->body).size + http_piece_bytes(&whole->tail).size;
}

static void whole_free(struct whole *whole) {
    http_piece_free(&whole->body);
    http_piece_free(&whole->tail);
}

/* Answers with what is booked; only where no answer has begun. */
static void respond_booked(struct http_exchange *exchange, int status, const struct http_header *headers,
                           size_t header_count, struct whole *whole) {
    size_t size = whole_size(whole);
    book_arena(exchange);
    send_head(exchange, status, headers, header_count, (int64_t)size);
    if (exchange->answer_state == HTTP_ANSWER_BEGUN) {
        push_piece(exchange, &whole->body);
        push_piece(exchange, &whole->tail);
    } else {
        whole_free(whole);
        http_account_give(exchange->account, size);
    }
    if (exchange->answer_state == HTTP_ANSWER_BEGUN)
        end_answer(exchange);
}

void http_respond_with_tail(struct http_exchange *exchange, int status, const struct http_header *headers,
                            size_t header_count, struct buf *body, struct http_tail tail) {
    struct whole whole = {.body.own = body ? *body : BUF_EMPTY, .tail.tail = tail};
    if (body)
        *body = BUF_EMPTY;
    if (exchange->answer_state != HTTP_ANSWER_NONE) {
        whole_free(&whole);
    } else if (!http_account_take(exchange->account, whole_size(&whole))) {
        whole_free(&whole);
        exchange_refuse_beyond_budget(exchange, "the answer");
    } else {
        respond_booked(exchange, status, headers, header_count, &whole);
    }
}

void http_respond(struct http_exchange *exchange, int status, const struct http_header *headers, size_t header_count,
                  struct buf *body) {
    http_respond_with_tail(exchange, status, headers, header_count, body, (struct http_tail){.release = NULL});
}

void http_respond_head(struct http_exchange *exchange, int status, const struct http_header *headers,
                       size_t header_count) {
    if (exchange->answer_state != HTTP_ANSWER_NONE)
        return;
    book_arena(exchange);
    send_head(exchange, status, headers, header_count, -1);
    if (exchange->answer_state == HTTP_ANSWER_BEGUN)
        announce_change(exchange);
}

bool http_exchange_take_room(struct http_exchange *exchange, size_t bytes) {
    http_account_give(exchange->account, exchange->room);
    exchange->room = 0;
    if (!http_account_take(exchange->account, bytes))
        return false;
    exchange->room = bytes;
    return true;
}

/* First of the room that is booked already. */
static bool book_piece(struct http_exchange *exchange, size_t size) {
    size_t known = size < exchange->room ? size : exchange->room;
    if (!http_account_take(exchange->account, size - known))
        return false;
    exchange->room -= known;
    return true;
}

static void respond_piece(struct http_exchange *exchange, struct http_piece *piece) {
    if (exchange->answer_state != HTTP_ANSWER_BEGUN) {
        http_piece_free(piece);
        return;
    }
    if (book_piece(exchange, http_piece_bytes(piece).size)) {
        push_piece(exchange, piece);
    } else {
        http_piece_free(piece);
        http_exchange_reset(exchange);
    }
    if (exchange->answer_state == HTTP_ANSWER_BEGUN)
        announce_change(exchange);
}

void http_respond_data(struct http_exchange *exchange, struct buf *data) {
    struct http_piece piece = {.own = *data};
    *data = BUF_EMPTY;
    respond_piece(exchange, &piece);
}

void http_respond_tail(struct http_exchange *exchange, struct http_tail tail) {
    struct http_piece piece = {.tail = tail};
    respond_piece(exchange, &piece);
}

/* Trailers are sent later than given, so all their bytes are copied. */
static bool copy_trailers(struct http_exchange *exchange, const struct http_header *trailers, size_t count) {
    exchange->trailers = clean_fields(exchange, trailers, count, &exchange->trailer_count);
    if (!exchange->trailers)
        return false;
    for (size_t i = 0; i < exchange->trailer_count; i++) {
        struct http_header *trailer = &exchange->trailers[i];
        struct slice name = arena_copy(exchange->arena, trailer->name);
        struct slice value = arena_copy(exchange->arena, trailer->value);
        if (name.size != trailer->name.size || value.size != trailer->value.size)
            return false;
        *trailer = (struct http_header){name, value};
    }
    return true;
}

void http_respond_end(struct http_exchange *exchange, const struct http_header *trailers, size_t trailer_count) {
    if (exchange->answer_state != HTTP_ANSWER_BEGUN)
        return;
    if (copy_trailers(exchange, trailers, trailer_count))
        end_answer(exchange);
    else
        http_exchange_reset(exchange);
}

void http_exchange_reset(struct http_exchange *exchange) {
    if (exchange->answer_state == HTTP_ANSWER_RESET)
        return;
    exchange->answer_state = HTTP_ANSWER_RESET;
    exchange->deadline_ns = 0;
    drop_answer(exchange);
    announce_change(exchange);
}
