/* What handlers and clients see is the same over HTTP/1.1 and HTTP/2: every test here runs over both, with the bytes
 * handed over whole and one by one. */
#include "http/exchange_priv.h"
#include "peer.h"
#include "recorder.h"

struct fixture {
    struct recorder recorder;
    struct http_limits limits;
    struct peer peer;
    bool h2;
};

typedef void test_body(struct fixture *fixture);

static void reopen(struct fixture *fixture) {
    peer_close(&fixture->peer);
    peer_open(&fixture->peer, fixture->h2, &fixture->recorder.handler, &fixture->limits);
}

static void run_over_both(test_body *body) {
    static const size_t steps[] = {0, 1, 7};
    for (int h2 = 0; h2 <= 1; h2++) {
        for (size_t i = 0; i < 3; i++) {
            struct fixture fixture = {.limits = http_limits_default(), .h2 = h2};
            recorder_open(&fixture.recorder);
            peer_open(&fixture.peer, h2, &fixture.recorder.handler, &fixture.limits);
            fixture.peer.step = steps[i];
            body(&fixture);
            assert_int_equal(fixture.peer.error.code, STATUS_OK);
            peer_close(&fixture.peer);
            recorder_close(&fixture.recorder);
        }
    }
}

static const struct slice NO_BODY = {NULL, 0};

static void get_and_post_body(struct fixture *f) {
    struct peer_response *empty = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    struct peer_response *small = peer_request(&f->peer, "POST", "/echo", SLICE_LITERAL("hello"));
    peer_run(&f->peer);
    peer_assert_answer(empty, 200, "");
    peer_assert_answer(small, 200, "hello");
    assert_int_equal(small->content_length, 5);
    assert_false(f->peer.session->ops->finished(f->peer.session));
}

static void test_get_and_post(void **state) {
    (void)state;
    run_over_both(get_and_post_body);
}

static void request_fields_body(struct fixture *f) {
    const struct http_header fields[] = {{SLICE_LITERAL("x-test"), SLICE_LITERAL("one two")},
                                         {SLICE_LITERAL("x-test"), SLICE_LITERAL("three")}};
    struct peer_response *full =
        peer_request_full(&f->peer, "PUT", "/describe?a=b&c?d", fields, 2, SLICE_LITERAL("abc"), false);
    struct peer_response *bare = peer_request(&f->peer, "DELETE", "/describe", NO_BODY);
    peer_run(&f->peer);
    peer_assert_answer(full, 200, "PUT /describe ?a=b&c?d @test x-test=one two length=3");
    peer_assert_answer(bare, 200, "DELETE /describe ? @test x-test=none length=-1");
}

static void test_request_fields(void **state) {
    (void)state;
    run_over_both(request_fields_body);
}

static void pieces_body(struct fixture *f) {
    struct peer_response *pieces = peer_request(&f->peer, "GET", "/pieces", NO_BODY);
    peer_run(&f->peer);
    peer_assert_answer(pieces, 200, "[1][2][3]");
    peer_assert_fields(pieces,
                       f->h2 ? "x-kind: pieces\n+x-sum: 6\n+x-end: \n" : "X-Kind: pieces\n+x-sum: 6\n+x-end: \n");
    recorder_assert_log(&f->recorder, "head /pieces|end /pieces|close /pieces|");
}

static void test_pieces_and_trailers(void **state) {
    (void)state;
    run_over_both(pieces_body);
}

static void no_body_answers_body(struct fixture *f) {
    struct peer_response *head = peer_request(&f->peer, "HEAD", "/pieces", NO_BODY);
    struct peer_response *nothing = peer_request(&f->peer, "GET", "/nothing", NO_BODY);
    struct peer_response *whole = peer_request(&f->peer, "HEAD", "/describe", NO_BODY);
    peer_run(&f->peer);
    peer_assert_answer(head, 200, "");
    peer_assert_answer(nothing, 204, "");
    assert_int_equal(nothing->content_length, -1);
    peer_assert_answer(whole, 200, "");
    assert_true(whole->content_length > 0);
}

static void test_answers_without_body(void **state) {
    (void)state;
    run_over_both(no_body_answers_body);
}

/* However little room there is, what fits a session's share is taken; others are told to come back. */
static void crowded_budget_body(struct fixture *f) {
    struct http_budget budget = {.max_bytes = 10, .share_bytes = 6000};
    f->limits.budget = &budget;
    atomic_store(&budget.held_bytes, 10); /* by others */
    struct peer_response *small = peer_request(&f->peer, "POST", "/echo", SLICE_LITERAL("0123"));
    peer_run(&f->peer);
    peer_assert_answer(small, 200, "0123");
    char bytes[8000] = "";
    struct peer_response *large = peer_request(&f->peer, "POST", "/echo", (struct slice){bytes, sizeof bytes});
    peer_run(&f->peer);
    assert_int_equal(large->status, 503);
    peer_assert_fields(large, "content-type: application/json\nretry-after: 1\n");
    assert_int_equal(atomic_load(&budget.held_bytes), 10);
    f->limits.budget = NULL;
}

