/* HTTP/1.1 connections byte for byte: order of pipelined answers, when a connection is kept, half-closed clients,
 * time-outs. */
#include "h1_fixture.h"

static void test_pipelined_answers_keep_their_order(void **state) {
    struct fixture *f = *state;
    give_text(f, POST("/echo", 1, "a") GET("/hold") POST("/echo", 1, "b") GET("/pieces"));
    expect_output(f, OK(1, "a"));
    /* The next request is not begun before the one under way is answered. */
    recorder_assert_log(&f->recorder, "head /echo|end /echo|close /echo|head /hold|end /hold|");
    recorder_release(&f->recorder, "held");
    take_output(f);
    expect_output(f, OK(4, "held") OK(1, "b") "HTTP/1.1 200 OK\r\nX-Kind: pieces\r\nTransfer-Encoding: chunked\r\n\r\n"
                                              "9\r\n[1][2][3]\r\n0\r\nx-sum: 6\r\nx-end: \r\n\r\n");
}

static void test_pipelining_is_bounded(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold"));
    assert_true(f->session->ops->wants_input(f->session));
    size_t given = 0;
    while (f->session->ops->wants_input(f->session)) {
        give_text(f, POST("/echo", 4, "more"));
        given++;
        assert_true(given < 1000);
    }
    recorder_release(&f->recorder, "x");
    take_output(f);
    assert_int_equal(f->recorder.heads, given + 1);
    assert_true(f->session->ops->wants_input(f->session));
}

