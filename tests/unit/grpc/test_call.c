/* gRPC calls over an HTTP/2 session in memory: what methods get, and what clients see for good and for broken calls. */
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
};

/* ---- the service ---- */

static struct fixture *of(struct grpc_call *call) {
    return grpc_call_user(call);
}

static void note(struct grpc_call *call, const char *event) {
    buf_printf(&of(call)->log, "%s %s|", event, strrchr(grpc_call_method(call)->path.data, '/') + 1);
}

static struct buf copy_of(struct slice text) {
    struct buf buf = BUF_EMPTY;
    buf_append_slice(&buf, text);
    return buf;
}

static void echo_on_message(struct grpc_call *call, struct slice message) {
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

static void hold_on_message(struct grpc_call *call, struct slice message) {
    note(call, "message");
    assert_true(slice_equal_text(message, "wait"));
    grpc_call_set_context(call, of(call));
    of(call)->held = call;
}

static void fail_on_message(struct grpc_call *call, struct slice message) {
    (void)message;
    note(call, "message");
    grpc_call_finish(call, GRPC_NOT_FOUND, "100% n\xc3\xb6\n");
}

static void stream_on_message(struct grpc_call *call, struct slice message) {
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
    struct buf answer = copy_of(message);
    grpc_call_send(call, &answer);
}

static void stream_on_half_close(struct grpc_call *call) {
    note(call, "half-close");
    grpc_call_finish(call, GRPC_OK, "");
}

static void on_cancel(struct grpc_call *call) {
    note(call, "cancel");
    grpc_call_finish(call, GRPC_OK, "too late");
    if (of(call)->held == call) {
        assert_ptr_equal(grpc_call_context(call), of(call));
        of(call)->held = NULL;
    }
}

static void on_close(struct grpc_call *call) {
    note(call, "close");
}

static void on_wake(struct grpc_call *call) {
    note(call, "wake");
}

static void on_drain(struct grpc_call *call) {
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

static void on_head(void *user, struct http_exchange *exchange) {
    grpc_on_head(&((struct fixture *)user)->service, 1, exchange);
}

static size_t on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    (void)user;
    return grpc_on_data(exchange, data, size);
}

static void on_end(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_end(exchange);
}

static void on_deadline(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_deadline(exchange);
}

static void on_exchange_drain(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_drain(exchange);
}

static void on_abort(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_abort(exchange);
}

static void on_exchange_close(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_close(exchange);
}

/* Whoever says "stranger" is one. */
static bool admit(void *user, const struct grpc_method *method, struct http_exchange *exchange) {
    struct fixture *f = user;
    struct slice value;
    if (!http_request_header(http_exchange_request(exchange), "stranger", &value))
        return true;
    buf_printf(&f->log, "stranger %s|", method ? strrchr(method->path.data, '/') + 1 : "nowhere");
    grpc_refuse(exchange, GRPC_PERMISSION_DENIED, "go away", 250);
    return false;
}

static void open_fixture(struct fixture *f, bool h2) {
    f->limits = http_limits_default();
    f->handler = (struct http_handler){.on_head = on_head,
                                       .on_data = on_data,
                                       .on_end = on_end,
                                       .on_deadline = on_deadline,
                                       .on_drain = on_exchange_drain,
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

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    open_fixture(f, true);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    peer_close(&f->peer);
    assert_null(f->held);
    buf_free(&f->log);
    free(f);
    return 0;
}

/* ---- the client ---- */

static const struct http_header TYPE = {{"content-type", 12}, {"application/grpc", 16}};

static struct buf framed(unsigned flag, struct slice message) {
    struct buf bytes = BUF_EMPTY;
    const char prefix[] = {(char)flag, (char)(message.size >> 24), (char)(message.size >> 16),
                           (char)(message.size >> 8), (char)message.size};
    buf_append(&bytes, prefix, sizeof prefix);
    buf_append_slice(&bytes, message);
    return bytes;
}

static struct peer_response *call_with(struct fixture *f, const char *path, const struct http_header *fields,
                                       size_t field_count, struct slice body) {
    struct http_header all[8] = {TYPE, {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")}};
    for (size_t i = 0; i < field_count; i++)
        all[2 + i] = fields[i];
    struct peer_response *response = peer_request_full(&f->peer, "POST", path, all, 2 + field_count, body, false);
    peer_run(&f->peer);
    return response;
}

static struct peer_response *call(struct fixture *f, const char *path, struct slice message) {
    struct buf body = framed(0, message);
    struct peer_response *response = call_with(f, path, NULL, 0, buf_slice(&body));
    buf_free(&body);
    return response;
}

static void expect_log(struct fixture *f, const char *log) {
    buf_append_char(&f->log, '\0');
    assert_string_equal(f->log.data, log);
    buf_clear(&f->log);
}

#define HEAD "content-type: application/grpc\ngrpc-accept-encoding: identity,deflate,gzip\n"

/* An answer without any message: one block of fields. */
static void expect_trailers_only(const struct peer_response *response, const char *status_fields) {
    char fields[512];
    snprintf(fields, sizeof fields, "%s%s", HEAD, status_fields);
    peer_assert_answer(response, 200, "");
    peer_assert_fields(response, fields);
    assert_int_equal(response->content_length, -1);
}

static void expect_message(const struct peer_response *response, struct slice message) {
    struct buf expected = framed(0, message);
    assert_true(response->complete);
    assert_int_equal(response->body.size, expected.size);
    assert_memory_equal(response->body.data, expected.data, expected.size);
    peer_assert_fields(response, HEAD "+grpc-status: 0\n");
    buf_free(&expected);
}

/* ---- unary ---- */

static void test_unary(void **state) {
    struct fixture *f = *state;
    for (size_t step = 0; step < 4; step++) {
        f->peer.step = step;
        expect_message(call(f, "/t.S/Echo", SLICE_LITERAL("hello")), SLICE_LITERAL("hello"));
        expect_message(call(f, "/t.S/Echo", SLICE_LITERAL("")), SLICE_LITERAL(""));
        expect_log(f, "message Echo|close Echo|message Echo|close Echo|");
    }
}

static void test_large_unary(void **state) {
    struct fixture *f = *state;
    size_t size = 5 << 20;
    f->service.max_message_bytes = size;
    char *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i >> 9 ^ i);
    expect_message(call(f, "/t.S/Echo", (struct slice){data, size}), (struct slice){data, size});
    free(data);
}

/* Messages are booked in the budget of all sessions until their call ends. */
static void test_budget(void **state) {
    struct fixture *f = *state;
    struct http_budget budget = {.max_bytes = 100000};
    f->limits.budget = &budget;
    call(f, "/t.S/Hold", SLICE_LITERAL("wait"));
    size_t held = atomic_load(&budget.held_bytes), head = held - 4;
    budget.max_bytes = held + head + 4;
    struct peer_response *refused = call(f, "/t.S/Echo", SLICE_LITERAL("12345"));
    expect_trailers_only(refused,
                         "grpc-status: 8\ngrpc-message: no room for the message: all requests and answers together "
                         "hold as many bytes as they may; try again later\ngrpc-retry-pushback-ms: 1000\n");
    budget.max_bytes += 4 + 5; /* for the answer and its prefix, too */
    expect_message(call(f, "/t.S/Echo", SLICE_LITERAL("1234")), SLICE_LITERAL("1234"));
    struct buf answer = copy_of(SLICE_LITERAL("123456789"));
    budget.max_bytes = held;
    grpc_call_send(f->held, &answer);
    f->held = NULL;
    peer_run(&f->peer);
    expect_trailers_only(&f->peer.responses[0],
                         "grpc-status: 8\ngrpc-message: no room for the answer: all requests and answers together "
                         "hold as many bytes as they may; try again later\ngrpc-retry-pushback-ms: 1000\n");
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
}

/* Strangers are refused before their messages are looked at, and learn no names of methods. */
static void test_strangers(void **state) {
    struct fixture *f = *state;
    static const struct http_header stranger = {{"stranger", 8}, {"yes", 3}};
    static const char *const paths[] = {"/t.S/Echo", "/t.S/Stream", "/t.S/None"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_trailers_only(call_with(f, paths[i], &stranger, 1, SLICE_LITERAL("\1broken")),
                             "grpc-status: 7\ngrpc-message: go away\ngrpc-retry-pushback-ms: 250\n");
    expect_log(f, "stranger Echo|stranger Stream|stranger nowhere|");
}

static void test_error_status(void **state) {
    struct fixture *f = *state;
    expect_trailers_only(call(f, "/t.S/Fail", SLICE_LITERAL("x")), "grpc-status: 5\ngrpc-message: 100%25 n%C3%B6%0A\n");
}

static void test_later_answer(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = call(f, "/t.S/Hold", SLICE_LITERAL("wait"));
    assert_int_equal(response->status, 0);
    struct buf answer = copy_of(SLICE_LITERAL("now"));
    struct grpc_call *held = f->held;
    f->held = NULL;
    grpc_call_send(held, &answer);
    grpc_call_finish(held, GRPC_OK, NULL);
    expect_log(f, "message Hold|");
    peer_run(&f->peer);
    expect_message(response, SLICE_LITERAL("now"));
    expect_log(f, "close Hold|");
}

static void test_number_of_messages(void **state) {
    struct fixture *f = *state;
    expect_trailers_only(call_with(f, "/t.S/Echo", NULL, 0, (struct slice){NULL, 0}),
                         "grpc-status: 12\ngrpc-message: the method takes exactly one message, the client sent none\n");
    struct buf body = framed(0, SLICE_LITERAL("one")), second = framed(0, SLICE_LITERAL("two"));
    buf_append_slice(&body, buf_slice(&second));
    for (size_t step = 0; step < 3; step++) {
        f->peer.step = step;
        expect_trailers_only(
            call_with(f, "/t.S/Echo", NULL, 0, buf_slice(&body)),
            "grpc-status: 12\ngrpc-message: the method takes exactly one message, the client sent more\n");
    }
    buf_append_char(&f->log, '\0');
    assert_string_equal(f->log.data, ""); /* the method never saw them */
    buf_free(&body);
    buf_free(&second);
}

static void test_broken_messages(void **state) {
    struct fixture *f = *state;
    expect_trailers_only(call_with(f, "/t.S/Echo", NULL, 0, SLICE_LITERAL("\0\0\0\0\5hal")),
                         "grpc-status: 13\ngrpc-message: the client half-closed in the middle of a message\n");
    expect_trailers_only(
        call_with(f, "/t.S/Echo", NULL, 0, SLICE_LITERAL("\7\0\0\0\0")),
        "grpc-status: 13\ngrpc-message: a message begins with flag byte 7; only 0 and 1 are defined\n");
    expect_trailers_only(call_with(f, "/t.S/Echo", NULL, 0, SLICE_LITERAL("\1\0\0\0\0")),
                         "grpc-status: 13\ngrpc-message: a message is flagged as compressed but grpc-encoding names no "
                         "compression\n");
    expect_trailers_only(call_with(f, "/t.S/Echo", NULL, 0, SLICE_LITERAL("\0\0\0\x03\xe9")),
                         "grpc-status: 8\ngrpc-message: received message larger than max (1001 vs. 1000)\n");
    /* The connection and its other calls go on. */
    expect_message(call(f, "/t.S/Echo", SLICE_LITERAL("hello")), SLICE_LITERAL("hello"));
}

static void test_compressed(void **state) {
    struct fixture *f = *state;
    const struct http_header encoding = {SLICE_LITERAL("grpc-encoding"), SLICE_LITERAL("deflate")};
    /* zlib's form of "aaaaa". */
    struct buf body = framed(1, SLICE_LITERAL("\x78\x9c\x4b\x4c\x04\x02\x00\x05\xb4\x01\xe6"));
    expect_message(call_with(f, "/t.S/Echo", &encoding, 1, buf_slice(&body)), SLICE_LITERAL("aaaaa"));
    buf_free(&body);
    const struct http_header unknown = {SLICE_LITERAL("grpc-encoding"), SLICE_LITERAL("snappy")};
    expect_trailers_only(call_with(f, "/t.S/Echo", &unknown, 1, (struct slice){NULL, 0}),
                         "grpc-status: 12\ngrpc-message: unknown grpc-encoding: snappy\n");
}

/* ---- heads ---- */

static void test_unknown_method(void **state) {
    struct fixture *f = *state;
    expect_trailers_only(call(f, "/t.S/Nope", SLICE_LITERAL("x")),
                         "grpc-status: 12\ngrpc-message: unknown method: /t.S/Nope\n");
    expect_trailers_only(call(f, "/t.S/Echo/", SLICE_LITERAL("x")),
                         "grpc-status: 12\ngrpc-message: unknown method: /t.S/Echo/\n");
}

static void test_other_content_types(void **state) {
    struct fixture *f = *state;
    const struct http_header json = {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")};
    struct peer_response *response =
        peer_request_full(&f->peer, "POST", "/t.S/Echo", &json, 1, SLICE_LITERAL("{}"), false);
    peer_run(&f->peer);
    assert_int_equal(response->status, 415);
    response = peer_request_full(&f->peer, "GET", "/t.S/Echo", &TYPE, 1, (struct slice){NULL, 0}, false);
    peer_run(&f->peer);
    assert_int_equal(response->status, 405);
}

static void test_http_1_is_refused(void **state) {
    (void)state;
    struct fixture f = {.held = NULL};
    open_fixture(&f, false);
    struct peer_response *response =
        peer_request_full(&f.peer, "POST", "/t.S/Echo", &TYPE, 1, SLICE_LITERAL("x"), false);
    peer_run(&f.peer);
    peer_assert_answer(response, 505, "gRPC needs HTTP/2\n");
    peer_close(&f.peer);
}

/* ---- deadlines and lost clients ---- */

static void test_deadline(void **state) {
    struct fixture *f = *state;
    const struct http_header timeout = {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("5S")};
    struct buf body = framed(0, SLICE_LITERAL("wait"));
    struct peer_response *response = call_with(f, "/t.S/Hold", &timeout, 1, buf_slice(&body));
    buf_free(&body);
    assert_int_equal(response->status, 0);
    uint64_t deadline = grpc_call_deadline_ns(f->held);
    assert_int_equal(deadline, http_exchange_received_ns(grpc_call_exchange(f->held)) + 5 * NS_PER_S);
    struct status status = f->peer.session->ops->tick(f->peer.session, deadline - 1);
    assert_int_equal(status.code, STATUS_OK);
    assert_non_null(f->held);
    status = f->peer.session->ops->tick(f->peer.session, deadline);
    assert_int_equal(status.code, STATUS_OK);
    expect_log(f, "message Hold|wake Hold|cancel Hold|");
    peer_run(&f->peer);
    expect_trailers_only(response, "grpc-status: 4\ngrpc-message: Deadline Exceeded\n");
    expect_log(f, "");
}

/* A method may be woken before the deadline, which holds all the same. */
static void test_wake(void **state) {
    struct fixture *f = *state;
    const struct http_header timeout = {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("5S")};
    struct buf body = framed(0, SLICE_LITERAL("wait"));
    struct peer_response *response = call_with(f, "/t.S/Hold", &timeout, 1, buf_slice(&body));
    buf_free(&body);
    struct session *session = f->peer.session;
    uint64_t deadline = grpc_call_deadline_ns(f->held);
    grpc_call_wake_at(f->held, deadline - NS_PER_S);
    assert_true(session->ops->deadline(session) <= deadline - NS_PER_S);
    struct status status = session->ops->tick(session, deadline - NS_PER_S - 1);
    assert_int_equal(status.code, STATUS_OK);
    expect_log(f, "message Hold|");
    grpc_call_wake_at(f->held, 1); /* long ago */
    status = session->ops->tick(session, 2);
    assert_int_equal(status.code, STATUS_OK);
    expect_log(f, "wake Hold|");
    assert_int_equal(session->ops->deadline(session), deadline);
    grpc_call_finish(f->held, GRPC_OK, NULL);
    f->held = NULL;
    peer_run(&f->peer);
    assert_true(response->complete);
    expect_log(f, "close Hold|");
}

static void test_drain(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = call(f, "/t.S/Hold", SLICE_LITERAL("wait"));
    struct buf answer = copy_of(SLICE_LITERAL("answer"));
    grpc_call_send(f->held, &answer);
    grpc_call_await_drain(f->held, 0);
    assert_int_equal(grpc_call_unsent_bytes(f->held), 11);
    expect_log(f, "message Hold|");
    peer_run(&f->peer);
    expect_log(f, "drain Hold|");
    grpc_call_finish(f->held, GRPC_OK, NULL);
    assert_true(grpc_call_is_finished(f->held));
    f->held = NULL;
    peer_run(&f->peer);
    expect_message(response, SLICE_LITERAL("answer"));
}

static void test_deadline_that_has_passed_already(void **state) {
    struct fixture *f = *state;
    const struct http_header timeout = {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("0n")};
    struct buf body = framed(0, SLICE_LITERAL("wait"));
    expect_trailers_only(call_with(f, "/t.S/Hold", &timeout, 1, buf_slice(&body)),
                         "grpc-status: 4\ngrpc-message: Deadline Exceeded\n");
    buf_free(&body);
    expect_log(f, "");
}

static void test_malformed_timeout(void **state) {
    struct fixture *f = *state;
    const struct http_header timeout = {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("soon")};
    expect_trailers_only(call_with(f, "/t.S/Hold", &timeout, 1, (struct slice){NULL, 0}),
                         "grpc-status: 13\ngrpc-message: malformed grpc-timeout: soon\n");
}

static void test_cancelled(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = call(f, "/t.S/Hold", SLICE_LITERAL("wait"));
    peer_cancel(&f->peer, response);
    peer_run(&f->peer);
    expect_log(f, "message Hold|cancel Hold|");
    /* Cancelled before the message was complete: there is nobody to tell. */
    struct peer_response *early =
        peer_request_full(&f->peer, "POST", "/t.S/Hold", &TYPE, 1, SLICE_LITERAL("\0\0\0\0\4wa"), true);
    peer_run(&f->peer);
    peer_cancel(&f->peer, early);
    peer_run(&f->peer);
    expect_log(f, "");
}

/* ---- streams ---- */

static void test_stream(void **state) {
    struct fixture *f = *state;
    struct buf body = BUF_EMPTY;
    for (int i = 0; i < 3; i++) {
        struct buf message = framed(0, (struct slice){"abc", (size_t)i});
        buf_append_slice(&body, buf_slice(&message));
        buf_free(&message);
    }
    for (size_t step = 0; step < 4; step++) {
        f->peer.step = step;
        struct peer_response *response = call_with(f, "/t.S/Stream", NULL, 0, buf_slice(&body));
        assert_int_equal(response->body.size, body.size);
        assert_memory_equal(response->body.data, body.data, body.size);
        peer_assert_fields(response, HEAD "+grpc-status: 0\n");
        expect_log(f, "message Stream|message Stream|message Stream|half-close Stream|close Stream|");
    }
    buf_free(&body);
}

static void test_stream_in_both_directions_at_once(void **state) {
    struct fixture *f = *state;
    struct buf one = framed(0, SLICE_LITERAL("one"));
    struct peer_response *response =
        peer_request_full(&f->peer, "POST", "/t.S/Stream", &TYPE, 1, buf_slice(&one), true);
    peer_run(&f->peer);
    assert_int_equal(response->body.size, one.size); /* answered while the client's side is open */
    assert_false(response->complete);
    peer_send_more(&f->peer, response, SLICE_LITERAL("\0\0\0\0\4stop"), false);
    peer_run(&f->peer);
    assert_true(response->complete);
    peer_assert_fields(response, HEAD "+grpc-status: 10\n+grpc-message: as asked\n");
    expect_log(f, "message Stream|message Stream|");
    struct status status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + 2 * NS_PER_S);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer); /* the client was told to stop sending */
    expect_log(f, "close Stream|");
    buf_free(&one);
}

/* Silence between messages is no matter; in the middle of one it would hold memory for ever. */
static void test_stream_that_falls_silent(void **state) {
    struct fixture *f = *state;
    struct session *session = f->peer.session;
    struct buf one = framed(0, SLICE_LITERAL("one"));
    struct peer_response *response =
        peer_request_full(&f->peer, "POST", "/t.S/Stream", &TYPE, 1, buf_slice(&one), true);
    peer_run(&f->peer);
    struct status status = session->ops->tick(session, clock_monotonic_ns() + 2 * f->limits.body_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    expect_log(f, "message Stream|");
    peer_send_more(&f->peer, response, SLICE_LITERAL("\0\0\0\0\3tw"), false);
    peer_run(&f->peer);
    uint64_t deadline = session->ops->deadline(session);
    assert_true(deadline != 0 && deadline <= clock_monotonic_ns() + f->limits.body_timeout_ns);
    peer_send_more(&f->peer, response, SLICE_LITERAL("o\0"), false);
    peer_run(&f->peer);
    expect_log(f, "message Stream|");
    status = session->ops->tick(session, clock_monotonic_ns() + f->limits.body_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    expect_log(f, "cancel Stream|");
    buf_free(&one);
}

/* Nothing comes while the method wants nothing, and nothing is lost. */
static void test_stream_that_pauses(void **state) {
    struct fixture *f = *state;
    struct buf body = BUF_EMPTY;
    static const char *const messages[] = {"one", "pause", "two", "", "pause", "three"};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct buf message = framed(0, slice_of(messages[i]));
        buf_append_slice(&body, buf_slice(&message));
        buf_free(&message);
    }
    struct http_budget budget = {.max_bytes = 100000};
    f->limits.budget = &budget;
    for (size_t step = 0; step < 4; step++) {
        f->peer.step = step;
        struct peer_response *response = call_with(f, "/t.S/Stream", NULL, 0, buf_slice(&body));
        expect_log(f, "message Stream|message Stream|");
        assert_true(grpc_call_hold(f->held, 100));
        assert_false(grpc_call_hold(f->held, 100000));
        assert_true(atomic_load(&budget.held_bytes) > 100);
        grpc_call_resume(f->held);
        expect_log(f, "message Stream|message Stream|message Stream|");
        grpc_call_resume(f->held);
        grpc_call_resume(f->held); /* it is not paused any more */
        expect_log(f, "message Stream|half-close Stream|");
        f->held = NULL;
        peer_run(&f->peer);
        assert_true(response->complete);
        assert_int_equal(response->body.size, 5 + 3 + 5 + 3 + 5 + 5 + 5);
        expect_log(f, "close Stream|");
        assert_int_equal(atomic_load(&budget.held_bytes), 0);
    }
    buf_free(&body);
}

/* A client gets no further than its window while its messages are not taken; others do. */
static void test_paused_stream_stops_its_client(void **state) {
    struct fixture *f = *state;
    enum { SIZE = 5 << 20 };
    f->service.max_message_bytes = SIZE;
    struct buf body = framed(0, SLICE_LITERAL("pause")), large = BUF_EMPTY;
    memset(buf_reserve(&large, SIZE), 'x', SIZE);
    large.size = SIZE;
    struct buf message = framed(0, buf_slice(&large));
    buf_append_slice(&body, buf_slice(&message));
    struct peer_response *response = call_with(f, "/t.S/Stream", NULL, 0, buf_slice(&body));
    assert_true(response->upload_size > 0); /* of the large message */
    expect_log(f, "message Stream|");
    expect_message(call(f, "/t.S/Echo", SLICE_LITERAL("hello")), SLICE_LITERAL("hello"));
    expect_log(f, "message Echo|close Echo|");
    grpc_call_resume(f->held);
    f->held = NULL;
    peer_run(&f->peer);
    assert_int_equal(response->upload_size, 0);
    assert_int_equal(response->body.size, SIZE + 5);
    expect_log(f, "message Stream|half-close Stream|close Stream|");
    buf_free(&body);
    buf_free(&large);
    buf_free(&message);
}

static void test_stream_that_breaks(void **state) {
    struct fixture *f = *state;
    struct buf body = framed(0, SLICE_LITERAL("good"));
    buf_append(&body,
               "\xff"
               "bad!!",
               6);
    struct peer_response *response = call_with(f, "/t.S/Stream", NULL, 0, buf_slice(&body));
    assert_int_equal(response->body.size, 9);
    expect_log(f, "message Stream|cancel Stream|");
    buf_free(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_unary),
        TEST(test_large_unary),
        TEST(test_budget),
        TEST(test_strangers),
        TEST(test_error_status),
        TEST(test_later_answer),
        TEST(test_number_of_messages),
        TEST(test_broken_messages),
        TEST(test_compressed),
        TEST(test_unknown_method),
        TEST(test_other_content_types),
        cmocka_unit_test(test_http_1_is_refused),
        TEST(test_deadline),
        TEST(test_wake),
        TEST(test_drain),
        TEST(test_deadline_that_has_passed_already),
        TEST(test_malformed_timeout),
        TEST(test_cancelled),
        TEST(test_stream),
        TEST(test_stream_in_both_directions_at_once),
        TEST(test_stream_that_falls_silent),
        TEST(test_stream_that_pauses),
        TEST(test_paused_stream_stops_its_client),
        TEST(test_stream_that_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
