/* gRPC calls that last: deadlines, lost clients, and streams of messages. */
#include "service.h"

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

/* A wake behind the deadline does not put it off. */
static void test_wake_behind_the_deadline(void **state) {
    struct fixture *f = *state;
    const struct http_header timeout = {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("5S")};
    struct buf body = framed(0, SLICE_LITERAL("wait"));
    struct peer_response *response = call_with(f, "/t.S/Hold", &timeout, 1, buf_slice(&body));
    buf_free(&body);
    uint64_t deadline = grpc_call_deadline_ns(f->held);
    grpc_call_wake_at(f->held, deadline + NS_PER_S);
    struct status status = f->peer.session->ops->tick(f->peer.session, deadline);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    expect_trailers_only(response, "grpc-status: 4\ngrpc-message: Deadline Exceeded\n");
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

/* Eleven thousand years: more nanoseconds than 64 bits can count, and no deadline. */
static void test_endless_timeout(void **state) {
    struct fixture *f = *state;
    const struct http_header timeout = {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("99999999H")};
    struct buf body = framed(0, SLICE_LITERAL("now"));
    expect_message(call_with(f, "/t.S/Echo", &timeout, 1, buf_slice(&body)), SLICE_LITERAL("now"));
    buf_free(&body);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_deadline),
        TEST(test_wake),
        TEST(test_drain),
        TEST(test_deadline_that_has_passed_already),
        TEST(test_wake_behind_the_deadline),
        TEST(test_malformed_timeout),
        TEST(test_endless_timeout),
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
