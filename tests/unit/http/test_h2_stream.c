/* Streams: many at once, their ends by either side, and what they take of the budget. */
#include "h2_fixture.h"

/* ---- many ---- */

static void test_many_streams_at_once(void **state) {
    struct fixture *f = *state;
    static char data[PEER_RESPONSES][3000];
    for (size_t i = 0; i < PEER_RESPONSES; i++) {
        memset(data[i], (int)('a' + i % 26), sizeof data[i]);
        peer_request(&f->peer, "POST", i % 2 ? "/echo" : "/stream", (struct slice){data[i], sizeof data[i] - i});
    }
    peer_run(&f->peer);
    for (size_t i = 0; i < PEER_RESPONSES; i++) {
        const struct peer_response *response = &f->peer.responses[i];
        assert_true(response->complete);
        assert_int_equal(response->body.size, sizeof data[i] - i);
        assert_memory_equal(response->body.data, data[i], response->body.size);
    }
}

static void test_too_many_streams_are_refused(void **state) {
    struct fixture *f = *state;
    peer_close(&f->peer);
    f->limits.max_concurrent_streams = 3;
    peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&bytes);
    for (unsigned i = 0; i < 4; i++)
        append_request(&bytes, 2 * i + 1, "/idle", 0);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->recorder.heads, 3);
    assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_REFUSED_STREAM);
    buf_free(&out);
}

enum { STREAMS = 200 };

/* Requests that come and end in any order, all open at once; some are given up. The numbers are such that many are
 * found in the same place. */
static void test_streams_in_any_order(void **state) {
    struct fixture *f = *state;
    uint64_t random = 0x9e3779b97f4a7c15;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    uint32_t ids[STREAMS], last = 1;
    bool given_up[STREAMS];
    greet_client(f);
    for (size_t i = 0; i < STREAMS; i++) {
        ids[i] = last;
        given_up[i] = random_next(&random) % 3 == 0;
        last += random_next(&random) % 2 ? 2 * H2_BUCKETS : 2;
        append_request(&bytes, ids[i], "/echo", 0);
    }
    for (size_t left = STREAMS; left > 0; left--) { /* the one in place `left` is done with */
        size_t i = (size_t)(random_next(&random) % left);
        uint32_t id = ids[i];
        char text[16];
        snprintf(text, sizeof text, "%u", id);
        append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, id, slice_of(text));
        if (given_up[i])
            bytes.data[bytes.size - strlen(text) - 5] = 0; /* no end yet */
        if (given_up[i])
            append_reset(&bytes, id);
        bool gone = given_up[i];
        ids[i] = ids[left - 1], ids[left - 1] = id;
        given_up[i] = given_up[left - 1], given_up[left - 1] = gone;
    }
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->recorder.heads, STREAMS);
    for (size_t i = 0; i < STREAMS; i++) {
        struct buf text = BUF_EMPTY;
        char wanted[80], id[16];
        snprintf(id, sizeof id, "%u", ids[i]);
        snprintf(wanted, sizeof wanted, "H%s D%s:%zu.", id, id, strlen(id));
        describe_stream(&text, &out, ids[i]);
        assert_string_equal(text.data, given_up[i] ? "" : wanted);
        assert_null(h2_stream_find(h2_of(f), ids[i]));
        buf_free(&text);
    }
    assert_null(h2_of(f)->streams);
    assert_int_equal(h2_of(f)->stream_count, 0);
    buf_free(&out);
}

