/* Limits, time-outs, lost clients and shutdown, over HTTP/1.1 and HTTP/2 alike. */
#include "both.h"
#include "http/exchange_priv.h"

static void body_limit_body(struct fixture *f) {
    f->limits.max_body_bytes = 100;
    char data[101];
    memset(data, 'x', sizeof data);
    struct peer_response *fits = peer_request(&f->peer, "POST", "/echo", (struct slice){data, 100});
    peer_run(&f->peer);
    assert_int_equal(fits->status, 200);
    assert_int_equal(fits->body.size, 100);
    buf_clear(&f->recorder.log);
    struct peer_response *large = peer_request(&f->peer, "POST", "/echo", (struct slice){data, 101});
    peer_run(&f->peer);
    peer_assert_answer(large, 413, "{\"error\":\"the request body is larger than the limit of 100 bytes\"}");
    peer_assert_fields(large, "content-type: application/json\n");
    recorder_assert_log(&f->recorder, "head /echo|close /echo|"); /* without on_end */
    struct peer_response *streamed = peer_request(&f->peer, "POST", "/stream", (struct slice){data, 101});
    peer_run(&f->peer);
    assert_int_equal(streamed->body.size, 101); /* the limit is for collected bodies */
}

static void test_body_limit(void **state) {
    (void)state;
    run_over_both(body_limit_body);
}

/* A body is as large as it gets: no deadlock in flow control, one allocation at most twice the size. */
static void test_large_bodies(void **state) {
    (void)state;
    size_t size = (size_t)64 << 20;
    char *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i >> 12 ^ i);
    for (int h2 = 0; h2 <= 1; h2++) {
        struct fixture f = {.limits = http_limits_default(), .h2 = h2};
        recorder_open(&f.recorder);
        peer_open(&f.peer, h2, &f.recorder.handler, &f.limits);
        f.peer.step = 60000;
        struct peer_response *echo = peer_request(&f.peer, "POST", "/echo", (struct slice){data, size});
        peer_run(&f.peer);
        assert_true(echo->complete);
        assert_int_equal(echo->body.size, size);
        assert_memory_equal(echo->body.data, data, size);
        assert_int_equal(f.recorder.body_capacity, size);
        peer_close(&f.peer);
        recorder_close(&f.recorder);
    }
    free(data);
}

/* What a client only promises takes no memory. */
static void test_promised_bodies_take_no_memory(void **state) {
    (void)state;
    for (int h2 = 0; h2 <= 1; h2++) {
        struct fixture f = {.limits = http_limits_default(), .h2 = h2};
        f.limits.max_body_bytes = (size_t)1 << 40;
        recorder_open(&f.recorder);
        peer_open(&f.peer, h2, &f.recorder.handler, &f.limits);
        const struct http_header length = {SLICE_LITERAL("content-length"), SLICE_LITERAL("1099511627776")};
        peer_request_full(&f.peer, "POST", "/hold", &length, 1, SLICE_LITERAL("just this"), true);
        peer_run(&f.peer);
        recorder_assert_log(&f.recorder, "head /hold|");
        peer_close(&f.peer); /* under ASan, a reservation of 1 TiB would have failed */
        recorder_close(&f.recorder);
    }
}

static void lost_client_body(struct fixture *f) {
    struct peer_response *held = peer_request(&f->peer, "POST", "/hold", SLICE_LITERAL("x"));
    peer_run(&f->peer);
    peer_cancel(&f->peer, held);
    peer_run(&f->peer);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
    reopen(f);
    /* Lost in the middle of the body. */
    const struct http_header length = {SLICE_LITERAL("content-length"), SLICE_LITERAL("100")};
    peer_request_full(&f->peer, "POST", "/echo", &length, 1, SLICE_LITERAL("half"), true);
    peer_run(&f->peer);
    f->peer.session->ops->input_closed(f->peer.session, true);
    recorder_assert_log(&f->recorder, "head /echo|abort /echo|");
    assert_true(f->peer.session->ops->finished(f->peer.session));
    reopen(f);
    /* The session is destroyed with an answer half given. */
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    struct buf piece = text_buf("half an answer");
    http_respond_head(f->recorder.held, 200, NULL, 0);
    http_respond_data(f->recorder.held, &piece);
    assert_int_equal(http_exchange_unsent_bytes(f->recorder.held), 14);
    peer_close(&f->peer);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
}