static void test_crowded_budget(void **state) {
    (void)state;
    run_over_both(crowded_budget_body);
}

static void dirty_body(struct fixture *f) {
    struct peer_response *dirty = peer_request(&f->peer, "GET", "/dirty", NO_BODY);
    peer_run(&f->peer);
    peer_assert_answer(dirty, 200, "once");
    assert_int_equal(dirty->content_length, 4);
    peer_assert_fields(dirty, "x-evil: a  set-cookie: b c\n");
}

static void test_dirty_answers_are_cleaned(void **state) {
    (void)state;
    run_over_both(dirty_body);
}

/* A handler takes a body as fast as it likes; nothing is lost, and the end comes last. */
static void body_taken_slowly_body(struct fixture *f) {
    const struct http_header length[] = {{SLICE_LITERAL("Content-Length"), SLICE_LITERAL("8")}};
    struct http_budget budget = {.max_bytes = 100000};
    f->limits.budget = &budget;
    f->recorder.thirst = 2;
    struct peer_response *response =
        peer_request_full(&f->peer, "POST", "/sip", f->h2 ? NULL : length, f->h2 ? 0 : 1, SLICE_LITERAL("012"), true);
    peer_run(&f->peer);
    assert_int_equal(f->recorder.thirst, 0);
    size_t head = atomic_load(&budget.held_bytes) - 1;
    assert_true(head > EXCHANGE_COST && head < EXCHANGE_COST + 1000);
    if (!f->h2)
        assert_false(f->peer.session->ops->wants_input(f->peer.session));
    peer_send_more(&f->peer, response, SLICE_LITERAL("34567"), true);
    peer_run(&f->peer);
    assert_int_equal(atomic_load(&budget.held_bytes), head + 6);
    f->recorder.thirst = 1;
    http_exchange_resume_body(f->recorder.held);
    f->recorder.thirst = 4;
    http_exchange_resume_body(f->recorder.held);
    recorder_assert_log(&f->recorder, "head /sip|");
    f->recorder.thirst = 100;
    http_exchange_resume_body(f->recorder.held);
    assert_int_equal(f->recorder.thirst, 99);
    recorder_assert_log(&f->recorder, "end /sip|");
    f->recorder.held = NULL;
    peer_run(&f->peer);
    peer_assert_answer(response, 200, "01234567");
    recorder_assert_log(&f->recorder, "close /sip|");
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    f->limits.budget = NULL;
}

static void test_body_taken_slowly(void **state) {
    (void)state;
    run_over_both(body_taken_slowly_body);
}

/* The handler hears when the client has taken most of what it was sent. */
static void drain_body(struct fixture *f) {
    enum { SIZE = 200000 };
    struct peer_response *response = peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    struct buf data = BUF_EMPTY;
    memset(buf_reserve(&data, SIZE), 'd', SIZE);
    data.size = SIZE;
    http_respond_head(f->recorder.held, 200, NULL, 0);
    http_respond_data(f->recorder.held, &data);
    http_exchange_await_drain(f->recorder.held, 1000);
    assert_int_equal(http_exchange_unsent_bytes(f->recorder.held), SIZE);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|");
    peer_run(&f->peer);
    recorder_assert_log(&f->recorder, "drain /hold|");
    peer_run(&f->peer);
    recorder_assert_log(&f->recorder, ""); /* once */
    http_exchange_await_drain(f->recorder.held, 0);
    peer_run(&f->peer);
    recorder_assert_log(&f->recorder, "drain /hold|"); /* it was so already */
    http_respond_end(f->recorder.held, NULL, 0);
    peer_run(&f->peer);
    assert_int_equal(response->body.size, SIZE);
    assert_true(response->complete);
}

static void test_drain(void **state) {
    (void)state;
    run_over_both(drain_body);
}

static void early_refusal_body(struct fixture *f) {
    struct peer_response *refused = peer_request(&f->peer, "POST", "/refuse", SLICE_LITERAL("dropped"));
    struct peer_response *next = peer_request(&f->peer, "POST", "/echo", SLICE_LITERAL("kept"));
    peer_run(&f->peer);
    peer_assert_answer(refused, 403, "refused");
    peer_assert_answer(next, 200, "kept");
}

static void test_early_refusal_keeps_the_connection(void **state) {
    (void)state;
    run_over_both(early_refusal_body);
}