/* A handler has the time that it wants, also when the client, which asked for the head alone, has all it gets. */
static void test_head_of_a_slow_answer(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, block = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_field(&block, ":method", "HEAD");
    append_field(&block, ":scheme", "http");
    append_field(&block, ":authority", "test");
    append_field(&block, ":path", "/hold");
    append_block(&bytes, 1, &block, H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    http_respond_head(f->recorder.held, 200, NULL, 0);
    take_output(f, &out);
    assert_frames(&out, "H1.");
    tick_at(f, clock_monotonic_ns() + 2 * f->limits.body_timeout_ns, &out);
    assert_int_equal(out.size, 0);
    http_respond_end(f->recorder.held, NULL, 0);
    take_output(f, &out);
    assert_int_equal(out.size, 0);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|close /hold|");
}

/* The client has sent all: a window would be of no use to it. */
static void test_no_window_behind_the_end(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/sip", 0);
    for (size_t sent = 0; sent < HTTP_H2_STREAM_WINDOW; sent += HTTP_H2_FRAME_MAX)
        append_data(&bytes, 1, HTTP_H2_FRAME_MAX, sent + HTTP_H2_FRAME_MAX == HTTP_H2_STREAM_WINDOW);
    exchange_frames(f, &bytes, "H1");
    f->recorder.thirst = SIZE_MAX;
    http_exchange_resume_body(f->recorder.held);
    take_output(f, &out);
    assert_int_equal(last_frame(&out, H2_FRAME_WINDOW_UPDATE, 0), -1);
    assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), -1);
    buf_free(&out);
}

/* What is taken while nothing else happens on the connection makes it ask for output. */
static void test_window_is_told_of_at_once(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/hold", 0);
    exchange_frames(f, &bytes, "");
    struct h2_stream *stream = h2_stream_find(h2_of(f), 1);
    f->peer.wakened = false;
    stream->exchange.ops->taken(&stream->exchange, HTTP_H2_STREAM_WINDOW / 2);
    assert_true(f->peer.wakened);
    take_output(f, &out);
    assert_int_equal(last_frame(&out, H2_FRAME_WINDOW_UPDATE, 0), HTTP_H2_STREAM_WINDOW / 2);
    buf_free(&out);
}

/* Deadlines are told from the begin of a head. */
static void test_requests_begin_with_their_head(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, block = request_block("/hold");
    greet_client(f);
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, 1, (struct slice){block.data, 5});
    exchange_frames(f, &bytes, "");
    uint64_t begun_ns = clock_monotonic_ns();
    append_frame(&bytes, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 1, (struct slice){block.data + 5, block.size - 5});
    exchange_frames(f, &bytes, "");
    assert_true(http_exchange_received_ns(f->recorder.held) <= begun_ns);
    recorder_release(&f->recorder, "");
    buf_free(&block);
}

/* ---- ends by the session ---- */

/* What comes behind the end of an answer gives the client no more time to stop. */
static void test_dribbling_gains_no_time(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/refuse", 0);
    exchange_frames(f, &bytes, "H1 D1:7.");
    const struct h2_stream *stream = h2_stream_find(h2_of(f), 1);
    uint64_t deadline = h2_stream_deadline(stream);
    append_data(&bytes, 1, 1, 0);
    exchange_frames(f, &bytes, "");
    assert_int_equal(h2_stream_deadline(stream), deadline);
}

static void close_and_ask_for_more(void *user, struct http_exchange *exchange) {
    recorder_on_close(user, exchange);
    http_exchange_set_deadline(exchange, 1);
    http_exchange_await_drain(exchange, 0);
}

/* A handler that does not know that its last callback is the last does no harm. */
static void test_last_callbacks_ask_in_vain(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    f->recorder.handler.on_close = close_and_ask_for_more;
    greet_client(f);
    append_request(&bytes, 1, "/echo", H2_FLAG_END_STREAM);
    append_request(&bytes, 3, "/echo", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "H1. H3.");
    assert_null(h2_of(f)->ready.first);
    assert_null(h2_of(f)->streams);
}

/* Answered before its request was complete: the client may stop by itself, and is made to if it goes on or is silent.
 */
static void test_early_answer_stops_the_upload(void **state) {
    struct fixture *f = *state;
    static char data[8 << 20];
    struct peer_response *refused = peer_request(&f->peer, "POST", "/refuse", (struct slice){data, sizeof data});
    peer_run(&f->peer);
    peer_assert_answer(refused, 403, "refused");
    assert_true(refused->reset);
    assert_int_equal(refused->error_code, H2_ERROR_NONE);
    recorder_assert_log(&f->recorder, "head /refuse|close /refuse|");

    struct peer_response *silent = peer_request_full(&f->peer, "POST", "/refuse", NULL, 0, SLICE_LITERAL("x"), true);
    peer_run(&f->peer);
    peer_assert_answer(silent, 403, "refused");
    assert_false(silent->reset);
    struct status status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + 2 * NS_PER_S);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    assert_true(silent->reset);
    assert_int_equal(silent->error_code, H2_ERROR_NONE);
    recorder_assert_log(&f->recorder, "head /refuse|close /refuse|");
}