static void test_lost_clients(void **state) {
    (void)state;
    run_over_both(lost_client_body);
}

static void reset_body(struct fixture *f) {
    static const char *const paths[] = {"/reset", "/reset-in-answer"};
    for (size_t i = 0; i < 2; i++) {
        struct peer_response *reset = peer_request(&f->peer, "GET", paths[i], NO_BODY);
        peer_run(&f->peer);
        assert_false(reset->complete);
        if (f->h2)
            assert_int_equal(reset->error_code, NGHTTP2_CANCEL);
        else
            assert_true(f->peer.session->ops->finished(f->peer.session));
        assert_int_equal(f->recorder.heads, f->recorder.lasts);
        reopen(f);
    }
    recorder_assert_log(&f->recorder, "head /reset|end /reset|abort /reset|"
                                      "head /reset-in-answer|end /reset-in-answer|abort /reset-in-answer|");
}

static void test_handler_resets(void **state) {
    (void)state;
    run_over_both(reset_body);
}

static void tick_at_deadline(struct fixture *f) {
    uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
    assert_true(deadline > 0);
    struct status status = f->peer.session->ops->tick(f->peer.session, deadline);
    assert_int_equal(status.code, STATUS_OK);
}

static void deadline_body(struct fixture *f) {
    struct peer_response *late = peer_request(&f->peer, "GET", "/deadline", NO_BODY);
    peer_run(&f->peer);
    uint64_t due = http_exchange_received_ns(f->recorder.held) + 5 * NS_PER_S;
    assert_true(f->peer.session->ops->deadline(f->peer.session) <= due);
    struct status status = f->peer.session->ops->tick(f->peer.session, due - 1);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->peer.session->ops->deadline(f->peer.session), due);
    recorder_assert_log(&f->recorder, "head /deadline|end /deadline|");
    tick_at_deadline(f);
    peer_run(&f->peer);
    peer_assert_answer(late, 504, "too late");
    recorder_assert_log(&f->recorder, "deadline /deadline|close /deadline|");
}

static void test_exchange_deadline(void **state) {
    (void)state;
    run_over_both(deadline_body);
}

/* Lets time pass, tick by tick, until the session asks for none before `until`. */
static void pass_time(struct fixture *f, uint64_t until) {
    for (;;) {
        uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
        if (deadline == 0 || deadline > until)
            return;
        struct status status = f->peer.session->ops->tick(f->peer.session, deadline);
        assert_int_equal(status.code, STATUS_OK);
        peer_run(&f->peer);
    }
}

static void body_timeout_body(struct fixture *f) {
    const struct http_header length = {SLICE_LITERAL("content-length"), SLICE_LITERAL("100")};
    struct peer_response *slow = peer_request_full(&f->peer, "POST", "/echo", &length, 1, SLICE_LITERAL("half"), true);
    peer_run(&f->peer);
    pass_time(f, clock_monotonic_ns() + f->limits.body_timeout_ns + NS_PER_S);
    peer_assert_answer(slow, 408, "{\"error\":\"the request body did not come in time\"}");
    recorder_assert_log(&f->recorder, "head /echo|close /echo|");
    reopen(f);
    /* Where silence is allowed nothing happens for as long as one likes. */
    struct peer_response *idle = peer_request_full(&f->peer, "POST", "/idle", &length, 1, SLICE_LITERAL("half"), true);
    peer_run(&f->peer);
    pass_time(f, clock_monotonic_ns() + 3 * f->limits.body_timeout_ns);
    assert_int_equal(idle->status, 0);
    f->peer.session->ops->input_closed(f->peer.session, true);
    recorder_assert_log(&f->recorder, "head /idle|abort /idle|");
}

static void test_body_timeout(void **state) {
    (void)state;
    run_over_both(body_timeout_body);
}

static void idle_timeout_body(struct fixture *f) {
    struct peer_response *one = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    assert_int_equal(one->status, 200);
    pass_time(f, clock_monotonic_ns() + f->limits.idle_timeout_ns - NS_PER_S);
    assert_false(f->peer.session->ops->finished(f->peer.session));
    pass_time(f, clock_monotonic_ns() + f->limits.idle_timeout_ns + 2 * NS_PER_S);
    assert_true(f->peer.session->ops->finished(f->peer.session));
}

static void test_idle_timeout(void **state) {
    (void)state;
    run_over_both(idle_timeout_body);
}

