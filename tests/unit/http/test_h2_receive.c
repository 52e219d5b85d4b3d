/* The client's bytes as frames: pieces of any size, and what frames may not be. */
#include "h2_fixture.h"

/* ---- pieces ---- */

/* All kinds of frames: requests in one block and in several, padding, priorities, what is skipped. */
static struct buf conversation(void) {
    struct buf bytes = BUF_EMPTY, block = request_block("/stream"), padded = BUF_EMPTY;
    append_preface(&bytes);
    append_request(&bytes, 1, "/echo", 0);
    append_frame(&bytes, H2_FRAME_DATA, 0, 1, SLICE_LITERAL("0123456789"));
    append_frame(&bytes, H2_FRAME_HEADERS, 0, 3, (struct slice){block.data, 5});
    append_frame(&bytes, H2_FRAME_CONTINUATION, 0, 3, NO_BODY);
    append_frame(&bytes, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 3, (struct slice){block.data + 5, block.size - 5});
    append_frame(&bytes, 0x77, 0xff, 9, SLICE_LITERAL("of a type that nobody knows"));
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_PADDED, 3, (struct slice){"\3padded\0\0\0", 10});
    append_frame(&bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("pingpong"));
    append_frame(&bytes, H2_FRAME_PRIORITY, 0, 1, SLICE_LITERAL("\0\0\0\0\7"));
    buf_append(&padded, "\2\0\0\0\0\7", 6);
    buf_append_slice(&padded, buf_slice(&block));
    buf_append(&padded, "\0", 2);
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_PADDED | H2_FLAG_PRIORITY | H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM,
                 5, buf_slice(&padded));
    append_setting(&bytes, H2_SETTING_MAX_FRAME_SIZE, 20000);
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, NO_BODY);
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_PADDED | H2_FLAG_END_STREAM, 3, SLICE_LITERAL("\0end"));
    append_window(&bytes, 0, 77);
    append_request(&bytes, 7, "/pieces", H2_FLAG_END_STREAM);
    append_request(&bytes, 9, "/hold", 0);
    append_reset(&bytes, 9);
    buf_free(&block);
    buf_free(&padded);
    return bytes;
}

/* Stream by stream: on a busy machine some of the requests wait for the next turn. */
static void assert_conversation(struct fixture *f, struct buf *out) {
    static const char *const frames[] = {
        "S W0:16711681 S+ P+ S+", "H1 D1:10.", "H3 D3:9.", "H5 D5:0.", "H7 D7:9 H7.", ""};
    assert_non_null(memmem(out->data, out->size, "0123456789", 10));
    assert_non_null(memmem(out->data, out->size, "paddedend", 9));
    for (unsigned i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        struct buf text = BUF_EMPTY;
        describe_stream(&text, out, i == 0 ? 0 : 2 * i - 1);
        assert_string_equal(text.data, frames[i]);
        buf_free(&text);
    }
    buf_free(out);
    assert_int_equal(f->recorder.heads, 5);
    assert_int_equal(f->recorder.ends, 4);
    assert_int_equal(f->recorder.lasts, 5);
    f->recorder.heads = f->recorder.ends = f->recorder.lasts = 0;
}

