/* What handlers and clients see of requests and answers, over HTTP/1.1 and HTTP/2 alike. */
#include "both.h"
#include "http/exchange_priv.h"

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
    assert_true(http_exchange_hold(f->recorder.held, 20)); /* of the handler's, beside what it has not taken */
    assert_int_equal(atomic_load(&budget.held_bytes), head + 20 + 1);
    peer_send_more(&f->peer, response, SLICE_LITERAL("34567"), true);
    peer_run(&f->peer);
    assert_int_equal(atomic_load(&budget.held_bytes), head + 20 + 6);
    f->recorder.thirst = 1;
    http_exchange_resume_body(f->recorder.held);
    f->recorder.thirst = 4;
    http_exchange_resume_body(f->recorder.held);
    recorder_assert_log(&f->recorder, "head /sip|");
    f->recorder.thirst = 100;
    http_exchange_resume_body(f->recorder.held);
    assert_int_equal(f->recorder.thirst, 99);
    assert_int_equal(http_exchange_unsent_bytes(f->recorder.held), 6);
    assert_int_equal(atomic_load(&budget.held_bytes), head + 20 + 6); /* the answer by now */
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