/* A stream goes in the middle of a frame of DATA, by its handler, its time or its own bytes: the rest of the frame is
 * of nobody, and the next frame finds its own stream. */
static void test_gone_within_data(void **state) {
    struct fixture *f = *state;
    for (int how = 0; how < 3; how++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block(how == 2 ? "/echo" : "/sip");
        greet_client(f);
        if (how == 2)
            append_field(&block, "content-length", "3");
        append_block(&bytes, 1, &block, 0);
        f->recorder.thirst = 3;
        append_data(&bytes, 1, 8, H2_FLAG_END_STREAM);
        size_t rest = 4;
        bytes.size -= rest;
        assert_int_equal(give_raw(f, &bytes, &out).code, STATUS_OK);
        if (how == 0)
            http_exchange_reset(f->recorder.held);
        if (how == 1)
            tick_at(f, clock_monotonic_ns() + 2 * f->limits.body_timeout_ns, &out);
        take_output(f, &out);
        assert_null(h2_of(f)->streams);
        assert_null(h2_of(f)->reader.stream);
        buf_free(&out);
        buf_append(&bytes, "rest", rest);
        append_request(&bytes, 3, "/echo", 0);
        append_data(&bytes, 3, 5, H2_FLAG_END_STREAM);
        exchange_frames(f, &bytes, "H3 D3:5.");
        reopen(f);
    }
}

/* What comes behind an early answer is dropped, its windows opened all the same, and its end is the stream's end. */
static void test_rest_of_an_answered_request(void **state) {
    struct fixture *f = *state;
    for (int trailers = 0; trailers <= 1; trailers++) {
        struct buf bytes = BUF_EMPTY, block = BUF_EMPTY;
        greet_client(f);
        append_request(&bytes, 1, "/refuse", 0);
        exchange_frames(f, &bytes, "H1 D1:7.");
        for (int i = 0; i < 8; i++)
            append_data(&bytes, 1, HTTP_H2_FRAME_MAX, 0);
        exchange_frames(f, &bytes, "W1:2097152");
        assert_non_null(h2_of(f)->streams);
        if (trailers) {
            append_field(&block, "x", "y");
            append_block(&bytes, 1, &block, H2_FLAG_END_STREAM);
        } else {
            append_data(&bytes, 1, 1, H2_FLAG_END_STREAM);
        }
        exchange_frames(f, &bytes, "");
        assert_null(h2_of(f)->streams);
        recorder_assert_log(&f->recorder, "head /refuse|close /refuse|");
        reopen(f);
    }
}

static void test_too_much_behind_an_answer(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/refuse", 0);
    exchange_frames(f, &bytes, "H1 D1:7.");
    for (int i = 0; i < HTTP_H2_DROP_MAX / HTTP_H2_FRAME_MAX - 1; i++)
        append_data(&bytes, 1, HTTP_H2_FRAME_MAX, 0);
    exchange_frames(f, &bytes, "W1:2097152");
    append_data(&bytes, 1, HTTP_H2_FRAME_MAX, 0);
    exchange_frames(f, &bytes, "W1:2097152 R1:0");
    append_data(&bytes, 1, HTTP_H2_FRAME_MAX, H2_FLAG_END_STREAM); /* it crosses the reset */
    exchange_frames(f, &bytes, "");
    recorder_assert_log(&f->recorder, "head /refuse|close /refuse|");
}