/* What has been worked on is no reason to read no more, although its memory is still there. */
static void test_pipelining_goes_on_behind_what_is_answered(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold"));
    while (f->session->ops->wants_input(f->session))
        give_text(f, POST("/echo", 4, "more"));
    give_text(f, GET("/hold") "G");
    assert_false(f->session->ops->wants_input(f->session));
    recorder_release(&f->recorder, "x");
    take_output(f);
    assert_true(f->session->ops->wants_input(f->session));
    recorder_release(&f->recorder, "y");
    take_output(f);
    buf_clear(&f->out);
    give_text(f, "ET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_output(f, OK(0, ""));
}

static size_t awaited(const struct fixture *f) {
    return f->session->ops->awaited(f->session);
}

/* Of a body whose length is told the connection need not give each piece at once. */
static void test_awaited(void **state) {
    struct fixture *f = *state;
    assert_int_equal(awaited(f), 0);
    give_text(f, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    assert_int_equal(awaited(f), 100);
    give_text(f, "0123456789");
    assert_int_equal(awaited(f), 90);
    for (int i = 0; i < 9; i++)
        give_text(f, "0123456789");
    assert_int_equal(awaited(f), 0);
    give_text(f, "POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    assert_int_equal(awaited(f), 0); /* each piece is of use */
    give_text(f, "0123456789");
    assert_int_equal(awaited(f), 0);
}

static void test_awaited_of_what_is_not_told_or_not_wanted(void **state) {
    struct fixture *f = *state;
    give_text(f, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n0123");
    assert_int_equal(awaited(f), 0);
    f->session->ops->destroy(f->session);
    struct status status = h1_session_create(&f->recorder.handler, &f->limits, &f->session);
    assert_int_equal(status.code, STATUS_OK);
    give_text(f, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    assert_int_equal(awaited(f), 0);
}

/* One long conversation gives the same bytes however it is cut. */
static void test_any_split_gives_the_same_answers(void **state) {
    (void)state;
    static const char text[] = "\r\n" GET("/echo?x")
        POST("/echo", 5,
             "hello") "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                      "chunked\r\n\r\n2;e=1\r\nab\r\n3\r\ncde\r\n0\r\nT: x\r\n\r\n"
                      "HEAD /pieces HTTP/1.1\r\nHost: h\r\n\r\n" POST("/refuse", 3, "xyz") GET("/pieces") GET(
                          "/nothing") "GET /describe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/never");
    static const char expected[] = OK(0, "") OK(5, "hello")
        OK(5, "abcde") "HTTP/1.1 200 OK\r\nX-Kind: pieces\r\n\r\n"
                       "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nrefused"
                       "HTTP/1.1 200 OK\r\nX-Kind: pieces\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "9\r\n[1][2][3]\r\n0\r\nx-sum: 6\r\nx-end: \r\n\r\n"
                       "HTTP/1.1 204 No Content\r\n\r\n"
                       "HTTP/1.1 200 OK\r\nContent-Length: 40\r\nConnection: close\r\n\r\nGET /describe ? @h "
                       "x-test=none length=-1";
    uint64_t random = 88172645463325252;
    for (int round = 0; round < 200; round++) {
        void *fixture;
        setup(&fixture);
        struct fixture *f = fixture;
        for (size_t at = 0; at < sizeof text - 1;) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t n = round == 0 ? sizeof text : round == 1 ? 1 : 1 + (random >> 40) % 60;
            n = n < sizeof text - 1 - at ? n : sizeof text - 1 - at;
            give(f, (struct slice){text + at, n});
            at += n;
        }
        assert_true(finished(f));
        expect_output(f, expected);
        teardown(&fixture);
    }
}

static void test_http_1_0(void **state) {
    struct fixture *f = *state;
    give_text(f, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect_output(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    assert_false(finished(f));
    /* Without chunks the end of an answer in pieces is the end of the connection. */
    give_text(f, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("/never"));
    expect_output(f, "HTTP/1.1 200 OK\r\nX-Kind: pieces\r\nConnection: close\r\n\r\n[1][2][3]");
    assert_true(finished(f));
}

static void test_http_1_0_closes(void **state) {
    struct fixture *f = *state;
    give_text(f, "GET /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    expect_output(f, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx");
    assert_true(finished(f));
}

#define BAD_REQUEST(length, text)                                                                                      \
    "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nContent-Length: " #length                           \
    "\r\nConnection: close\r\n\r\n{\"error\":\"" text "\"}"

static void test_broken_head(void **state) {
    struct fixture *f = *state;
    give_text(f, POST("/echo", 2, "ok") "GET / HTTP/1.1\n\n" GET("/never"));
    expect_output(f, OK(2, "ok") BAD_REQUEST(48, "an LF without CR in the request head"));
    assert_true(finished(f));
    give_text(f, GET("/never"));
    assert_int_equal(f->out.size, 0);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|close /echo|");
}

static void test_broken_chunks(void **state) {
    struct fixture *f = *state;
    give_text(f, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n");
    expect_output(f, BAD_REQUEST(53, "the chunks of the request body are broken"));
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /echo|close /echo|");
}

static void test_broken_chunks_after_the_answer_began(void **state) {
    struct fixture *f = *state;
    give_text(f, "POST /stream HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    buf_clear(&f->out);
    give_text(f, "x\r\n");
    expect_output(f, ""); /* no last chunk: the client sees that it is cut off */
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /stream|abort /stream|");
}

static void test_continue_is_not_sent_when_the_body_is_here(void **state) {
    struct fixture *f = *state;
    give_text(f, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    expect_output(f, OK(2, "hi"));
    give_text(f, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    expect_output(f, "HTTP/1.1 100 Continue\r\n\r\n");
    give_text(f, "yo");
    expect_output(f, OK(2, "yo"));
}

static void test_refused_before_continue_closes(void **state) {
    struct fixture *f = *state;
    give_text(f, "POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    expect_output(f, "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nConnection: close\r\n\r\nrefused");
    assert_true(finished(f));
}

static void test_rest_of_a_refused_body(void **state) {
    struct fixture *f = *state;
    give_text(f, POST("/refuse", 10, "half "));
    expect_output(f, "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nrefused");
    give_text(f, "other" GET("/echo"));
    expect_output(f, OK(0, ""));
    /* A long rest is not waited for. */
    give_text(f, POST("/refuse", 10000000, "a"));
    expect_output(f, "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nConnection: close\r\n\r\nrefused");
    assert_true(finished(f));
}

/* What is answered is sent, and so is what can be answered at once; nothing else is. */
static void test_half_closed_with_answers_on_their_way(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold") POST("/echo", 2, "ok") GET("/hold") GET("/echo"));
    recorder_release(&f->recorder, "held");
    f->session->ops->input_closed(f->session, false);
    assert_false(finished(f));
    take_output(f);
    expect_output(f, OK(4, "held") OK(2, "ok"));
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /hold|end /hold|close /hold|head /echo|end /echo|close /echo|"
                                      "head /hold|end /hold|abort /hold|");
}

static void test_half_closed_clients_do_not_wait(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold") GET("/echo"));
    f->session->ops->input_closed(f->session, false);
    take_output(f);
    assert_int_equal(f->out.size, 0);
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
}

/* An answer that is given piece by piece is not complete. */
static void test_half_closed_in_an_answer(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold"));
    struct buf piece = text_buf("piece");
    http_respond_head(f->recorder.held, 200, NULL, 0);
    http_respond_data(f->recorder.held, &piece);
    take_output(f);
    f->session->ops->input_closed(f->session, false);
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
}

static void test_half_closed_in_a_body(void **state) {
    struct fixture *f = *state;
    give_text(f, POST("/echo", 10, "half"));
    f->session->ops->input_closed(f->session, false);
    take_output(f);
    assert_int_equal(f->out.size, 0);
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /echo|abort /echo|");
}

/* The client half-closes while it is sent an answer, and in the middle of the body of the next request. */
static void test_half_closed_in_a_pipelined_body(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold") POST("/echo", 10, "half"));
    recorder_release(&f->recorder, "held");
    f->session->ops->input_closed(f->session, false);
    take_output(f);
    expect_output(f, OK(4, "held"));
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /hold|end /hold|close /hold|head /echo|abort /echo|");
}

static void test_half_closed_in_a_pipelined_body_that_is_refused(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold") POST("/refuse", 10, "half"));
    recorder_release(&f->recorder, "held");
    f->session->ops->input_closed(f->session, false);
    take_output(f);
    expect_output(f, OK(4, "held") "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nrefused");
    assert_true(finished(f));
}

static void test_half_closed_when_idle(void **state) {
    struct fixture *f = *state;
    f->session->ops->input_closed(f->session, false);
    assert_true(finished(f));
}

static void test_head_timeout(void **state) {
    struct fixture *f = *state;
    give_text(f, "GET / HT");
    tick_at_deadline(f);
    expect_output(f, "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nContent-Length: 49\r\n"
                     "Connection: close\r\n\r\n{\"error\":\"the request head did not come in time\"}");
    assert_true(finished(f));
    assert_int_equal(f->recorder.heads, 0);
}

/* Found out by the chunk that is too much, or told by its length before any of it comes. */
static void test_bodies_at_the_limit(void **state) {
    struct fixture *f = *state;
    f->limits.max_body_bytes = 4;
    give_text(f, POST("/echo", 4, "four") "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                          "4\r\nfour\r\n0\r\n\r\n");
    expect_output(f, OK(4, "four") OK(4, "four"));
    give_text(f, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nlarge\r\n0\r\n\r\n");
    assert_true(slice_starts_with(buf_slice(&f->out), SLICE_LITERAL("HTTP/1.1 413 ")));
}

static void test_a_length_over_the_limit(void **state) {
    struct fixture *f = *state;
    f->limits.max_body_bytes = 4;
    give_text(f, POST("/echo", 5, ""));
    assert_true(slice_starts_with(buf_slice(&f->out), SLICE_LITERAL("HTTP/1.1 413 ")));
}

/* However long the connection was idle before. */
static void test_the_time_of_a_head_begins_with_it(void **state) {
    struct fixture *f = *state;
    uint64_t before_ns = clock_monotonic_ns();
    give_text(f, "G");
    assert_true(f->session->ops->deadline(f->session) >= before_ns + f->limits.head_timeout_ns);
}

/* Bytes that drip in do not put off the end of the head's time. */
static void test_slow_heads_do_not_gain_time(void **state) {
    struct fixture *f = *state;
    give_text(f, "G");
    uint64_t deadline = f->session->ops->deadline(f->session);
    give_text(f, "E");
    give_text(f, "T / HTTP/1.1\r\nHost: ");
    assert_int_equal(f->session->ops->deadline(f->session), deadline);
}

static void test_idle_timeout_is_silent(void **state) {
    struct fixture *f = *state;
    tick_at_deadline(f);
    assert_int_equal(f->out.size, 0);
    assert_true(finished(f));
}

static void test_no_timeout_while_the_handler_works(void **state) {
    struct fixture *f = *state;
    give_text(f, GET("/hold"));
    assert_int_equal(f->session->ops->deadline(f->session), 0);
    recorder_release(&f->recorder, "");
    take_output(f);
    assert_true(f->session->ops->deadline(f->session) > 0);
}

static void test_shutdown_in_the_middle_of_a_head(void **state) {
    struct fixture *f = *state;
    give_text(f, "GET /echo HTTP/1.1\r\nHo");
    f->session->ops->shutdown(f->session);
    assert_false(finished(f));
    give_text(f, "st: h\r\n\r\n" GET("/never"));
    expect_output(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_true(finished(f));
}

/* A client that has fallen silent holds up the end for a shorter time than it may be silent otherwise. */
static void test_shutdown_shortens_timeouts(void **state) {
    static const char *const cut[] = {"GET /echo HTTP/1.1\r\nHo", POST("/echo", 10, "half")};
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = *state;
        give_text(f, cut[i]);
        uint64_t before = clock_monotonic_ns();
        f->session->ops->shutdown(f->session);
        uint64_t deadline = f->session->ops->deadline(f->session);
        assert_true(deadline >= before + f->limits.drain_timeout_ns);
        assert_true(deadline <= clock_monotonic_ns() + f->limits.drain_timeout_ns);
        tick_at_deadline(f);
        assert_true(slice_starts_with(buf_slice(&f->out), SLICE_LITERAL("HTTP/1.1 408 ")));
        assert_true(finished(f));
        teardown(state);
        setup(state);
    }
}

/* What a request holds before its body comes: its head and the cost of any exchange. */
static size_t head_cost(const char *head) {
    return EXCHANGE_COST + strlen(head);
}

/* Bodies are booked as they come, refused when all together would be too much, and booked out with their exchange. */
static void test_budget(void **state) {
    struct fixture *f = *state;
    size_t head = head_cost(POST("/echo", 10, "")), held = head_cost(POST("/hold", 3, ""));
    struct http_budget budget = {.max_bytes = head + 10 + 10}; /* body and answer */
    f->limits.budget = &budget;
    give_text(f, POST("/echo", 10, "0123"));
    assert_int_equal(atomic_load(&budget.held_bytes), head + 4);
    give_text(f, "456789");
    expect_output(f, OK(10, "0123456789"));
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    budget.max_bytes = held + 10;
    atomic_store(&budget.held_bytes, 7); /* by others */
    give_text(f, POST("/hold", 3, "012"));
    assert_int_equal(atomic_load(&budget.held_bytes), held + 10);
    assert_false(http_exchange_hold(f->recorder.held, 4));
    assert_false(http_exchange_hold(f->recorder.held, SIZE_MAX));
    assert_true(http_exchange_hold(f->recorder.held, 2));
    assert_int_equal(atomic_load(&budget.held_bytes), held + 9);
    recorder_release(&f->recorder, "");
    take_output(f);
    assert_int_equal(atomic_load(&budget.held_bytes), 7);
    buf_clear(&f->out);
    give_text(f, POST("/echo", 4, "0123"));
    budget.max_bytes += 3; /* for the answer */
    give_text(f, POST("/echo", 3, "012"));
    assert_true(slice_starts_with(buf_slice(&f->out), SLICE_LITERAL("HTTP/1.1 503 ")));
    assert_int_equal(atomic_load(&budget.held_bytes), 7);
    buf_append_char(&f->out, '\0');
    assert_non_null(strstr(f->out.data, "HTTP/1.1 200 OK")); /* the connection is still good */
}

/* Within its share a session is served, whatever others hold; answers are booked until they are taken. */
static void test_share_and_answers(void **state) {
    struct fixture *f = *state;
    size_t head = head_cost(POST("/echo", 4, ""));
    struct http_budget budget = {.share_bytes = head + 8};
    f->limits.budget = &budget;
    give_text(f, POST("/echo", 4, "0123"));
    expect_output(f, OK(4, "0123"));
    give_text(f, POST("/hold", 1, "x"));
    assert_false(http_exchange_take_room(f->recorder.held, 9));
    assert_true(http_exchange_take_room(f->recorder.held, 7));
    recorder_release(&f->recorder, "0123456789"); /* has no room: becomes a 503, which needs none */
    assert_true(atomic_load(&budget.held_bytes) > 0);
    take_output(f);
    assert_true(slice_starts_with(buf_slice(&f->out), SLICE_LITERAL("HTTP/1.1 503 ")));
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    buf_clear(&f->out);
    budget.share_bytes = head_cost(GET("/pieces")) + 8;
    give_text(f, GET("/pieces")); /* 9 bytes in pieces: the last has no room, and the answer is broken off */
    assert_true(finished(f));
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
}

/* Bytes that wait behind the request under way are booked too. */
static void test_carried_bytes_are_booked(void **state) {
    struct fixture *f = *state;
    struct http_budget budget = {.max_bytes = 100000};
    f->limits.budget = &budget;
    give_text(f, GET("/hold"));
    size_t before = atomic_load(&budget.held_bytes);
    give_text(f, GET("/echo"));
    assert_true(atomic_load(&budget.held_bytes) >= before + strlen(GET("/echo")));
    budget.max_bytes = 0;
    struct status status = f->session->ops->input(f->session, GET("/echo"), strlen(GET("/echo")));
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
}

static void test_output_comes_in_pieces(void **state) {
    struct fixture *f = *state;
    enum { SIZE = 1 << 20, TARGET = 5000 };
    struct buf body = BUF_EMPTY;
    memset(buf_reserve(&body, SIZE), 'b', SIZE);
    body.size = SIZE;
    give_text(f, GET("/hold"));
    http_respond(f->recorder.held, 200, NULL, 0, &body);
    size_t total = 0, pieces = 0;
    for (;;) {
        struct buf piece = BUF_EMPTY;
        struct status status = take_from(f->session, TARGET, &piece);
        assert_int_equal(status.code, STATUS_OK);
        assert_true(piece.size <= TARGET);
        total += piece.size;
        pieces++;
        bool last = piece.size == 0;
        buf_free(&piece);
        if (last)
            break;
    }
    assert_true(total > SIZE && total < SIZE + 200);
    assert_true(pieces >= SIZE / TARGET);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_pipelined_answers_keep_their_order),
        TEST(test_pipelining_is_bounded),
        TEST(test_pipelining_goes_on_behind_what_is_answered),
        TEST(test_awaited),
        TEST(test_awaited_of_what_is_not_told_or_not_wanted),
        cmocka_unit_test(test_any_split_gives_the_same_answers),
        TEST(test_http_1_0),
        TEST(test_http_1_0_closes),
        TEST(test_broken_head),
        TEST(test_broken_chunks),
        TEST(test_broken_chunks_after_the_answer_began),
        TEST(test_continue_is_not_sent_when_the_body_is_here),
        TEST(test_refused_before_continue_closes),
        TEST(test_rest_of_a_refused_body),
        TEST(test_half_closed_with_answers_on_their_way),
        TEST(test_half_closed_clients_do_not_wait),
        TEST(test_half_closed_in_an_answer),
        TEST(test_half_closed_in_a_body),
        TEST(test_half_closed_in_a_pipelined_body),
        TEST(test_half_closed_in_a_pipelined_body_that_is_refused),
        TEST(test_half_closed_when_idle),
        TEST(test_head_timeout),
        TEST(test_bodies_at_the_limit),
        TEST(test_a_length_over_the_limit),
        TEST(test_the_time_of_a_head_begins_with_it),
        TEST(test_slow_heads_do_not_gain_time),
        TEST(test_idle_timeout_is_silent),
        TEST(test_no_timeout_while_the_handler_works),
        TEST(test_shutdown_in_the_middle_of_a_head),
        TEST(test_shutdown_shortens_timeouts),
        TEST(test_budget),
        TEST(test_share_and_answers),
        TEST(test_carried_bytes_are_booked),
        TEST(test_output_comes_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
