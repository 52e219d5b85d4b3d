/* A connection of HTTP/2 as a whole: its beginning, time-outs and ends. */
#include "h2_fixture.h"

#include <time.h>

static void nap(long milliseconds) {
    const struct timespec pause = {0, milliseconds * (long)NS_PER_MS};
    nanosleep(&pause, NULL);
}

/* ---- the beginning ---- */

/* What the session tells of itself. */
static void test_settings_of_the_session(void **state) {
    static const struct {
        enum h2_setting id;
        uint32_t value;
    } wanted[] = {{H2_SETTING_MAX_CONCURRENT_STREAMS, 17},
                  {H2_SETTING_INITIAL_WINDOW_SIZE, HTTP_H2_STREAM_WINDOW},
                  {H2_SETTING_MAX_FRAME_SIZE, HTTP_H2_FRAME_MAX},
                  {H2_SETTING_MAX_HEADER_LIST_SIZE, UINT32_MAX},
                  {H2_SETTING_NO_RFC7540_PRIORITIES, 1}};
    struct fixture *f = *state;
    struct buf out = BUF_EMPTY;
    f->limits.max_concurrent_streams = 17;
    f->limits.max_head_bytes = SIZE_MAX;
    reopen(f);
    take_output(f, &out);
    struct slice rest = buf_slice(&out), payload;
    struct h2_frame frame;
    assert_true(next_frame(&rest, &frame, &payload));
    assert_int_equal(frame.type, H2_FRAME_SETTINGS);
    assert_int_equal(payload.size, sizeof wanted / sizeof wanted[0] * H2_SETTING_SIZE);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const unsigned char *row = (const unsigned char *)payload.data + i * H2_SETTING_SIZE;
        assert_int_equal(h2_get_u16(row), wanted[i].id);
        assert_int_equal(h2_get_u32(row + 2), wanted[i].value);
    }
    assert_frames(&out, "S W0:16711681");
    assert_true(f->peer.session->ops->wants_input(f->peer.session));
}

static void test_silent_client(void **state) {
    struct fixture *f = *state;
    uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
    assert_true(deadline <= clock_monotonic_ns() + f->limits.head_timeout_ns);
    struct status status = f->peer.session->ops->tick(f->peer.session, deadline);
    assert_int_equal(status.code, STATUS_OK);
    struct buf out = BUF_EMPTY;
    status = take_from(f->peer.session, 4096, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_SETTINGS_TIMEOUT);
    assert_true(finished(f));
    buf_free(&out);
}

/* ---- time-outs ---- */

static void test_head_timeout(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/echo");
    append_preface(&bytes);
    append_frame(&bytes, H2_FRAME_HEADERS, 0, 1, buf_slice(&block));
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + f->limits.head_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    status = take_from(f->peer.session, 4096, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_ENHANCE_YOUR_CALM);
    assert_true(finished(f));
    buf_free(&block);
    buf_free(&out);
}

/* A client that has told how much it takes of a stream, and of the connection all that can be. */
static void greet_with_window(struct fixture *f, uint32_t window) {
    struct buf bytes = BUF_EMPTY;
    char setting[H2_SETTING_SIZE] = {0, H2_SETTING_INITIAL_WINDOW_SIZE};
    h2_put_u32(setting + 2, window);
    greet_client(f);
    append_frame(&bytes, H2_FRAME_SETTINGS, 0, 0, (struct slice){setting, sizeof setting});
    h2_frame_append_u32(&bytes, H2_FRAME_WINDOW_UPDATE, 0, INT32_MAX - 65535);
    exchange_frames(f, &bytes, "S+");
}