/* The handler has given up, and the session has not said so yet, while more of the request comes. */
static void test_input_of_a_stream_to_be_reset(void **state) {
    static const struct {
        const char *more; /* D: data, E: its end, T: trailers, R: reset, W: a window, 0: an impossible one */
        const char *frames;
    } rows[] = {{"", "R1:8"}, {"D", "R1:8"}, {"DDE", "R1:8"}, {"T", "R1:8"},
                {"DR", ""},   {"W", "R1:8"}, {"0", "R1:1"},   {"ED", "R1:5"}};
    struct fixture *f = *state;
    f->limits.budget = &f->budget;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, block = BUF_EMPTY;
        reopen(f);
        greet_client(f);
        append_request(&bytes, 1, "/sip", 0);
        append_data(&bytes, 1, 10, 0);
        exchange_frames(f, &bytes, "H1");
        http_exchange_reset(f->recorder.held);
        for (const char *at = rows[i].more; *at; at++) {
            if (*at == 'D' || *at == 'E')
                append_data(&bytes, 1, 10, *at == 'E' ? H2_FLAG_END_STREAM : 0);
            else if (*at == 'R')
                append_reset(&bytes, 1);
            else if (*at == 'W' || *at == '0')
                append_window(&bytes, 1, *at == 'W');
        }
        if (rows[i].more[0] == 'T') {
            append_field(&block, "x", "y");
            append_block(&bytes, 1, &block, H2_FLAG_END_STREAM);
        }
        if (bytes.size == 0)
            append_frame(&bytes, H2_FRAME_PRIORITY, 0, 1, SLICE_LITERAL("\0\0\0\0\0"));
        exchange_frames(f, &bytes, rows[i].frames);
        recorder_assert_log(&f->recorder, "head /sip|abort /sip|");
        assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
    }
}

static void test_reset_in_the_answer(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/reset-in-answer", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "H1 R1:8");
    recorder_assert_log(&f->recorder, "head /reset-in-answer|end /reset-in-answer|abort /reset-in-answer|");
}

/* Both ends are there, but the client gives up before it has all: that is no answer. And with all of it, it is. */
static void test_reset_by_the_client(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, block = BUF_EMPTY;
    greet_client(f);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 5);
    append_echo(&bytes, 1, 10);
    exchange_frames(f, &bytes, "S+ H1 D1:5");
    append_reset(&bytes, 1);
    exchange_frames(f, &bytes, "");
    recorder_assert_log(&f->recorder, "head /echo|end /echo|abort /echo|");
    append_request(&bytes, 3, "/refuse", 0);
    append_window(&bytes, 3, 5);
    exchange_frames(f, &bytes, "H3 D3:7.");
    append_reset(&bytes, 3);
    exchange_frames(f, &bytes, "");
    recorder_assert_log(&f->recorder, "head /refuse|close /refuse|");
    append_field(&block, ":method", "HEAD");
    append_field(&block, ":scheme", "http");
    append_field(&block, ":authority", "test");
    append_field(&block, ":path", "/stream");
    append_block(&bytes, 5, &block, 0);
    exchange_frames(f, &bytes, "H5."); /* the client has all, but the handler goes on */
    append_reset(&bytes, 5);
    exchange_frames(f, &bytes, "");
    recorder_assert_log(&f->recorder, "head /stream|abort /stream|");
}

/* ---- budget ---- */

static void test_budget(void **state) {
    struct fixture *f = *state;
    f->budget.max_bytes = 100000;
    f->limits.budget = &f->budget;
    struct peer_response *first = peer_request_full(&f->peer, "POST", "/echo", NULL, 0, SLICE_LITERAL(""), true);
    peer_run(&f->peer);
    size_t head = atomic_load(&f->budget.held_bytes);
    assert_true(head > EXCHANGE_COST);
    peer_send_more(&f->peer, first, SLICE_LITERAL("half"), false);
    peer_run(&f->peer);
    assert_int_equal(atomic_load(&f->budget.held_bytes), head + 4);
    enum { FIELDS = 200 }; /* more than the second head may have */
    static const char much[FIELDS];
    f->budget.max_bytes = 2 * head + FIELDS;
    struct peer_response *second = peer_request(&f->peer, "POST", "/echo", (struct slice){much, sizeof much});
    peer_run(&f->peer);
    assert_int_equal(second->status, 503);
    peer_send_more(&f->peer, first, SLICE_LITERAL("!!"), true);
    peer_run(&f->peer);
    peer_assert_answer(first, 200, "half!!");
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
}

