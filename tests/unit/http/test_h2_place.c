/* Large bodies over HTTP/2 that are received to where they lie: what places are told, and what comes of guesses that
 * are wrong. */
#include "uploads.h"

enum { FRAME = 16384, BODY = 300000 };

/* The body from `at` on, in frames of that size, the last of which ends the stream. */
static void append_rest(struct buf *out, uint32_t stream, const char *body, size_t at, size_t frame) {
    for (size_t n; at < BODY; at += n) {
        n = BODY - at < frame ? BODY - at : frame;
        append_bytes(out, stream, body + at, n, at + n == BODY ? H2_FLAG_END_STREAM : 0);
    }
}

/* Puts the bytes to the places just told (and frees them). */
static void put(struct fixture *f, const struct session_places *places, struct buf *bytes) {
    assert_int_equal(put_bytes(places, bytes->data, bytes->size), bytes->size);
    struct status status = f->peer.session->ops->placed(f->peer.session, places, bytes->size);
    assert_int_equal(status.code, STATUS_OK);
    buf_free(bytes);
}

/* The stream's answer is that body. */
static void expect_echo(struct fixture *f, uint32_t stream, const char *body, size_t size) {
    struct buf out = BUF_EMPTY, got = BUF_EMPTY;
    take_all(f, &out);
    struct slice rest = buf_slice(&out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);)
        if (frame.type == H2_FRAME_DATA && frame.stream_id == stream)
            buf_append_slice(&got, payload);
    assert_int_equal(got.size, size);
    assert_memory_equal(got.data, body, size);
    buf_free(&got);
    buf_free(&out);
}

/* A request, and the first `at` bytes of its body, in frames. */
static void begin(struct fixture *f, uint32_t stream, const char *body, size_t at) {
    struct buf bytes = BUF_EMPTY;
    append_upload(&bytes, stream, "/echo", BODY);
    for (size_t i = 0; i < at; i += FRAME)
        append_bytes(&bytes, stream, body + i, FRAME, 0);
    give(f, &bytes);
}

/* ---- what is told ---- */

static void test_a_lone_body(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    char *body = pattern(BODY);
    open_up(f);
    assert_false(ask_places(f->peer.session, &places));
    begin(f, 1, body, FRAME);
    assert_false(ask_places(f->peer.session, &places)); /* nothing has followed its frame */
    append_bytes(&bytes, 1, body + FRAME, FRAME, 0);
    bytes.size -= 1000;
    give(f, &bytes);
    assert_true(ask_places(f->peer.session, &places));
    size_t frames = (BODY - 2 * FRAME + FRAME - 1) / FRAME;
    assert_int_equal(places.count, 1 + 2 * frames);
    assert_int_equal(places.bytes, 1000 + BODY - 2 * FRAME + frames * H2_FRAME_HEAD_SIZE);
    assert_true(places.ends);
    assert_int_equal(places.parts[0].iov_len, 1000);
    assert_int_equal(places.parts[1].iov_len, H2_FRAME_HEAD_SIZE);
    assert_ptr_equal((char *)places.parts[0].iov_base + 1000, places.parts[2].iov_base);
    assert_int_equal(places.parts[2].iov_len, FRAME);
    assert_int_equal(places.parts[places.count - 1].iov_len, BODY % FRAME);
    buf_append(&bytes, body + 2 * FRAME - 1000, 1000);
    append_rest(&bytes, 1, body, 2 * FRAME, FRAME);
    put(f, &places, &bytes);
    expect_echo(f, 1, body, BODY);
    assert_false(ask_places(f->peer.session, &places));
    free(body);
}

/* Between two frames as well, and as far as it has come. */
static void test_in_reads_of_any_size(void **state) {
    struct fixture *f = *state;
    char *body = pattern(BODY);
    open_up(f);
    uint32_t stream = 1;
    for (size_t step = 1000; step < BODY; step = step * 3 + 1, stream += 2) {
        struct buf bytes = BUF_EMPTY;
        begin(f, stream, body, 2 * FRAME);
        append_rest(&bytes, stream, body, 2 * FRAME, FRAME);
        size_t placed = 0;
        for (size_t at = 0, n; at < bytes.size; at += n) {
            struct session_places places;
            n = bytes.size - at < step ? bytes.size - at : step;
            placed += ask_places(f->peer.session, &places) ? places.bytes < n ? places.bytes : n : 0;
            struct status status = give_to(f->peer.session, bytes.data + at, n);
            assert_int_equal(status.code, STATUS_OK);
        }
        assert_true(placed > bytes.size / 2);
        buf_free(&bytes);
        expect_echo(f, stream, body, BODY);
    }
    free(body);
}