static void test_pieces_of_all_sizes(void **state) {
    struct fixture *f = *state;
    for (size_t step = 0; step < 40; step++) {
        struct buf bytes = conversation(), out = BUF_EMPTY;
        struct status status = give_pieces(f, &bytes, step, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_conversation(f, &out);
        reopen(f);
    }
}

static void test_cuts_at_every_byte(void **state) {
    struct fixture *f = *state;
    struct buf all = conversation();
    for (size_t cut = 1; cut < all.size; cut++) {
        struct buf first = BUF_EMPTY, second = BUF_EMPTY, out = BUF_EMPTY;
        buf_append(&first, all.data, cut);
        buf_append(&second, all.data + cut, all.size - cut);
        struct status status = f->peer.session->ops->input(f->peer.session, first.data, first.size);
        assert_int_equal(status.code, STATUS_OK);
        buf_free(&first);
        status = give_raw(f, &second, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_conversation(f, &out);
        reopen(f);
    }
    buf_free(&all);
}

static void test_empty_input(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct status status = f->peer.session->ops->input(f->peer.session, NULL, 0);
        assert_int_equal(status.code, STATUS_OK);
        if (i == 0)
            greet_client(f);
    }
    struct buf out = BUF_EMPTY;
    take_output(f, &out);
    assert_int_equal(out.size, 0);
}

static void test_bad_preface(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    buf_append_text(&bytes, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    buf_free(&out);
}

static void test_preface_that_goes_wrong_late(void **state) {
    struct fixture *f = *state;
    for (size_t at = 0; at < H2_PREFACE_SIZE; at++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        append_preface(&bytes);
        bytes.data[at] ^= 0x20;
        struct status status = give_pieces(f, &bytes, 1, &out);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_true(finished(f));
        buf_free(&out);
        reopen(f);
    }
}

/* ---- frames that may not be ---- */

struct bad_frame {
    unsigned type, flags;
    uint32_t stream;
    const char *payload;
    size_t size;
    enum h2_error error;
};

#define BYTES(text) text, sizeof(text) - 1

/* Behind a request on stream 3, which has not ended; stream 1 has, stream 5 is not open. */
static const struct bad_frame bad_frames[] = {
    {H2_FRAME_DATA, 0, 0, BYTES("x"), H2_ERROR_PROTOCOL},
    {H2_FRAME_DATA, 0, 2, BYTES("x"), H2_ERROR_PROTOCOL},
    {H2_FRAME_DATA, 0, 5, BYTES("x"), H2_ERROR_PROTOCOL},
    {H2_FRAME_DATA, H2_FLAG_PADDED, 3, BYTES(""), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_DATA, H2_FLAG_PADDED, 3, BYTES("\1"), H2_ERROR_PROTOCOL},
    {H2_FRAME_DATA, H2_FLAG_PADDED, 3, BYTES("\3ab"), H2_ERROR_PROTOCOL},
    {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, 0, BYTES(""), H2_ERROR_PROTOCOL},
    {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, 6, BYTES(""), H2_ERROR_PROTOCOL},
    {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_PADDED, 5, BYTES(""), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_PADDED, 5, BYTES("\2a"), H2_ERROR_PROTOCOL},
    {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_PRIORITY, 5, BYTES("\0\0\0\0"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_PADDED | H2_FLAG_PRIORITY, 5, BYTES("\1\0\0\0\0\0"),
     H2_ERROR_PROTOCOL},
    {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, 5, BYTES("\x80"), H2_ERROR_COMPRESSION},
    {H2_FRAME_PRIORITY, 0, 0, BYTES("\0\0\0\0\0"), H2_ERROR_PROTOCOL},
    {H2_FRAME_PRIORITY, 0, 3, BYTES("\0\0\0\0"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_RST_STREAM, 0, 0, BYTES("\0\0\0\0"), H2_ERROR_PROTOCOL},
    {H2_FRAME_RST_STREAM, 0, 2, BYTES("\0\0\0\0"), H2_ERROR_PROTOCOL},
    {H2_FRAME_RST_STREAM, 0, 5, BYTES("\0\0\0\0"), H2_ERROR_PROTOCOL},
    {H2_FRAME_RST_STREAM, 0, 3, BYTES("\0\0\0"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_SETTINGS, 0, 3, BYTES(""), H2_ERROR_PROTOCOL},
    {H2_FRAME_SETTINGS, 0, 0, BYTES("\0\0\0\0\0"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, BYTES("\0\0\0\0\0\0"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_SETTINGS, 0, 0, BYTES("\0\2\0\0\0\2"), H2_ERROR_PROTOCOL},
    {H2_FRAME_SETTINGS, 0, 0, BYTES("\0\4\x80\0\0\0"), H2_ERROR_FLOW_CONTROL},
    {H2_FRAME_SETTINGS, 0, 0, BYTES("\0\5\0\0\x3f\xff"), H2_ERROR_PROTOCOL},
    {H2_FRAME_SETTINGS, 0, 0, BYTES("\0\5\1\0\0\0"), H2_ERROR_PROTOCOL},
    {H2_FRAME_PUSH_PROMISE, H2_FLAG_END_HEADERS, 3, BYTES("\0\0\0\4"), H2_ERROR_PROTOCOL},
    {H2_FRAME_PING, 0, 3, BYTES("12345678"), H2_ERROR_PROTOCOL},
    {H2_FRAME_PING, 0, 0, BYTES("1234567"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_GOAWAY, 0, 3, BYTES("\0\0\0\0\0\0\0\0"), H2_ERROR_PROTOCOL},
    {H2_FRAME_GOAWAY, 0, 0, BYTES("\0\0\0\0\0\0\0"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_WINDOW_UPDATE, 0, 0, BYTES("\0\0\0"), H2_ERROR_FRAME_SIZE},
    {H2_FRAME_WINDOW_UPDATE, 0, 0, BYTES("\0\0\0\0"), H2_ERROR_PROTOCOL},
    {H2_FRAME_WINDOW_UPDATE, 0, 0, BYTES("\x7f\xff\xff\xff"), H2_ERROR_FLOW_CONTROL},
    {H2_FRAME_WINDOW_UPDATE, 0, 2, BYTES("\0\0\0\1"), H2_ERROR_PROTOCOL},
    {H2_FRAME_WINDOW_UPDATE, 0, 5, BYTES("\0\0\0\1"), H2_ERROR_PROTOCOL},
    {H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 0, BYTES(""), H2_ERROR_PROTOCOL},
    {H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 3, BYTES(""), H2_ERROR_PROTOCOL},
};

static void test_bad_frames(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad_frames / sizeof bad_frames[0]; i++) {
        const struct bad_frame *bad = &bad_frames[i];
        struct buf bytes = BUF_EMPTY;
        append_request(&bytes, 1, "/echo", H2_FLAG_END_STREAM);
        append_request(&bytes, 3, "/echo", 0);
        append_frame(&bytes, bad->type, bad->flags, bad->stream, (struct slice){bad->payload, bad->size});
        expect_goaway(f, &bytes, bad->error);
        reopen(f);
    }
}

/* Frames that are fine, and change nothing: late ones of a stream that has ended, and what is not used. */
static void test_frames_of_no_effect(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/echo", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "H1.");
    append_window(&bytes, 1, 1);
    append_reset(&bytes, 1);
    append_frame(&bytes, H2_FRAME_DATA, 0, 1, SLICE_LITERAL("late"));
    append_frame(&bytes, H2_FRAME_PRIORITY, 0, 5, SLICE_LITERAL("\0\0\0\0\0"));
    append_frame(&bytes, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, NO_BODY);
    append_frame(&bytes, H2_FRAME_PING, H2_FLAG_ACK, 0, SLICE_LITERAL("whatever"));
    append_frame(&bytes, 0x10, 0, 0, SLICE_LITERAL("priority update"));
    append_frame(&bytes, 0xff, 0, 0, NO_BODY);
    exchange_frames(f, &bytes, "");
    append_setting(&bytes, H2_SETTING_MAX_HEADER_LIST_SIZE, 0);
    append_setting(&bytes, (enum h2_setting)0xf0, UINT32_MAX);
    append_request(&bytes, 3, "/echo", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "S+ S+ H3.");
}

static void test_settings_come_first(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        buf_append_text(&bytes, H2_PREFACE);
        if (i == 0)
            append_request(&bytes, 1, "/echo", H2_FLAG_END_STREAM);
        else if (i == 1)
            append_frame(&bytes, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, NO_BODY);
        else
            append_frame(&bytes, 0x77, 0, 0, NO_BODY);
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_frames(&out, "S W0:16711681 G0:1");
        reopen(f);
    }
    assert_int_equal(f->recorder.heads, 0);
}

/* A header block is not interrupted, not by its own stream either (RFC 9113 section 4.3). */
static void test_blocks_are_not_interrupted(void **state) {
    static const struct bad_frame between[] = {
        {H2_FRAME_DATA, 0, 1, BYTES("x"), 0},
        {H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, 3, BYTES(""), 0},
        {H2_FRAME_PING, 0, 0, BYTES("12345678"), 0},
        {H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 3, BYTES(""), 0},
        {H2_FRAME_RST_STREAM, 0, 1, BYTES("\0\0\0\0"), 0},
        {0x77, 0, 1, BYTES(""), 0},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof between / sizeof between[0]; i++) {
        struct buf bytes = BUF_EMPTY;
        append_frame(&bytes, H2_FRAME_HEADERS, 0, 1, NO_BODY);
        append_frame(&bytes, between[i].type, between[i].flags, between[i].stream,
                     (struct slice){between[i].payload, between[i].size});
        expect_goaway(f, &bytes, H2_ERROR_PROTOCOL);
        reopen(f);
    }
}

/* A frame is refused by its head, before its payload comes. */
static void test_frames_that_are_too_large(void **state) {
    struct fixture *f = *state;
    for (unsigned type = H2_FRAME_DATA; type <= H2_FRAME_CONTINUATION + 1; type++) {
        const struct h2_frame frame = {.length = HTTP_H2_FRAME_MAX + 1, .type = (uint8_t)type, .stream_id = 1};
        char head[H2_FRAME_HEAD_SIZE];
        struct buf bytes = BUF_EMPTY;
        h2_frame_write(&frame, head);
        buf_append(&bytes, head, sizeof head);
        expect_goaway(f, &bytes, H2_ERROR_FRAME_SIZE);
        reopen(f);
    }
}

/* ---- behind the end ---- */

/* Nothing of what comes behind the end is looked at. */
static void test_nothing_behind_a_failure(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    append_frame(&bytes, H2_FRAME_PING, 0, 1, SLICE_LITERAL("pingpong"));
    append_request(&bytes, 1, "/echo", H2_FLAG_END_STREAM);
    expect_goaway(f, &bytes, H2_ERROR_PROTOCOL);
    append_request(&bytes, 3, "/echo", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    assert_int_equal(f->recorder.heads, 0);
    assert_int_equal(f->peer.session->ops->deadline(f->peer.session), 0);
}

/* ---- random input ---- */

/* Broken bytes end in errors, never in a crash or an exchange without its last callback (teardown checks). */
static void test_mutated_frames(void **state) {
    struct fixture *f = *state;
    struct buf seed = BUF_EMPTY;
    append_preface(&seed);
    size_t preface = seed.size;
    append_request(&seed, 1, "/echo", 0);
    append_frame(&seed, H2_FRAME_DATA, 0, 1, SLICE_LITERAL("0123456789"));
    append_request(&seed, 3, "/pieces", H2_FLAG_END_STREAM);
    append_frame(&seed, H2_FRAME_WINDOW_UPDATE, 0, 0, (struct slice){"\0\0\1\0", 4});
    append_frame(&seed, H2_FRAME_PING, 0, 0, SLICE_LITERAL("pingpong"));
    append_request(&seed, 5, "/reset", H2_FLAG_END_STREAM);
    append_frame(&seed, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, SLICE_LITERAL("end"));
    append_frame(&seed, H2_FRAME_RST_STREAM, 0, 3, (struct slice){"\0\0\0\x08", 4});
    uint64_t random = 0x9e3779b97f4a7c15;
    size_t errors = 0;
    for (int round = 0; round < 3000; round++) {
        peer_close(&f->peer);
        peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        buf_append_slice(&bytes, buf_slice(&seed));
        for (uint64_t edits = 1 + random_next(&random) % 4; edits > 0; edits--)
            bytes.data[preface + random_next(&random) % (seed.size - preface)] = (char)random_next(&random);
        bytes.size -= random_next(&random) % 20;
        struct status status = give_raw(f, &bytes, &out);
        errors += !status_is_ok(&status) || last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR) > 0 ||
                  last_frame(&out, H2_FRAME_RST_STREAM, 0) > 0;
        buf_free(&out);
    }
    assert_true(errors > 300);
    buf_free(&seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_pieces_of_all_sizes),
        TEST(test_cuts_at_every_byte),
        TEST(test_empty_input),
        TEST(test_bad_preface),
        TEST(test_preface_that_goes_wrong_late),
        TEST(test_bad_frames),
        TEST(test_frames_of_no_effect),
        TEST(test_settings_come_first),
        TEST(test_blocks_are_not_interrupted),
        TEST(test_frames_that_are_too_large),
        TEST(test_nothing_behind_a_failure),
        TEST(test_mutated_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