/* Answers that the client takes in no window are booked; those without room become a short 503. */
static void test_answers_are_booked(void **state) {
    struct fixture *f = *state;
    f->budget.max_bytes = 1 << 20;
    f->limits.budget = &f->budget;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    size_t head = atomic_load(&f->budget.held_bytes);
    f->peer.no_reading = true;
    f->budget.max_bytes = head + 5;
    assert_true(http_exchange_take_room(f->recorder.held, 5));
    assert_false(http_exchange_take_room(f->recorder.held, 6));
    recorder_release(&f->recorder, "123456");
    f->peer.no_reading = false;
    peer_run(&f->peer);
    assert_int_equal(f->peer.responses[0].status, 503);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
}

/* Room that was taken is there, whatever others take before the answer is given; what is left of it is given back. */
static void test_room_is_kept(void **state) {
    struct fixture *f = *state;
    f->budget.max_bytes = 1 << 20;
    f->limits.budget = &f->budget;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    assert_true(http_exchange_take_room(f->recorder.held, 100));
    f->budget.max_bytes = 0;
    assert_false(http_exchange_take_room(f->recorder.held, 100));
    f->budget.max_bytes = 1 << 20;
    assert_true(http_exchange_take_room(f->recorder.held, 12)); /* 3 more than it needs */
    f->budget.max_bytes = 0;
    recorder_answer_pieces(f->recorder.held);
    f->recorder.held = NULL;
    peer_run(&f->peer);
    assert_true(f->peer.responses[0].complete);
    assert_int_equal(f->peer.responses[0].body.size, 9);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
}

/* A connection that ends gives all back: what is collected, kept for the handler, and waits to be sent. */
static void test_all_is_given_back(void **state) {
    static const char filler[20000];
    struct fixture *f = *state;
    f->limits.budget = &f->budget;
    for (int end = 0; end < 3; end++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        reopen(f);
        greet_client(f);
        append_request(&bytes, 1, "/echo", 0);
        append_data(&bytes, 1, 1000, 0);
        append_request(&bytes, 3, "/sip", 0);
        append_data(&bytes, 3, 1000, 0);
        append_echo(&bytes, 5, 200000);
        append_frame(&bytes, H2_FRAME_HEADERS, 0, 7, (struct slice){"\0", 1});
        append_frame(&bytes, H2_FRAME_CONTINUATION, 0, 7, (struct slice){filler, sizeof filler});
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        buf_free(&out);
        assert_true(atomic_load(&f->budget.held_bytes) > 100000);
        if (end == 1) {
            f->peer.session->ops->input_closed(f->peer.session, true);
        } else if (end == 2) {
            append_frame(&bytes, H2_FRAME_PING, 0, 0, NO_BODY);
            status = give_raw(f, &bytes, &out);
            assert_int_equal(status.code, STATUS_OK);
            assert_frames(&out, "G5:1");
        }
        peer_close(&f->peer);
        assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
        assert_int_equal(f->recorder.lasts, f->recorder.heads);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_many_streams_at_once),
        TEST(test_too_many_streams_are_refused),
        TEST(test_streams_in_any_order),
        TEST(test_head_of_a_slow_answer),
        TEST(test_no_window_behind_the_end),
        TEST(test_window_is_told_of_at_once),
        TEST(test_requests_begin_with_their_head),
        TEST(test_dribbling_gains_no_time),
        TEST(test_last_callbacks_ask_in_vain),
        TEST(test_early_answer_stops_the_upload),
        TEST(test_gone_within_data),
        TEST(test_rest_of_an_answered_request),
        TEST(test_too_much_behind_an_answer),
        TEST(test_input_of_a_stream_to_be_reset),
        TEST(test_reset_in_the_answer),
        TEST(test_reset_by_the_client),
        TEST(test_budget),
        TEST(test_answers_are_booked),
        TEST(test_room_is_kept),
        TEST(test_all_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