/* Not more at once than is good for others. */
static void test_a_very_large_body(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    open_up(f);
    append_upload(&bytes, 1, "/echo", 3 << 20);
    append_data(&bytes, 1, FRAME, 0);
    append_data(&bytes, 1, FRAME, 0);
    give(f, &bytes);
    assert_true(ask_places(f->peer.session, &places));
    assert_false(places.ends);
    assert_true(places.count < SESSION_PLACES_MAX);
    assert_true(places.bytes >= SESSION_PLACES_BYTES - FRAME && places.bytes <= SESSION_PLACES_BYTES);
    append_data(&bytes, 1, HTTP_H2_FRAME_MAX, 0);
    give(f, &bytes);
    assert_true(ask_places(f->peer.session, &places));
    assert_int_equal(places.count, 4);                    /* few large ones */
    assert_int_equal(places.bytes, SESSION_PLACES_BYTES); /* the last is told in part */
    assert_false(places.ends);
}

static void test_no_places(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    open_up(f);
    append_echo(&bytes, 1, 40000); /* its length is not told */
    append_request(&bytes, 3, "/echo", 0);
    append_data(&bytes, 3, FRAME, 0);
    append_data(&bytes, 3, FRAME, 0);
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
    append_upload(&bytes, 5, "/refuse", BODY); /* it is answered */
    append_data(&bytes, 5, FRAME, 0);
    append_data(&bytes, 5, FRAME, 0);
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
    append_upload(&bytes, 7, "/stream", BODY); /* its handler tells no place */
    append_data(&bytes, 7, FRAME, 0);
    append_data(&bytes, 7, FRAME, 0);
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
    append_upload(&bytes, 9, "/echo", BODY); /* frames that are short */
    append_data(&bytes, 9, 4096, 0);
    append_data(&bytes, 9, 4096, 0);
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
    append_upload(&bytes, 11, "/echo", 40000); /* hardly anything is left */
    append_data(&bytes, 11, FRAME, 0);
    append_data(&bytes, 11, FRAME, 0);
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
}

/* Neither behind frames of another kind nor in the middle of a head can be told what comes. */
static void test_not_everywhere(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    char *body = pattern(BODY);
    open_up(f);
    begin(f, 1, body, 2 * FRAME);
    assert_true(ask_places(f->peer.session, &places));
    append_frame(&bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
    append_bytes(&bytes, 1, body + 2 * FRAME, FRAME, 0);
    append_bytes(&bytes, 1, body + 3 * FRAME, 0, 0);
    bytes.size -= 4;
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
    assert_int_equal(h2_of(f)->misses, 0);
    free(body);
}

/* Of a frame that is large enough by itself, the rest, whatever may follow; none where padding follows. */
static void test_one_frame(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    char *body = pattern(BODY);
    open_up(f);
    append_upload(&bytes, 1, "/echo", BODY);
    append_bytes(&bytes, 1, body, 100000, 0);
    bytes.size -= 50000;
    give(f, &bytes);
    assert_true(ask_places(f->peer.session, &places));
    assert_int_equal(places.count, 1);
    assert_int_equal(places.bytes, 50000);
    assert_true(places.ends);
    buf_append(&bytes, body + 50000, 50000);
    put(f, &places, &bytes);
    append_rest(&bytes, 1, body, 100000, 100000);
    give(f, &bytes);
    expect_echo(f, 1, body, BODY);
    append_upload(&bytes, 3, "/echo", BODY);
    struct buf padded = BUF_EMPTY;
    buf_append_char(&padded, 10);
    buf_append(&padded, body, 100010);
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_PADDED, 3, buf_slice(&padded));
    buf_free(&padded);
    bytes.size -= 50010;
    give(f, &bytes);
    assert_false(ask_places(f->peer.session, &places));
    free(body);
}

