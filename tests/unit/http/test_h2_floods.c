/* Floods: what costs a client little and the session more, again and again, ends the connection; what polite clients do
 * does not. */
#include "h2_fixture.h"

static void test_rapid_resets(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    for (unsigned i = 0; i < 60; i++) {
        append_request(&bytes, 2 * i + 1, "/hold", 0);
        append_frame(&bytes, H2_FRAME_RST_STREAM, 0, 2 * i + 1, (struct slice){"\0\0\0\x08", 4});
    }
    expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
    assert_true(f->recorder.heads <= 52);
}

/* Streams that the session has to reset count too: the client makes us do it. */
static void test_made_resets(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    for (unsigned i = 0; i < 80; i++) {
        struct buf block = request_block("/echo");
        append_field(&block, "content-length", "5");
        append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 2 * i + 1, buf_slice(&block));
        buf_free(&block);
    }
    expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
    assert_int_equal(f->recorder.heads, 0);
}

static void test_some_resets_are_fine(void **state) {
    struct fixture *f = *state;
    f->limits.max_resets_per_second = 50;
    for (int i = 0; i < 40; i++) {
        struct peer_response *held = peer_request(&f->peer, "GET", "/hold", NO_BODY);
        peer_run(&f->peer);
        peer_cancel(&f->peer, held);
    }
    struct peer_response *last = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    peer_assert_answer(last, 200, "");
}

/* What a handler gives up is none of the client's doing. */
static void test_handlers_may_give_up_many(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    append_preface(&bytes);
    for (uint32_t i = 0; i < 60; i++)
        append_request(&bytes, 2 * i + 1, "/reset", H2_FLAG_END_STREAM);
    assert_int_equal(give_raw(f, &bytes, &out).code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_CANCEL);
    assert_int_equal(f->recorder.lasts, 60);
    assert_int_equal(h2_of(f)->glitches, 0);
    assert_false(finished(f));
    buf_free(&out);
}

/* So many in each second, not in all. */
static void test_resets_are_counted_by_the_second(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    uint32_t id = 1;
    f->limits.max_resets_per_second = 50;
    append_preface(&bytes);
    for (int second = 0; second < 3; second++) {
        for (int i = 0; i < 40; i++, id += 2) {
            append_request(&bytes, id, "/hold", 0);
            append_reset(&bytes, id);
        }
        assert_int_equal(give_raw(f, &bytes, &out).code, STATUS_OK);
        assert_false(finished(f));
        h2_of(f)->counted_since_ns -= NS_PER_S; /* as if it were over */
    }
    buf_free(&out);
}

static void flood(struct fixture *f, unsigned type, unsigned stream, struct slice payload) {
    struct buf bytes = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    append_request(&bytes, 1, "/echo", 0);
    for (int i = 0; i < 60; i++)
        append_frame(&bytes, type, 0, stream, payload);
    expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
}

static void test_empty_data_flood(void **state) {
    flood(*state, H2_FRAME_DATA, 1, NO_BODY);
}

static void test_settings_flood(void **state) {
    flood(*state, H2_FRAME_SETTINGS, 0, NO_BODY);
}

static void test_continuation_flood(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&bytes);
    struct buf block = request_block("/echo");
    append_frame(&bytes, H2_FRAME_HEADERS, 0, 1, buf_slice(&block));
    for (int i = 0; i < 100; i++)
        append_frame(&bytes, H2_FRAME_CONTINUATION, 0, 1, NO_BODY);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_ENHANCE_YOUR_CALM);
    assert_true(finished(f));
    buf_free(&block);
    buf_free(&out);
    assert_int_equal(f->recorder.heads, 0);
}

/* As many pieces of a head as there may be, and one more. */
static void test_pieces_of_a_head(void **state) {
    struct fixture *f = *state;
    for (int pieces = HTTP_H2_CONTINUATIONS_MAX; pieces <= HTTP_H2_CONTINUATIONS_MAX + 1; pieces++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/echo");
        append_preface(&bytes);
        append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, 1, buf_slice(&block));
        for (int i = 1; i <= pieces; i++)
            append_frame(&bytes, H2_FRAME_CONTINUATION, i == pieces ? H2_FLAG_END_HEADERS : 0, 1, NO_BODY);
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_int_equal(finished(f), pieces > HTTP_H2_CONTINUATIONS_MAX);
        assert_int_equal(f->recorder.heads, 1);
        buf_free(&block);
        buf_free(&out);
        reopen(f);
    }
}

/* Heads of streams that are closed, and of more streams than there may be: they are read for nothing. */
static void test_vain_heads_flood(void **state) {
    struct fixture *f = *state;
    f->limits.max_resets_per_second = 50;
    f->limits.max_concurrent_streams = 1;
    for (int closed = 0; closed <= 1; closed++) {
        struct buf bytes = BUF_EMPTY;
        append_request(&bytes, 1, "/idle", 0);
        if (closed)
            append_reset(&bytes, 1);
        for (uint32_t i = 0; i < 60; i++)
            append_request(&bytes, closed ? 1 : 3 + 2 * i, "/idle", 0);
        expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
        reopen(f);
    }
}

