/* gRPC calls over an HTTP/2 session in memory: what methods get, and what clients see for good and for broken calls. */
#include "service.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