static struct http_exchange *hold(struct fixture *f, uint32_t id) {
    struct buf bytes = BUF_EMPTY;
    append_request(&bytes, id, "/hold", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    return f->recorder.held;
}

/* A client that takes nothing of an answer has its time from the first byte on, however long the handler goes on. */
static void test_answer_that_goes_on_untaken(void **state) {
    struct fixture *f = *state;
    struct buf out = BUF_EMPTY;
    int pieces = 0;
    f->limits.body_timeout_ns = 40 * NS_PER_MS;
    greet_with_window(f, 0);
    struct http_exchange *exchange = hold(f, 1);
    nap(50); /* nothing is to be taken yet */
    http_respond_head(exchange, 200, NULL, 0);
    struct buf first = BUF_EMPTY;
    buf_append_text(&first, "first");
    http_respond_data(exchange, &first);
    tick_at(f, h2_of(f)->streams->answer_ns + f->limits.body_timeout_ns - 1, &out);
    assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), -1);
    for (; pieces < 20 && last_frame(&out, H2_FRAME_RST_STREAM, 0) == -1; pieces++) {
        struct buf piece = BUF_EMPTY;
        buf_append_text(&piece, "piece");
        http_respond_data(exchange, &piece);
        nap(10);
        buf_clear(&out);
        tick_at(f, clock_monotonic_ns(), &out);
    }
    assert_in_range(pieces, 1, 19);
    buf_free(&out);
}

/* An answer waits for its turn behind others: no silence of a client that takes those. */
static void test_answers_behind_others(void **state) {
    enum { STREAMS = 3, BYTES = 3 << 20 };
    struct fixture *f = *state;
    struct http_exchange *exchanges[STREAMS];
    struct buf out = BUF_EMPTY;
    f->limits.body_timeout_ns = 200 * NS_PER_MS;
    greet_with_window(f, INT32_MAX);
    for (uint32_t i = 0; i < STREAMS; i++)
        exchanges[i] = hold(f, 2 * i + 1);
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct buf body = BUF_EMPTY;
        assert_non_null(buf_reserve(&body, BYTES));
        memset(body.data, 'x', BYTES);
        body.size = BYTES;
        http_respond(exchanges[i], 200, NULL, 0, &body);
    }
    for (size_t before = SIZE_MAX; out.size != before;) {
        before = out.size;
        struct status status = take_from(f->peer.session, 32 << 10, &out);
        assert_int_equal(status.code, STATUS_OK);
        nap(3);
        status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns());
        assert_int_equal(status.code, STATUS_OK);
    }
    assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), -1);
    assert_true(out.size > (size_t)STREAMS * BYTES);
    buf_free(&out);
}

/* A connection without a request ends, counted from the end of its last one. */
static void test_idle_connection(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/hold", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    uint64_t now = clock_monotonic_ns() + 2 * f->limits.idle_timeout_ns;
    tick_at(f, now, &out);
    assert_int_equal(out.size, 0); /* a request is no idleness */
    recorder_release(&f->recorder, "");
    take_output(f, &out);
    assert_frames(&out, "H1.");
    uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
    assert_true(deadline >= now && deadline <= now + f->limits.idle_timeout_ns);
    tick_at(f, now + f->limits.idle_timeout_ns - 1, &out);
    assert_int_equal(out.size, 0);
    tick_at(f, now + f->limits.idle_timeout_ns, &out);
    assert_frames(&out, "P G2147483647:0 G1:0"); /* by the time of this test, the PING is not answered either */
    assert_true(finished(f));
}

/* A body that does not go on is answered so, and its stream let go of; one that goes on slowly is waited for. */
static void test_body_timeout(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/echo", 0);
    exchange_frames(f, &bytes, "");
    uint64_t now = clock_monotonic_ns();
    tick_at(f, now + f->limits.body_timeout_ns / 2, &out);
    assert_int_equal(out.size, 0);
    assert_true(f->peer.session->ops->deadline(f->peer.session) > now);
    tick_at(f, now + f->limits.body_timeout_ns, &out);
    assert_non_null(memmem(out.data, out.size, "the request body did not come in time", 37));
    buf_free(&out);
    tick_at(f, now + f->limits.body_timeout_ns + 2 * NS_PER_S, &out);
    assert_frames(&out, "R1:0");
}

/* One in the middle of its answer cannot be told any more. */
static void test_body_timeout_in_the_answer(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/stream", 0);
    exchange_frames(f, &bytes, "H1");
    tick_at(f, clock_monotonic_ns() + f->limits.body_timeout_ns, &out);
    assert_frames(&out, "R1:8");
}