/* Requests for which the budget has no room may be tried again, so many of them are fine; not a flood of them. */
static void test_refused_streams(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    f->limits.max_concurrent_streams = 20;
    f->limits.budget = &f->budget;
    for (size_t room = EXCHANGE_COST - 1; room <= EXCHANGE_COST; room++) { /* for not even a stream; not for its head */
        f->budget.max_bytes = room;
        reopen(f);
        append_preface(&bytes);
        uint32_t fine = HTTP_H2_REFUSALS_PER_SECOND + 2 * 20, id = 1;
        for (uint32_t i = 0; i < fine; i++, id += 2)
            append_request(&bytes, id, "/echo", H2_FLAG_END_STREAM);
        assert_int_equal(give_raw(f, &bytes, &out).code, STATUS_OK);
        assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_REFUSED_STREAM);
        assert_int_equal(h2_of(f)->glitches, 0);
        h2_of(f)->counted_since_ns = h2_of(f)->now_ns; /* as if all had been in this second */
        h2_of(f)->refusals = fine;
        for (uint32_t i = 0; i < 60; i++, id += 2)
            append_request(&bytes, id, "/echo", H2_FLAG_END_STREAM);
        assert_int_equal(give_raw(f, &bytes, &out).code, STATUS_OK);
        assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_ENHANCE_YOUR_CALM);
        assert_int_equal(f->recorder.heads, 0);
        buf_free(&out);
    }
}

/* Frames that are to be answered: as many as the client likes, while it takes the answers. */
static void test_pings(void **state) {
    struct fixture *f = *state;
    greet_client(f);
    for (int i = 0; i < 2 * HTTP_H2_ACKS_MAX; i++) {
        struct buf bytes = BUF_EMPTY;
        append_frame(&bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("pingpong"));
        exchange_frames(f, &bytes, "P+");
    }
    reopen(f);
    struct buf bytes = BUF_EMPTY;
    for (int i = 0; i < HTTP_H2_ACKS_MAX; i++) /* and one of SETTINGS */
        append_frame(&bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("pingpong"));
    expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
}

/* Each row may change the windows of all streams. */
static void test_many_settings_in_a_frame(void **state) {
    struct fixture *f = *state;
    static const char rows[(HTTP_H2_SETTINGS_MAX + 1) * H2_SETTING_SIZE];
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_frame(&bytes, H2_FRAME_SETTINGS, 0, 0, (struct slice){rows, sizeof rows - H2_SETTING_SIZE});
    exchange_frames(f, &bytes, "S+");
    reopen(f);
    append_frame(&bytes, H2_FRAME_SETTINGS, 0, 0, (struct slice){rows, sizeof rows});
    expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
}

static void test_block_that_is_too_long(void **state) {
    struct fixture *f = *state;
    static const char much[HTTP_H2_FRAME_MAX];
    struct buf bytes = BUF_EMPTY;
    append_frame(&bytes, H2_FRAME_HEADERS, 0, 1, (struct slice){much, sizeof much});
    append_frame(&bytes, H2_FRAME_CONTINUATION, 0, 1, (struct slice){much, sizeof much});
    append_frame(&bytes, H2_FRAME_CONTINUATION, 0, 1, SLICE_LITERAL("x"));
    expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
}

/* Heads that name a long field of the table again and again; or, where it is fine, once each. */
static void append_repeated(struct buf *bytes, uint32_t id, int times) {
    struct buf block = request_block("/echo");
    for (int i = 0; i < times; i++)
        buf_append_char(&block, (char)0xbe);
    append_block(bytes, id, &block, H2_FLAG_END_STREAM);
}

static void append_first(struct buf *bytes) {
    struct buf block = request_block("/echo");
    buf_append(&block, "\x40\1x\x7f\xb9\x16", 6); /* a value of 3000 bytes enters the table */
    for (int i = 0; i < 3000; i++)
        buf_append_char(&block, 'v');
    append_block(bytes, 1, &block, H2_FLAG_END_STREAM);
}

/* Whether they are served, answered 431 or refused. */
static void test_inflated_heads(void **state) {
    static const struct {
        int times;
        size_t room;
        bool flood;
    } rows[] = {{1, 1 << 20, false}, {5, 1 << 20, false}, {6, 1 << 20, true}, {40, 1 << 20, true}, {40, 0, true}};
    struct fixture *f = *state;
    f->limits.max_resets_per_second = 50;
    f->limits.budget = &f->budget;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        f->budget.max_bytes = rows[i].room;
        reopen(f);
        append_preface(&bytes);
        append_first(&bytes);
        for (uint32_t k = 0; k < 60; k++)
            append_repeated(&bytes, 3 + 2 * k, rows[i].times);
        assert_int_equal(give_raw(f, &bytes, &out).code, STATUS_OK);
        int64_t error = last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR);
        assert_int_equal(error, rows[i].flood ? H2_ERROR_ENHANCE_YOUR_CALM : -1);
        assert_true(rows[i].flood || f->recorder.heads >= 61);
        buf_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_rapid_resets),
        TEST(test_made_resets),
        TEST(test_some_resets_are_fine),
        TEST(test_handlers_may_give_up_many),
        TEST(test_resets_are_counted_by_the_second),
        TEST(test_empty_data_flood),
        TEST(test_settings_flood),
        TEST(test_continuation_flood),
        TEST(test_pieces_of_a_head),
        TEST(test_vain_heads_flood),
        TEST(test_refused_streams),
        TEST(test_inflated_heads),
        TEST(test_pings),
        TEST(test_many_settings_in_a_frame),
        TEST(test_block_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