/* Frames in turn, as they have come, and those of streams whose body is complete are left out. */
static void test_several_bodies(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    char *body = pattern(BODY);
    open_up(f);
    append_upload(&bytes, 1, "/echo", BODY);
    append_upload(&bytes, 3, "/echo", 3 * FRAME);
    append_upload(&bytes, 5, "/echo", BODY);
    for (int round = 0; round < 2; round++)
        for (uint32_t stream = 1; stream < 7; stream += 2)
            append_bytes(&bytes, stream, body + round * FRAME, FRAME, 0);
    give(f, &bytes);
    assert_true(ask_places(f->peer.session, &places));
    static const uint32_t order[] = {1, 3, 5, 1, 5, 1, 5};
    size_t at[6] = {[1] = 2 * FRAME, [3] = 2 * FRAME, [5] = 2 * FRAME};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        assert_int_equal(places.between[i].note, order[i]);
        assert_int_equal(places.parts[2 * i + 1].iov_len, FRAME);
        append_bytes(&bytes, order[i], body + at[order[i]], FRAME, order[i] == 3 ? H2_FLAG_END_STREAM : 0);
        at[order[i]] += FRAME;
    }
    put(f, &places, &bytes);
    append_rest(&bytes, 1, body, at[1], FRAME);
    append_rest(&bytes, 5, body, at[5], FRAME);
    struct status status = give_to(f->peer.session, bytes.data, bytes.size);
    assert_int_equal(status.code, STATUS_OK);
    buf_free(&bytes);
    expect_echo(f, 1, body, BODY);
    assert_int_equal(f->recorder.ends, 3);
    free(body);
}

/* ---- a handler that tells places itself ---- */

struct taker {
    char bytes[BODY];
    size_t at;               /* bytes taken */
    size_t end;              /* there is room up to here */
    size_t in_place, beside; /* how they came */
};
static struct taker taker;

static char *taker_place(void *user, struct http_exchange *exchange, size_t *ret_room) {
    (void)user, (void)exchange;
    *ret_room = taker.end - taker.at;
    return taker.bytes + taker.at;
}

static size_t taker_on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    (void)user, (void)exchange;
    assert_true(size <= BODY - taker.at);
    if (data == taker.bytes + taker.at)
        taker.in_place += size;
    else
        taker.beside += size;
    memmove(taker.bytes + taker.at, data, size);
    taker.at += size;
    return size;
}

/* on_data is called with the places, as far as there are any: not behind the room that a handler has, in whose frame
 * more is to come, and up to its end, where that is in the middle of a frame. */
static void test_handlers_own_places(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    char *body = pattern(BODY);
    taker = (struct taker){.end = 7 * FRAME + 1000};
    f->recorder.handler.on_place = taker_place;
    f->recorder.handler.on_data = taker_on_data;
    open_up(f);
    append_request(&bytes, 1, "/stream", 0);
    append_bytes(&bytes, 1, body, FRAME, 0);
    append_bytes(&bytes, 1, body + FRAME, FRAME, 0);
    give(f, &bytes);
    assert_true(ask_places(f->peer.session, &places));
    assert_int_equal(places.parts[places.count - 1].iov_len, 1000);
    assert_true(places.ends);
    append_rest(&bytes, 1, body, 2 * FRAME, FRAME);
    struct buf last = BUF_EMPTY; /* a part of it, and the rest */
    size_t more = FRAME - 1000 + (BODY / FRAME - 7 - 1) * (FRAME + H2_FRAME_HEAD_SIZE) + BODY % FRAME + 9;
    buf_append(&last, bytes.data + bytes.size - more, more);
    bytes.size -= more;
    put(f, &places, &bytes);
    assert_int_equal(h2_of(f)->misses, 0);
    assert_int_equal(taker.at, taker.end);
    assert_int_equal(taker.in_place, 5 * FRAME + 1000);
    taker.end = taker.at + 9000; /* fewer than the frame has left */
    f->limits.min_placed_bytes = 1000;
    assert_true(ask_places(f->peer.session, &places));
    assert_int_equal(places.count, 1);
    assert_int_equal(places.bytes, 9000);
    assert_true(places.ends);
    taker.end = BODY;
    struct status status = give_to(f->peer.session, last.data, last.size);
    assert_int_equal(status.code, STATUS_OK);
    assert_memory_equal(taker.bytes, body, BODY);
    assert_int_equal(taker.beside, 2 * FRAME);
    buf_free(&last);
    free(body);
}

