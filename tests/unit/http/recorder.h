/* recorder.h: a handler for tests: it writes down every callback and answers as the path says. */
#ifndef INFERD_TEST_HTTP_RECORDER_H
#define INFERD_TEST_HTTP_RECORDER_H

#include "base/clock.h"
#include "http/exchange_priv.h"
#include "peer.h"

struct recorder {
    struct http_handler handler;
    struct buf log;             /* "head /echo|end|close|" */
    struct http_exchange *held; /* of /hold, unanswered, or of /sip */
    size_t thirst;              /* bytes that /sip still takes */
    size_t heads, ends, lasts;
    size_t body_capacity; /* most memory a collected body had */
};

static struct buf text_buf(const char *text) {
    struct buf buf = BUF_EMPTY;
    buf_append_text(&buf, text);
    return buf;
}

static void recorder_note(struct recorder *recorder, const char *event, const struct http_exchange *exchange) {
    buf_printf(&recorder->log, "%s %.*s|", event, SLICE_ARGS(http_exchange_request(exchange)->path));
}

static bool recorder_path(const struct http_exchange *exchange, const char *path) {
    return slice_equal_text(http_exchange_request(exchange)->path, path);
}

/* For longer than a turn, although its clock may be behind. */
static void recorder_work(void) {
    for (uint64_t end = clock_monotonic_ns() + 10 * EXCHANGE_TURN_NS; clock_monotonic_ns() < end;)
        ;
}

static void recorder_on_head(void *user, struct http_exchange *exchange) {
    struct recorder *recorder = user;
    recorder->heads++;
    recorder_note(recorder, "head", exchange);
    http_exchange_set_context(exchange, recorder);
    if (recorder_path(exchange, "/refuse")) {
        struct buf body = text_buf("refused");
        http_respond(exchange, 403, NULL, 0, &body);
    } else if (recorder_path(exchange, "/stream") || recorder_path(exchange, "/sip") ||
               recorder_path(exchange, "/grind")) {
        http_exchange_stream_body(exchange, false);
        http_respond_head(exchange, 200, NULL, 0);
    } else if (recorder_path(exchange, "/idle")) {
        http_exchange_stream_body(exchange, true);
    } else if (recorder_path(exchange, "/deadline")) {
        http_exchange_set_deadline(exchange, http_exchange_received_ns(exchange) + 5 * NS_PER_S);
    }
}

/* /sip takes no more than recorder->thirst lets it. */
static size_t recorder_on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    struct recorder *recorder = user;
    bool sips = recorder_path(exchange, "/sip");
    if (recorder_path(exchange, "/grind"))
        recorder_work();
    if (sips) {
        size = size < recorder->thirst ? size : recorder->thirst;
        recorder->thirst -= size;
        recorder->held = exchange;
    }
    struct buf piece = BUF_EMPTY;
    buf_append(&piece, data, size);
    if (sips || recorder_path(exchange, "/stream"))
        http_respond_data(exchange, &piece);
    buf_free(&piece);
    return size;
}

static void recorder_on_drain(void *user, struct http_exchange *exchange) {
    recorder_note(user, "drain", exchange);
    assert_true(http_exchange_unsent_bytes(exchange) <= 1000);
}

static void recorder_answer_pieces(struct http_exchange *exchange) {
    static const struct http_header head = {{"X-Kind", 6}, {"pieces", 6}};
    static const struct http_header trailers[] = {{{"x-sum", 5}, {"6", 1}}, {{"x-end", 5}, {"", 0}}};
    http_respond_head(exchange, 200, &head, 1);
    for (int i = 1; i <= 3; i++) {
        struct buf piece = BUF_EMPTY;
        buf_printf(&piece, "[%d]", i);
        http_respond_data(exchange, &piece);
    }
    http_respond_end(exchange, trailers, 2);
}

/* All that a handler could get wrong: fields of the session's, a line break in a value, a second answer. */
static void recorder_answer_dirty(struct http_exchange *exchange) {
    static const struct http_header fields[] = {
        {{"Content-Length", 14}, {"999", 3}},
        {{"connection", 10}, {"upgrade", 7}},
        {{"x-evil", 6}, {" a\r\nset-cookie: b\0c", 19}},
        {{"transfer-encoding", 17}, {"chunked", 7}},
    };
    struct buf body = text_buf("once"), again = text_buf("twice"), more = text_buf("thrice");
    http_respond(exchange, 200, fields, 4, &body);
    http_respond(exchange, 500, NULL, 0, &again);
    http_respond_data(exchange, &more);
    http_respond_end(exchange, NULL, 0);
}

