/* A gRPC service and its client in memory: what tests of calls have in common. */
#ifndef TESTS_UNIT_GRPC_SERVICE_H
#define TESTS_UNIT_GRPC_SERVICE_H

#include "../http/peer.h"

#include "base/clock.h"
#include "grpc/call.h"

struct fixture {
    struct http_handler handler;
    struct grpc_service service;
    struct http_limits limits;
    struct peer peer;
    struct buf log;
    struct grpc_call *held;
    struct grpc_work *works[8]; /* of `submit`, not done yet */
    size_t work_count;
};

/* ---- the service ---- */

static inline struct fixture *of(struct grpc_call *call) {
    return grpc_call_user(call);
}

static inline void note(struct grpc_call *call, const char *event) {
    buf_printf(&of(call)->log, "%s %s|", event, strrchr(grpc_call_method(call)->path.data, '/') + 1);
}

static inline struct buf copy_of(struct slice text) {
    struct buf buf = BUF_EMPTY;
    buf_append_slice(&buf, text);
    return buf;
}

static inline void echo_on_message(struct grpc_call *call, struct slice message) {
    note(call, "message");
    struct slice taken;
    struct buf answer = grpc_call_take_message(call, &taken);
    assert_int_equal(taken.size, message.size);
    assert_ptr_equal(answer.data, message.data); /* not copied */
    grpc_call_send(call, &answer);
    grpc_call_finish(call, GRPC_OK, NULL);
    /* Nothing comes after the end. */
    struct buf more = copy_of(SLICE_LITERAL("more"));
    grpc_call_send(call, &more);
    grpc_call_finish(call, GRPC_INTERNAL, "twice");
}

static inline void hold_on_message(struct grpc_call *call, struct slice message) {
    note(call, "message");
    assert_true(slice_equal_text(message, "wait"));
    grpc_call_set_context(call, of(call));
    of(call)->held = call;
}

static inline void fail_on_message(struct grpc_call *call, struct slice message) {
    (void)message;
    note(call, "message");
    grpc_call_finish(call, GRPC_NOT_FOUND, "100% n\xc3\xb6\n");
}

static inline void stream_on_message(struct grpc_call *call, struct slice message) {
    note(call, "message");
    if (slice_equal_text(message, "stop")) {
        grpc_call_finish(call, GRPC_ABORTED, "as asked");
        return;
    }
    if (slice_equal_text(message, "pause")) {
        grpc_call_pause(call);
        of(call)->held = call;
        return;
    }
    if (message.size > 0 && message.data[0] == '!') { /* stops, and goes on at once */
        grpc_call_pause(call);
        grpc_call_resume(call);
    }
    struct buf answer = copy_of(message);
    grpc_call_send(call, &answer);
}

static inline void stream_on_half_close(struct grpc_call *call) {
    note(call, "half-close");
    grpc_call_finish(call, GRPC_OK, "");
}

static inline void on_cancel(struct grpc_call *call) {
    note(call, "cancel");
    grpc_call_finish(call, GRPC_OK, "too late");
    if (of(call)->held == call) {
        assert_ptr_equal(grpc_call_context(call), of(call));
        of(call)->held = NULL;
    }
}

static inline void on_close(struct grpc_call *call) {
    note(call, "close");
}

static inline void on_wake(struct grpc_call *call) {
    note(call, "wake");
}

static inline void on_drain(struct grpc_call *call) {
    note(call, "drain");
}

static const struct grpc_method methods[] = {
    {.path = SLICE_INIT("/t.S/Echo"), .on_message = echo_on_message, .on_cancel = on_cancel, .on_close = on_close},
    {.path = SLICE_INIT("/t.S/Hold"),
     .on_message = hold_on_message,
     .on_cancel = on_cancel,
     .on_close = on_close,
     .on_wake = on_wake,
     .on_drain = on_drain},
    {.path = SLICE_INIT("/t.S/Fail"), .on_message = fail_on_message},
    {.path = SLICE_INIT("/t.S/Stream"),
     .client_streaming = true,
     .on_message = stream_on_message,
     .on_half_close = stream_on_half_close,
     .on_cancel = on_cancel,
     .on_close = on_close},
};

/* ---- the composition ---- */

static inline void on_head(void *user, struct http_exchange *exchange) {
    grpc_on_head(&((struct fixture *)user)->service, 1, exchange);
}

static inline size_t on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    (void)user;
    return grpc_on_data(exchange, data, size);
}

static inline char *on_place(void *user, struct http_exchange *exchange, size_t *ret_room) {
    (void)user;
    return grpc_on_place(exchange, ret_room);
}