/* ---- guesses that are wrong ---- */

/* What the client sends in place of the third frame of its body. */
static void append_surprise(struct buf *out, int kind, const char *body) {
    struct buf padded = BUF_EMPTY;
    switch (kind) {
    case 0: /* in between */
        append_frame(out, H2_FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
        break;
    case 1:
        append_request(out, 3, "/echo", H2_FLAG_END_STREAM);
        break;
    case 2: /* shorter */
        append_bytes(out, 1, body + 2 * FRAME, FRAME / 2, 0);
        append_bytes(out, 1, body + 2 * FRAME + FRAME / 2, FRAME / 2, 0);
        break;
    case 3: /* longer, with bytes where the next head is expected that look like it */
        append_bytes(out, 1, body + 2 * FRAME, 2 * FRAME, 0);
        break;
    case 4: /* with padding, as long as the others */
        buf_append_char(&padded, 100);
        buf_append(&padded, body + 2 * FRAME, FRAME - 101);
        buf_append(&padded, body, 100);
        append_frame(out, H2_FRAME_DATA, H2_FLAG_PADDED, 1, buf_slice(&padded));
        append_bytes(out, 1, body + 3 * FRAME - 101, 101, 0);
        buf_free(&padded);
        break;
    default: /* for a stream that is gone */
        append_bytes(out, 77, body, FRAME, 0);
        break;
    }
}

static void test_surprises(void **state) {
    struct fixture *f = *state;
    char *body = pattern(BODY);
    struct buf head = BUF_EMPTY;
    append_frame(&head, H2_FRAME_DATA, 0, 1, (struct slice){body, FRAME});
    memcpy(body + 3 * FRAME, head.data, H2_FRAME_HEAD_SIZE);
    buf_free(&head);
    for (int kind = 0; kind < 5; kind++) {
        struct session_places places;
        struct buf bytes = BUF_EMPTY;
        reopen(f);
        open_up(f);
        begin(f, 1, body, 2 * FRAME);
        assert_true(ask_places(f->peer.session, &places));
        append_surprise(&bytes, kind, body);
        append_rest(&bytes, 1, body, kind < 2 ? 2 * FRAME : kind == 3 ? 4 * FRAME : 3 * FRAME, FRAME);
        struct status status = give_to(f->peer.session, bytes.data, bytes.size);
        assert_int_equal(status.code, STATUS_OK);
        buf_free(&bytes);
        assert_int_equal(h2_of(f)->misses, kind == 1 ? 0 : 1); /* a new stream is worth a try */
        expect_echo(f, 1, body, BODY);
    }
    free(body);
}

/* What ends the stream, or the connection, in the middle of what was placed. */
static void test_ends_in_the_middle(void **state) {
    struct fixture *f = *state;
    char *body = pattern(BODY);
    for (int kind = 0; kind < 4; kind++) {
        struct session_places places;
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        reopen(f);
        open_up(f);
        begin(f, 1, body, 2 * FRAME);
        assert_true(ask_places(f->peer.session, &places));
        if (kind == 0)
            append_reset(&bytes, 1);
        else if (kind == 1) /* the length was told, and is not kept */
            append_bytes(&bytes, 1, body, FRAME, H2_FLAG_END_STREAM);
        else if (kind == 2)
            append_surprise(&bytes, 99, body);
        else
            append_frame(&bytes, H2_FRAME_PUSH_PROMISE, 0, 1, SLICE_LITERAL("abcd"));
        append_rest(&bytes, 1, body, 3 * FRAME, FRAME);
        append_request(&bytes, 3, "/echo", H2_FLAG_END_STREAM);
        struct status status = give_to(f->peer.session, bytes.data, bytes.size);
        assert_int_equal(status.code, STATUS_OK);
        buf_free(&bytes);
        take_all(f, &out);
        if (kind <= 1)
            assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), -1);
        else
            assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_PROTOCOL);
        if (kind == 1)
            assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_PROTOCOL);
        buf_free(&out);
    }
    free(body);
}