/* Tells what the request looked like. */
static void recorder_answer_describe(struct http_exchange *exchange) {
    const struct http_request *request = http_exchange_request(exchange);
    struct buf body = BUF_EMPTY;
    struct slice value = {NULL, 0};
    bool present = http_request_header(request, "x-test", &value);
    buf_printf(&body, "%.*s %.*s ?%.*s @%.*s x-test=%s%.*s length=%lld", SLICE_ARGS(request->method),
               SLICE_ARGS(request->path), SLICE_ARGS(request->query), SLICE_ARGS(request->authority),
               present ? "" : "none", SLICE_ARGS(value), (long long)request->content_length);
    http_respond(exchange, 200, NULL, 0, &body);
}

static void recorder_on_end(void *user, struct http_exchange *exchange) {
    struct recorder *recorder = user;
    recorder->ends++;
    recorder_note(recorder, "end", exchange);
    if (recorder_path(exchange, "/hold") || recorder_path(exchange, "/deadline")) {
        recorder->held = exchange;
    } else if (recorder_path(exchange, "/pieces")) {
        recorder_answer_pieces(exchange);
    } else if (recorder_path(exchange, "/dirty")) {
        recorder_answer_dirty(exchange);
    } else if (recorder_path(exchange, "/describe")) {
        recorder_answer_describe(exchange);
    } else if (recorder_path(exchange, "/stream") || recorder_path(exchange, "/sip") ||
               recorder_path(exchange, "/grind")) {
        http_respond_end(exchange, NULL, 0);
    } else if (recorder_path(exchange, "/reset")) {
        http_exchange_reset(exchange);
    } else if (recorder_path(exchange, "/reset-in-answer")) {
        struct buf piece = text_buf("some");
        http_respond_head(exchange, 200, NULL, 0);
        http_respond_data(exchange, &piece);
        http_exchange_reset(exchange);
    } else if (recorder_path(exchange, "/busy")) {
        recorder_work();
        struct buf body = text_buf("done");
        http_respond(exchange, 200, NULL, 0, &body);
    } else if (recorder_path(exchange, "/nothing")) {
        struct buf body = text_buf("must not be sent");
        http_respond(exchange, 204, NULL, 0, &body);
    } else {
        struct buf body = http_exchange_take_body(exchange);
        if (body.capacity > recorder->body_capacity)
            recorder->body_capacity = body.capacity;
        http_respond(exchange, 200, NULL, 0, &body);
    }
}

static void recorder_on_deadline(void *user, struct http_exchange *exchange) {
    struct recorder *recorder = user;
    recorder_note(recorder, "deadline", exchange);
    recorder->held = NULL;
    struct buf body = text_buf("too late");
    http_respond(exchange, 504, NULL, 0, &body);
}

static void recorder_last(struct recorder *recorder, const char *event, struct http_exchange *exchange) {
    recorder->lasts++;
    assert_ptr_equal(http_exchange_context(exchange), recorder);
    recorder_note(recorder, event, exchange);
    if (recorder->held == exchange)
        recorder->held = NULL;
    /* What comes after the end is without effect, and does not leak. */
    struct buf late = text_buf("late");
    http_respond(exchange, 200, NULL, 0, &late);
}

static void recorder_on_abort(void *user, struct http_exchange *exchange) {
    recorder_last(user, "abort", exchange);
}

static void recorder_on_close(void *user, struct http_exchange *exchange) {
    recorder_last(user, "close", exchange);
}

static void recorder_open(struct recorder *recorder) {
    *recorder = (struct recorder){.handler = {.on_head = recorder_on_head,
                                              .on_data = recorder_on_data,
                                              .on_end = recorder_on_end,
                                              .on_deadline = recorder_on_deadline,
                                              .on_drain = recorder_on_drain,
                                              .on_abort = recorder_on_abort,
                                              .on_close = recorder_on_close,
                                              .user = recorder}};
}

/* Every exchange that was announced got exactly one last callback. */
static void recorder_close(struct recorder *recorder) {
    assert_int_equal(recorder->heads, recorder->lasts);
    assert_null(recorder->held);
    buf_free(&recorder->log);
}

static inline void recorder_assert_log(struct recorder *recorder, const char *log) {
    buf_append_char(&recorder->log, '\0');
    assert_string_equal(recorder->log.data, log);
    buf_clear(&recorder->log);
}

/* Answers the exchange that /hold keeps. */
static inline void recorder_release(struct recorder *recorder, const char *body) {
    struct buf answer = text_buf(body);
    assert_non_null(recorder->held);
    http_respond(recorder->held, 200, NULL, 0, &answer);
}

#endif