static void later_answer_body(struct fixture *f) {
    struct peer_response *held = peer_request(&f->peer, "POST", "/hold", SLICE_LITERAL("x"));
    peer_run(&f->peer);
    assert_int_equal(held->status, 0);
    assert_false(f->peer.wakened);
    recorder_release(&f->recorder, "at last");
    assert_true(f->peer.wakened);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|"); /* no callback inside of http_respond */
    peer_run(&f->peer);
    peer_assert_answer(held, 200, "at last");
    recorder_assert_log(&f->recorder, "close /hold|");
}

static void test_later_answer(void **state) {
    (void)state;
    run_over_both(later_answer_body);
}

/* ---- bytes of somebody else's behind an answer ---- */

static void count_release(void *user) {
    ++*(int *)user;
}

static struct http_tail tail_of(struct slice bytes, int *releases) {
    return (struct http_tail){.bytes = bytes, .release = count_release, .user = releases};
}

static struct peer_response *hold_one(struct fixture *f, const char *method) {
    struct peer_response *held = peer_request(&f->peer, method, "/hold", SLICE_LITERAL("x"));
    peer_run(&f->peer);
    assert_non_null(f->recorder.held);
    return held;
}

static void tail_body(struct fixture *f) {
    enum { SIZE = 300000 };
    static char data[SIZE];
    char expected[SIZE + 8] = "head:";
    int releases = 0;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)('a' + i * 7 % 26);
    memcpy(expected + 5, data, SIZE);
    struct peer_response *held = hold_one(f, "POST");
    struct buf body = text_buf("head:");
    http_respond_with_tail(f->recorder.held, 200, NULL, 0, &body, tail_of((struct slice){data, SIZE}, &releases));
    assert_int_equal(releases, 0); /* the bytes are still to be sent */
    peer_run(&f->peer);
    assert_int_equal(releases, 1);
    peer_assert_answer(held, 200, expected);
    assert_int_equal(held->content_length, SIZE + 5);
    /* In pieces, and with nothing before it. */
    held = hold_one(f, "POST");
    http_respond_head(f->recorder.held, 200, NULL, 0);
    http_respond_tail(f->recorder.held, tail_of(SLICE_LITERAL("one,"), &releases));
    http_respond_tail(f->recorder.held, tail_of(SLICE_LITERAL("two"), &releases));
    http_respond_end(f->recorder.held, NULL, 0);
    peer_run(&f->peer);
    peer_assert_answer(held, 200, "one,two");
    assert_int_equal(releases, 3);
}

static void test_tails(void **state) {
    (void)state;
    run_over_both(tail_body);
}

/* Whatever becomes of it, a tail is let go of once. */
static void unsent_tail_body(struct fixture *f) {
    int releases = 0;
    struct buf body = text_buf("x");
    struct peer_response *head = hold_one(f, "HEAD");
    http_respond_with_tail(f->recorder.held, 200, NULL, 0, &body, tail_of(SLICE_LITERAL("nobody's"), &releases));
    assert_int_equal(releases, 1);
    body = text_buf("y");
    http_respond_with_tail(f->recorder.held, 200, NULL, 0, &body, tail_of(SLICE_LITERAL("second"), &releases));
    http_respond_tail(f->recorder.held, tail_of(SLICE_LITERAL("late"), &releases));
    assert_int_equal(releases, 3);
    peer_run(&f->peer);
    peer_assert_answer(head, 200, "");
    struct peer_response *lost = hold_one(f, "POST");
    http_respond_with_tail(f->recorder.held, 200, NULL, 0, NULL, tail_of(SLICE_LITERAL("lost"), &releases));
    assert_int_equal(releases, 3);
    peer_cancel(&f->peer, lost);
    peer_run(&f->peer);
    assert_int_equal(releases, 4);
}

static void test_unsent_tails(void **state) {
    (void)state;
    run_over_both(unsent_tail_body);
}

static void streamed_body(struct fixture *f) {
    static char data[200000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 31 >> 3);
    struct peer_response *echo = peer_request(&f->peer, "POST", "/stream", (struct slice){data, sizeof data});
    peer_run(&f->peer);
    assert_true(echo->complete);
    assert_int_equal(echo->body.size, sizeof data);
    assert_memory_equal(echo->body.data, data, sizeof data);
}

static void test_streamed_body(void **state) {
    (void)state;
    run_over_both(streamed_body);
}

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
        cmocka_unit_test(test_get_and_post),
        cmocka_unit_test(test_request_fields),
        cmocka_unit_test(test_pieces_and_trailers),
        cmocka_unit_test(test_answers_without_body),
        cmocka_unit_test(test_crowded_budget),
        cmocka_unit_test(test_dirty_answers_are_cleaned),
        cmocka_unit_test(test_early_refusal_keeps_the_connection),
        cmocka_unit_test(test_later_answer),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_unsent_tails),
        cmocka_unit_test(test_streamed_body),
        cmocka_unit_test(test_body_taken_slowly),
        cmocka_unit_test(test_drain),
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