/* A handler that has set a deadline hears of it, and a handler that allows silence gets it. */
static void test_deadline_and_idle_streams(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/idle", 0);
    append_request(&bytes, 3, "/deadline", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    uint64_t now = clock_monotonic_ns();
    assert_true(f->peer.session->ops->deadline(f->peer.session) <= now + 5 * NS_PER_S);
    tick_at(f, now + 4 * NS_PER_S, &out);
    assert_int_equal(out.size, 0);
    tick_at(f, now + 5 * NS_PER_S, &out);
    assert_frames(&out, "H3 D3:8.");
    tick_at(f, now + 10 * f->limits.body_timeout_ns, &out);
    assert_int_equal(out.size, 0);
}

/* Whichever is due first, the handler's deadline or the end of patience with the client. */
static void test_first_of_two_deadlines(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    f->limits.body_timeout_ns = 2 * NS_PER_S;
    reopen(f);
    greet_client(f);
    append_request(&bytes, 1, "/deadline", 0);
    exchange_frames(f, &bytes, "");
    uint64_t now = clock_monotonic_ns();
    assert_true(f->peer.session->ops->deadline(f->peer.session) <= now + 2 * NS_PER_S);
    tick_at(f, now + NS_PER_S, &out);
    assert_true(f->peer.session->ops->deadline(f->peer.session) <= now + 2 * NS_PER_S);
    tick_at(f, now + 2 * NS_PER_S, &out);
    assert_non_null(memmem(out.data, out.size, "the request body did not come in time", 37));
    buf_free(&out);
}

/* A session that waits for its PING wants to be told when it has waited enough, ticks in between or not. */
static void test_time_of_the_notice(void **state) {
    struct fixture *f = *state;
    struct buf out = BUF_EMPTY;
    greet_client(f);
    f->peer.session->ops->shutdown(f->peer.session);
    uint64_t now = clock_monotonic_ns();
    for (int i = 0; i < 2; i++) {
        uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
        assert_true(deadline != 0 && deadline <= now + NS_PER_S);
        tick_at(f, i == 0 ? now : deadline, &out);
    }
    assert_frames(&out, "P G2147483647:0 G0:0");
}

/* ---- ends ---- */

/* Requests that were sent before the client could know of the shutdown are still served. */
static void test_shutdown_loses_nothing(void **state) {
    struct fixture *f = *state;
    struct peer_response *first = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    struct peer_response *crossing = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    f->peer.no_reading = true;
    peer_run(&f->peer); /* on its way */
    f->peer.session->ops->shutdown(f->peer.session);
    f->peer.no_reading = false;
    peer_run(&f->peer);
    assert_int_equal(first->status, 200);
    assert_int_equal(crossing->status, 200);
    assert_true(f->peer.goaway);
    assert_true(finished(f));
}

static void test_shutdown_does_not_wait_for_ever(void **state) {
    struct fixture *f = *state;
    peer_run(&f->peer);
    f->peer.session->ops->shutdown(f->peer.session);
    f->peer.no_reading = true; /* the PING is not answered */
    peer_run(&f->peer);
    assert_false(finished(f));
    struct buf out = BUF_EMPTY;
    struct status status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + NS_PER_S);
    assert_int_equal(status.code, STATUS_OK);
    status = take_from(f->peer.session, 4096, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, 0), 0); /* no stream was ever taken */
    assert_true(finished(f));
    buf_free(&out);
}

/* Silent clients hold up the end for a shorter time than they may be silent otherwise: one in the middle of a body, */
static void test_shutdown_with_an_unfinished_body(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = peer_request_full(&f->peer, "POST", "/echo", NULL, 0, SLICE_LITERAL("half"), true);
    peer_run(&f->peer);
    f->peer.session->ops->shutdown(f->peer.session);
    peer_run(&f->peer);
    assert_false(finished(f));
    struct status status =
        f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + f->limits.drain_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    assert_int_equal(response->status, 408);
}