static void shutdown_body(struct fixture *f) {
    struct peer_response *held = peer_request(&f->peer, "POST", "/hold", SLICE_LITERAL("x"));
    peer_run(&f->peer);
    f->peer.session->ops->shutdown(f->peer.session);
    peer_run(&f->peer);
    assert_false(f->peer.session->ops->finished(f->peer.session));
    recorder_release(&f->recorder, "still served");
    peer_run(&f->peer);
    peer_assert_answer(held, 200, "still served");
    assert_true(f->peer.session->ops->finished(f->peer.session));
    reopen(f);
    /* An idle one ends at once, or when its client has been told. */
    struct peer_response *one = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    assert_int_equal(one->status, 200);
    f->peer.session->ops->shutdown(f->peer.session);
    peer_run(&f->peer);
    assert_true(f->peer.session->ops->finished(f->peer.session));
    assert_int_equal(f->peer.goaway, f->h2);
}

static void test_shutdown(void **state) {
    (void)state;
    run_over_both(shutdown_body);
}

static void head_limits_body(struct fixture *f) {
    char value[3000];
    memset(value, 'v', sizeof value);
    f->limits.max_head_bytes = 2000;
    const struct http_header large = {SLICE_LITERAL("x-large"), {value, sizeof value}};
    struct peer_response *bytes = peer_request_full(&f->peer, "GET", "/echo", &large, 1, NO_BODY, false);
    peer_run(&f->peer);
    peer_assert_answer(bytes, 431,
                       "{\"error\":\"the request head is longer than the limit; at most 2000 bytes and 128 header "
                       "fields are taken\"}");
    reopen(f);
    f->limits.max_header_count = 4; /* HTTP/1.1 counts Host */
    struct http_header many[6];
    for (size_t i = 0; i < 6; i++)
        many[i] = (struct http_header){SLICE_LITERAL("x-many"), SLICE_LITERAL("1")};
    struct peer_response *fits = peer_request_full(&f->peer, "GET", "/describe", many, 3, NO_BODY, false);
    peer_run(&f->peer);
    assert_int_equal(fits->status, 200);
    struct peer_response *count = peer_request_full(&f->peer, "GET", "/echo", many, 6, NO_BODY, false);
    peer_run(&f->peer);
    assert_int_equal(count->status, 431);
    assert_int_equal(f->recorder.heads, 1);
}

static void test_head_limits(void **state) {
    (void)state;
    run_over_both(head_limits_body);
}

static void expect_continue_body(struct fixture *f) {
    const struct http_header fields[] = {{SLICE_LITERAL("expect"), SLICE_LITERAL("100-Continue")},
                                         {SLICE_LITERAL("content-length"), SLICE_LITERAL("4")}};
    struct peer_response *asked = peer_request_full(&f->peer, "POST", "/echo", fields, 2, NO_BODY, true);
    peer_run(&f->peer);
    assert_int_equal(asked->informational, 1);
    assert_int_equal(asked->status, 0);
    peer_send_more(&f->peer, asked, SLICE_LITERAL("data"), true);
    peer_run(&f->peer);
    peer_assert_answer(asked, 200, "data");
    assert_int_equal(asked->informational, 1);
    struct peer_response *refused = peer_request_full(&f->peer, "POST", "/refuse", fields, 2, NO_BODY, true);
    peer_run(&f->peer);
    peer_assert_answer(refused, 403, "refused");
    assert_int_equal(refused->informational, 0);
}

static void test_expect_continue(void **state) {
    (void)state;
    run_over_both(expect_continue_body);
}

static void bad_targets_body(struct fixture *f) {
    static const char *const targets[] = {"/a#b", "/\xc3\xa9"};
    for (size_t i = 0; i < 2; i++) {
        struct peer_response *bad = peer_request(&f->peer, "GET", targets[i], NO_BODY);
        peer_run(&f->peer);
        assert_int_equal(bad->status, 400);
        reopen(f);
    }
    assert_int_equal(f->recorder.heads, 0);
}

static void test_bad_targets(void **state) {
    (void)state;
    run_over_both(bad_targets_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_promised_bodies_take_no_memory),
        cmocka_unit_test(test_lost_clients),
        cmocka_unit_test(test_handler_resets),
        cmocka_unit_test(test_exchange_deadline),
        cmocka_unit_test(test_body_timeout),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_head_limits),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_bad_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