/* Who is guessed wrong again and again is not guessed any more; each new stream is worth a try. */
static void test_gives_up(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    char *body = pattern(BODY);
    open_up(f);
    begin(f, 1, body, 2 * FRAME);
    size_t at = 2 * FRAME, misses = 0;
    while (ask_places(f->peer.session, &places)) {
        append_frame(&bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
        append_bytes(&bytes, 1, body + at, FRAME, 0);
        at += FRAME;
        put(f, &places, &bytes);
        assert_int_equal(h2_of(f)->misses, ++misses);
    }
    assert_int_equal(misses, 4);
    append_upload(&bytes, 3, "/echo", BODY);
    append_bytes(&bytes, 1, body + at, FRAME, 0);
    append_bytes(&bytes, 1, body + at + FRAME, FRAME, 0);
    give(f, &bytes);
    assert_true(ask_places(f->peer.session, &places));
    append_rest(&bytes, 1, body, at + 2 * FRAME, FRAME);
    put(f, &places, &bytes);
    assert_int_equal(h2_of(f)->misses, 2);
    expect_echo(f, 1, body, BODY);
    free(body);
}

/* What was put where it does not belong makes memory real, which is booked until the body has come as far. */
static void test_memory_of_wrong_guesses(void **state) {
    struct fixture *f = *state;
    enum { OTHER = 10 * FRAME };
    struct session_places places;
    struct buf bytes = BUF_EMPTY;
    char *body = pattern(BODY);
    f->limits.budget = &f->budget;
    reopen(f);
    open_up(f);
    begin(f, 1, body, 2 * FRAME);
    size_t booked = atomic_load(&f->budget.held_bytes);
    assert_true(ask_places(f->peer.session, &places));
    append_frame(&bytes, 0x20, 0, 0, (struct slice){body, OTHER}); /* is skipped */
    put(f, &places, &bytes);
    size_t misplaced = atomic_load(&f->budget.held_bytes) - booked;
    assert_true(misplaced > OTHER - 10 * H2_FRAME_HEAD_SIZE && misplaced <= OTHER);
    for (size_t at = 2 * FRAME; at < BODY; at += FRAME) {
        size_t n = BODY - at < FRAME ? BODY - at : FRAME;
        append_bytes(&bytes, 1, body + at, n, 0);
        give(f, &bytes);
        if (at == 2 * FRAME && ask_places(f->peer.session, &places)) { /* fewer than before */
            append_frame(&bytes, 0x20, 0, 0, (struct slice){body, 100});
            put(f, &places, &bytes);
        }
        size_t come = at + n - 2 * FRAME;
        assert_int_equal(atomic_load(&f->budget.held_bytes) - booked, come > misplaced ? come : misplaced);
    }
    append_bytes(&bytes, 1, body, 0, H2_FLAG_END_STREAM);
    give(f, &bytes);
    expect_echo(f, 1, body, BODY);
    free(body);
}

/* What is placed is in memory before it is booked: no places where there is no room for it. */
static void test_no_room_in_the_budget(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    char *body = pattern(BODY);
    f->limits.budget = &f->budget;
    reopen(f);
    open_up(f);
    begin(f, 1, body, 2 * FRAME);
    size_t others = f->budget.max_bytes - atomic_load(&f->budget.held_bytes) - (BODY - 2 * FRAME) + 1;
    assert_true(http_budget_take(&f->budget, others));
    assert_false(ask_places(f->peer.session, &places));
    http_budget_give(&f->budget, 1);
    assert_true(ask_places(f->peer.session, &places));
    http_budget_give(&f->budget, others - 1);
    free(body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_lone_body),
        TEST(test_in_reads_of_any_size),
        TEST(test_a_very_large_body),
        TEST(test_no_places),
        TEST(test_not_everywhere),
        TEST(test_one_frame),
        TEST(test_handlers_own_places),
        TEST(test_several_bodies),
        TEST(test_surprises),
        TEST(test_ends_in_the_middle),
        TEST(test_gives_up),
        TEST(test_memory_of_wrong_guesses),
        TEST(test_no_room_in_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