/* counted from when the end began: one that had been silent before has as much time as others, */
static void test_shutdown_of_a_silent_client(void **state) {
    struct fixture *f = *state;
    f->limits.drain_timeout_ns = 20 * NS_PER_MS;
    struct peer_response *response = peer_request_full(&f->peer, "POST", "/echo", NULL, 0, SLICE_LITERAL("half"), true);
    peer_run(&f->peer);
    nap(30);
    f->peer.session->ops->shutdown(f->peer.session);
    uint64_t now = clock_monotonic_ns();
    struct status status = f->peer.session->ops->tick(f->peer.session, h2_of(f)->noticed_ns);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    assert_int_equal(response->status, 0);
    status = f->peer.session->ops->tick(f->peer.session, now + f->limits.drain_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    assert_int_equal(response->status, 408);
}

/* and one in the middle of a head, also when the final GOAWAY has been sent. */
static void test_shutdown_with_an_unfinished_head(void **state) {
    struct fixture *f = *state;
    struct session *session = f->peer.session;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/never");
    append_preface(&bytes);
    append_frame(&bytes, H2_FRAME_HEADERS, 0, 1, (struct slice){block.data, 4});
    buf_free(&block);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    session->ops->shutdown(session);
    uint64_t now = clock_monotonic_ns();
    status = session->ops->tick(session, now + NS_PER_S); /* the PING is not answered: the final GOAWAY */
    assert_int_equal(status.code, STATUS_OK);
    status = take_from(session, 4096, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(finished(f));
    status = session->ops->tick(session, now + f->limits.drain_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    status = take_from(session, 4096, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_ENHANCE_YOUR_CALM);
    assert_true(finished(f));
    buf_free(&out);
}

/* A client that has not even greeted is not waited for. */
static void test_shutdown_before_the_greeting(void **state) {
    struct fixture *f = *state;
    struct buf out = BUF_EMPTY;
    f->peer.session->ops->shutdown(f->peer.session);
    assert_false(finished(f));
    take_output(f, &out);
    assert_frames(&out, "S W0:16711681 G0:0");
    assert_true(finished(f));
}

static void on_shutdown(void *user, struct http_exchange *exchange) {
    recorder_note(user, "shutdown", exchange);
}

/* Handlers hear of it, once; an answer of any PING but the session's own says nothing while none is asked for. */
static void test_shutdown_is_told_once(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    f->recorder.handler.on_shutdown = on_shutdown;
    greet_client(f);
    append_request(&bytes, 1, "/hold", H2_FLAG_END_STREAM);
    append_frame(&bytes, H2_FRAME_PING, H2_FLAG_ACK, 0, SLICE_LITERAL("goodbye!"));
    exchange_frames(f, &bytes, "");
    f->peer.session->ops->shutdown(f->peer.session);
    f->peer.session->ops->shutdown(f->peer.session);
    take_output(f, &out);
    assert_frames(&out, "P G2147483647:0");
    append_frame(&bytes, H2_FRAME_PING, H2_FLAG_ACK, 0, SLICE_LITERAL("goodbye!"));
    append_frame(&bytes, H2_FRAME_PING, H2_FLAG_ACK, 0, SLICE_LITERAL("goodbye!"));
    exchange_frames(f, &bytes, "G1:0");
    assert_false(finished(f));
    recorder_release(&f->recorder, "");
    take_output(f, &out);
    assert_frames(&out, "H1.");
    assert_true(finished(f));
    recorder_assert_log(&f->recorder, "head /hold|end /hold|shutdown /hold|close /hold|");
}

/* The client begins no more: the connection ends with the streams that are open. */
static void test_goaway_of_the_client(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/echo", 0);
    h2_frame_append_goaway(&bytes, 0, H2_ERROR_NONE);
    exchange_frames(f, &bytes, "");
    assert_false(finished(f));
    append_data(&bytes, 1, 3, H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "H1 D1:3.");
    assert_true(finished(f));
    reopen(f);
    greet_client(f);
    append_frame(&bytes, H2_FRAME_GOAWAY, 0, 0, SLICE_LITERAL("\0\0\0\0\0\0\0\2with words"));
    exchange_frames(f, &bytes, "");
    assert_true(finished(f));
}

/* Behind the final GOAWAY: no answer, no memory, and no word of having looked at it, not by a later GOAWAY either
 * (RFC 9113 section 6.8). */
static void test_requests_behind_the_end(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/hold", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    f->peer.session->ops->shutdown(f->peer.session);
    append_frame(&bytes, H2_FRAME_PING, H2_FLAG_ACK, 0, SLICE_LITERAL("goodbye!"));
    exchange_frames(f, &bytes, "P G2147483647:0 G1:0");
    append_request(&bytes, 3, "/echo", 0);
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 3, SLICE_LITERAL("unheard"));
    exchange_frames(f, &bytes, "");
    assert_int_equal(f->recorder.heads, 1);
    recorder_release(&f->recorder, "");
    append_frame(&bytes, H2_FRAME_PING, 0, 7, SLICE_LITERAL("mistaken"));
    exchange_frames(f, &bytes, "H1. G1:1");
}

static void test_closed_clients_are_gone(void **state) {
    struct fixture *f = *state;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    f->peer.session->ops->input_closed(f->peer.session, false);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
    assert_true(finished(f));
}

/* Nothing is said to a client that is gone, and nothing of it is taken. */
static void test_nothing_behind_the_end(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_echo(&bytes, 1, 10);
    struct status status = give_quietly(f, &bytes, 0);
    assert_int_equal(status.code, STATUS_OK);
    f->peer.session->ops->input_closed(f->peer.session, true);
    append_request(&bytes, 3, "/echo", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    tick_at(f, clock_monotonic_ns() + f->limits.idle_timeout_ns, &out);
    assert_int_equal(out.size, 0);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|abort /echo|");
    assert_int_equal(f->peer.session->ops->deadline(f->peer.session), 0);
}

static void test_destroy_of_nothing(void **state) {
    struct fixture *f = *state;
    f->peer.session->ops->destroy(NULL);
}

/* Frames that answer to the client's are as many as it causes: who does not take them is not read. */
static void test_frames_that_nobody_takes(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    f->limits.max_resets_per_second = UINT32_MAX;
    greet_client(f);
    for (uint32_t i = 0; i < HTTP_H2_CONTROL_PAUSE / 13; i++) /* bytes of RST_STREAM */
        append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 2 * i + 1, NO_BODY);
    struct status status = give_quietly(f, &bytes, 0);
    assert_int_equal(status.code, STATUS_OK);
    assert_true(f->peer.session->ops->wants_input(f->peer.session));
    append_frame(&bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("pingpong"));
    status = give_quietly(f, &bytes, 0);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(f->peer.session->ops->wants_input(f->peer.session));
    take_output(f, &out);
    assert_true(f->peer.session->ops->wants_input(f->peer.session));
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_frames_that_nobody_takes),
        TEST(test_settings_of_the_session),
        TEST(test_silent_client),
        TEST(test_answer_that_goes_on_untaken),
        TEST(test_answers_behind_others),
        TEST(test_shutdown_of_a_silent_client),
        TEST(test_head_timeout),
        TEST(test_idle_connection),
        TEST(test_body_timeout),
        TEST(test_body_timeout_in_the_answer),
        TEST(test_deadline_and_idle_streams),
        TEST(test_first_of_two_deadlines),
        TEST(test_time_of_the_notice),
        TEST(test_shutdown_loses_nothing),
        TEST(test_shutdown_does_not_wait_for_ever),
        TEST(test_shutdown_with_an_unfinished_body),
        TEST(test_shutdown_with_an_unfinished_head),
        TEST(test_shutdown_before_the_greeting),
        TEST(test_shutdown_is_told_once),
        TEST(test_goaway_of_the_client),
        TEST(test_requests_behind_the_end),
        TEST(test_closed_clients_are_gone),
        TEST(test_nothing_behind_the_end),
        TEST(test_destroy_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