static inline void on_misplaced(void *user, struct http_exchange *exchange, const char *end) {
    (void)user;
    grpc_on_misplaced(exchange, end);
}

static inline void on_no_room(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_no_room(exchange);
}

static inline void on_end(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_end(exchange);
}

static inline void on_deadline(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_deadline(exchange);
}

static inline void on_exchange_drain(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_drain(exchange);
}

static inline void on_shutdown(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_shutdown(exchange);
}

static inline void on_abort(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_abort(exchange);
}

static inline void on_exchange_close(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_close(exchange);
}

/* Whoever says "stranger" is one. */
static inline bool admit(void *user, const struct grpc_method *method, struct http_exchange *exchange) {
    struct fixture *f = user;
    struct slice value;
    if (!http_request_header(http_exchange_request(exchange), "stranger", &value))
        return true;
    buf_printf(&f->log, "stranger %s|", method ? strrchr(method->path.data, '/') + 1 : "nowhere");
    grpc_refuse(exchange, GRPC_PERMISSION_DENIED, "go away", 250);
    return false;
}

/* For grpc_service.submit: keeps the work. */
static inline bool submit(void *user, struct grpc_work *work) {
    struct fixture *f = user;
    if (f->work_count == sizeof f->works / sizeof f->works[0])
        return false;
    f->works[f->work_count++] = work;
    return true;
}

static inline void open_fixture(struct fixture *f, bool h2) {
    f->limits = http_limits_default();
    f->handler = (struct http_handler){.on_head = on_head,
                                       .on_data = on_data,
                                       .on_place = on_place,
                                       .on_misplaced = on_misplaced,
                                       .on_no_room = on_no_room,
                                       .on_end = on_end,
                                       .on_deadline = on_deadline,
                                       .on_drain = on_exchange_drain,
                                       .on_shutdown = on_shutdown,
                                       .on_abort = on_abort,
                                       .on_close = on_exchange_close,
                                       .user = f};
    f->service = (struct grpc_service){.methods = methods,
                                       .method_count = sizeof methods / sizeof methods[0],
                                       .user = f,
                                       .max_message_bytes = 1000,
                                       .admit = admit};
    peer_open(&f->peer, h2, &f->handler, &f->limits);
}

static inline int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    open_fixture(f, true);
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    peer_close(&f->peer);
    assert_null(f->held);
    buf_free(&f->log);
    free(f);
    return 0;
}

/* ---- the client ---- */

static const struct http_header TYPE = {{"content-type", 12}, {"application/grpc", 16}};

static inline struct buf framed(unsigned flag, struct slice message) {
    struct buf bytes = BUF_EMPTY;
    const char prefix[] = {(char)flag, (char)(message.size >> 24), (char)(message.size >> 16),
                           (char)(message.size >> 8), (char)message.size};
    buf_append(&bytes, prefix, sizeof prefix);
    buf_append_slice(&bytes, message);
    return bytes;
}

static inline struct peer_response *call_with(struct fixture *f, const char *path, const struct http_header *fields,
                                              size_t field_count, struct slice body) {
    struct http_header all[8] = {TYPE, {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")}};
    for (size_t i = 0; i < field_count; i++)
        all[2 + i] = fields[i];
    struct peer_response *response = peer_request_full(&f->peer, "POST", path, all, 2 + field_count, body, false);
    peer_run(&f->peer);
    return response;
}

static inline struct peer_response *call(struct fixture *f, const char *path, struct slice message) {
    struct buf body = framed(0, message);
    struct peer_response *response = call_with(f, path, NULL, 0, buf_slice(&body));
    buf_free(&body);
    return response;
}

static inline void expect_log(struct fixture *f, const char *log) {
    buf_append_char(&f->log, '\0');
    assert_string_equal(f->log.data, log);
    buf_clear(&f->log);
}

#define HEAD "content-type: application/grpc\ngrpc-accept-encoding: identity,deflate,gzip\n"

/* An answer without any message: one block of fields. */
static inline void expect_trailers_only(const struct peer_response *response, const char *status_fields) {
    char fields[512];
    snprintf(fields, sizeof fields, "%s%s", HEAD, status_fields);
    peer_assert_answer(response, 200, "");
    peer_assert_fields(response, fields);
    assert_int_equal(response->content_length, -1);
}

static inline void expect_message(const struct peer_response *response, struct slice message) {
    struct buf expected = framed(0, message);
    assert_true(response->complete);
    assert_int_equal(response->body.size, expected.size);
    assert_memory_equal(response->body.data, expected.data, expected.size);
    peer_assert_fields(response, HEAD "+grpc-status: 0\n");
    buf_free(&expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
