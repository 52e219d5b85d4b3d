/* Much that comes at once on one connection is worked on in turns, between which other connections get theirs. */
#include "h2_fixture.h"

static int open_fixture(void **state, bool h2) {
    setup(state);
    struct fixture *f = *state;
    f->limits.budget = &f->budget;
    peer_close(&f->peer);
    peer_open(&f->peer, h2, &f->recorder.handler, &f->limits);
    f->peer.no_turns = true; /* but those that a test gives */
    return 0;
}

static int setup_h1(void **state) {
    return open_fixture(state, false);
}

static int setup_h2(void **state) {
    return open_fixture(state, true);
}

static void give(struct fixture *f, struct buf *bytes) {
    assert_int_equal(give_quietly(f, bytes, 0).code, STATUS_OK);
}

static uint64_t deadline(const struct fixture *f) {
    return f->peer.session->ops->deadline(f->peer.session);
}

/* The session wants its next turn at once, and works on one request in it, as they are. */
static void take_turn(struct fixture *f) {
    size_t ends = f->recorder.ends;
    uint64_t now = clock_monotonic_ns();
    assert_in_range(deadline(f), 1, now);
    assert_int_equal(f->peer.session->ops->tick(f->peer.session, now).code, STATUS_OK);
    assert_int_equal(f->recorder.ends, ends + 1);
}

/* All turns that it wants. */
static void take_turns(struct fixture *f) {
    f->peer.no_turns = false;
    while (peer_tick(&f->peer))
        ;
    f->peer.no_turns = true;
}

/* ---- HTTP/2 ---- */

static void test_one_request_a_turn(void **state) {
    struct fixture *f = *state;
    enum { REQUESTS = 4 };
    struct peer_response *responses[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        responses[i] = peer_request(&f->peer, "POST", "/busy", SLICE_LITERAL("body"));
    peer_run(&f->peer);
    assert_true(f->recorder.ends <= 1);
    while (f->recorder.ends < REQUESTS)
        take_turn(f);
    peer_run(&f->peer);
    for (int i = 0; i < REQUESTS; i++)
        peer_assert_answer(responses[i], 200, "done");
    assert_true(deadline(f) > clock_monotonic_ns());
}

/* Whichever frame ends a request, and although nothing comes behind it. */
static void test_ends_are_not_forgotten(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&bytes);
    append_request(&bytes, 1, "/busy", H2_FLAG_END_STREAM);
    append_request(&bytes, 3, "/echo", H2_FLAG_END_STREAM);
    append_request(&bytes, 5, "/echo", 0);
    append_frame(&bytes, H2_FRAME_DATA, 0, 5, SLICE_LITERAL("with "));
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 5, NO_BODY);
    append_request(&bytes, 7, "/stream", 0);
    append_frame(&bytes, H2_FRAME_DATA, 0, 7, SLICE_LITERAL("piece "));
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 7, SLICE_LITERAL("by piece"));
    give(f, &bytes);
    assert_true(f->recorder.ends <= 1);
    assert_true(f->peer.session->ops->wants_input(f->peer.session));
    take_turns(f);
    assert_int_equal(f->recorder.ends, 4);
    take_output(f, &out);
    assert_non_null(memmem(out.data, out.size, "with ", 5));
    assert_non_null(memmem(out.data, out.size, "piece by piece", 14));
    buf_free(&out);
}

/* The turn is over with the last byte that came: nothing more comes that could remind of the end behind it. */
static void test_end_behind_long_work(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    append_preface(&bytes);
    append_request(&bytes, 1, "/grind", 0);
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, SLICE_LITERAL("body"));
    give(f, &bytes);
    assert_int_equal(f->recorder.ends, 0);
    take_turns(f);
    assert_int_equal(f->recorder.ends, 1);
}

/* A stream that waits goes on in order, also with what comes meanwhile. */
static void test_streams_keep_their_order(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&bytes);
    append_request(&bytes, 1, "/busy", H2_FLAG_END_STREAM);
    append_request(&bytes, 3, "/stream", 0);
    append_frame(&bytes, H2_FRAME_DATA, 0, 3, SLICE_LITERAL("one, "));
    give(f, &bytes);
    append_frame(&bytes, H2_FRAME_DATA, 0, 3, SLICE_LITERAL("two, "));
    give(f, &bytes);
    take_turns(f);
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 3, SLICE_LITERAL("three"));
    give(f, &bytes);
    take_turns(f);
    take_output(f, &out);
    assert_non_null(memmem(out.data, out.size, "one, two, three", 15));
    assert_int_equal(f->recorder.ends, 2);
    buf_free(&out);
}

/* What is taken back while it waits costs no work. */
static void test_taken_back_before_its_turn(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    append_preface(&bytes);
    append_request(&bytes, 1, "/busy", H2_FLAG_END_STREAM);
    append_request(&bytes, 3, "/busy", H2_FLAG_END_STREAM);
    append_request(&bytes, 5, "/busy", H2_FLAG_END_STREAM);
    append_frame(&bytes, H2_FRAME_RST_STREAM, 0, 3, (struct slice){"\0\0\0\x8", 4});
    give(f, &bytes);
    take_turns(f);
    assert_int_equal(f->recorder.heads, 3);
    assert_int_equal(f->recorder.ends, 2);
    assert_int_equal(f->recorder.lasts, 1);
}

/* What waits goes with the client. */
static void test_lost_between_turns(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        peer_request(&f->peer, "POST", "/busy", SLICE_LITERAL("body"));
    f->peer.no_reading = true;
    peer_run(&f->peer);
    assert_true(atomic_load(&f->budget.held_bytes) > 0);
    f->peer.session->ops->input_closed(f->peer.session, true);
    assert_true(finished(f));
    assert_true(f->recorder.ends <= 1);
    assert_int_equal(f->recorder.lasts, 4);
}

/* ---- HTTP/1.1 ---- */

static void test_pipelined_requests_take_turns(void **state) {
    struct fixture *f = *state;
    enum { REQUESTS = 6 };
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    for (int i = 0; i < REQUESTS; i++)
        buf_append_text(&bytes, "HEAD /busy HTTP/1.1\r\nHost: test\r\n\r\n");
    give(f, &bytes);
    assert_int_equal(f->recorder.ends, 1);
    for (size_t size = SIZE_MAX, ends = 1; out.size != size; ends = f->recorder.ends) {
        size = out.size;
        take_output(f, &out); /* whoever got something asks for more, when others have had their turn */
        assert_true(f->recorder.ends - ends <= 2);
    }
    assert_int_equal(f->recorder.lasts, REQUESTS);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_request_a_turn, setup_h2, teardown),
        cmocka_unit_test_setup_teardown(test_ends_are_not_forgotten, setup_h2, teardown),
        cmocka_unit_test_setup_teardown(test_end_behind_long_work, setup_h2, teardown),
        cmocka_unit_test_setup_teardown(test_streams_keep_their_order, setup_h2, teardown),
        cmocka_unit_test_setup_teardown(test_taken_back_before_its_turn, setup_h2, teardown),
        cmocka_unit_test_setup_teardown(test_lost_between_turns, setup_h2, teardown),
        cmocka_unit_test_setup_teardown(test_pipelined_requests_take_turns, setup_h1, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
