/* Whatever comes over HTTP/2, guessed right or wrong where it is placed, has the same effect as if it had been given as
 * input. */
#include "uploads.h"

enum { STREAMS = 4, FRAMES = 80, LONGEST = 300 };

/* Frames that mostly follow each other as well-behaved clients' do. */
static void append_story(struct buf *out, uint64_t *random) {
    static const char *const paths[] = {"/echo", "/echo", "/echo", "/echo", "/stream", "/sip", "/refuse", "/pieces"};
    size_t told[STREAMS], sent[STREAMS] = {0}, size = random_next(random) % LONGEST + 1;
    for (uint32_t i = 0; i < STREAMS; i++) {
        told[i] = random_next(random) % (10 * LONGEST);
        append_upload(out, 2 * i + 1, paths[random_next(random) % 8], told[i]);
    }
    uint64_t order = random_next(random);
    for (size_t n = 0; n < FRAMES; n++) {
        uint64_t chance = random_next(random);
        uint32_t i = (uint32_t)(chance % 16 == 0 ? chance / 16 : order >> (n % 4 * 2)) % STREAMS;
        uint32_t stream = 2 * i + 1;
        if (chance % 32 == 1)
            append_frame(out, H2_FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
        if (chance % 256 == 2)
            append_reset(out, stream);
        if (chance % 64 == 3)
            append_request(out, (uint32_t)(100 + 2 * n + 1), "/echo", H2_FLAG_END_STREAM);
        if (sent[i] == told[i] && chance % 256 != 7)
            continue;
        size_t left = told[i] - sent[i], piece = chance % 8 == 4 ? chance >> 8 & 255 : size;
        if (piece > left && chance % 128 != 5)
            piece = left;
        sent[i] += piece < left ? piece : left;
        char data[LONGEST + 256];
        for (size_t k = 0; k < piece; k++)
            data[k] = (char)(n * 7 + k);
        unsigned flags = piece == left ? H2_FLAG_END_STREAM : 0;
        if (piece > 1 && chance % 32 == 6) {
            data[0] = (char)(random_next(random) % piece);
            flags |= H2_FLAG_PADDED;
        }
        append_bytes(out, stream, data, piece, flags);
    }
}

/* All that the session says, with DATA as one text for each stream, since frames may be cut differently. */
static void tell(struct buf *text, const struct buf *out) {
    struct buf of[2 * STREAMS + 1] = {BUF_EMPTY};
    struct slice rest = buf_slice(out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        if (frame.type != H2_FRAME_DATA)
            describe_frame(text, &frame, payload);
        else if (frame.stream_id <= 2 * STREAMS)
            buf_append_slice(&of[frame.stream_id], payload);
        if (frame.type == H2_FRAME_DATA && frame.flags & H2_FLAG_END_STREAM)
            buf_printf(text, "|end %u|", frame.stream_id);
    }
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        buf_printf(text, "[%zu:", i);
        buf_append_slice(text, buf_slice(&of[i]));
        buf_append_char(text, ']');
        buf_free(&of[i]);
    }
}

/* One story in the same pieces, to a session by input alone or to where it wants it; what comes of it. */
static struct buf run_story(struct fixture *f, uint64_t seed, bool by_places, size_t *ret_placed) {
    uint64_t random = seed * 2654435761 + 1;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, text = BUF_EMPTY;
    f->limits.min_placed_bytes = 1;
    reopen(f);
    buf_clear(&f->recorder.log);
    f->recorder.thirst = 200;
    open_up(f);
    append_story(&bytes, &random);
    for (size_t at = 0, n; at < bytes.size; at += n) {
        struct session_places places;
        n = random_next(&random) % (random % 3 == 0 ? 40 : 3000) + 1;
        n = n < bytes.size - at ? n : bytes.size - at;
        *ret_placed += by_places && ask_places(f->peer.session, &places) ? places.bytes : 0;
        struct status status =
            by_places ? give_to(f->peer.session, bytes.data + at, n) : give_input(f->peer.session, bytes.data + at, n);
        assert_int_equal(status.code, STATUS_OK);
        if (random_next(&random) % 4 == 0)
            take_output(f, &out);
    }
    take_all(f, &out);
    tell(&text, &out);
    buf_append_slice(&text, buf_slice(&f->recorder.log));
    buf_clear(&f->recorder.log);
    buf_free(&out);
    buf_free(&bytes);
    return text;
}

static void test_the_same_as_input(void **state) {
    struct fixture *f = *state;
    size_t placed = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        struct buf by_input = run_story(f, seed, false, &placed), by_places = run_story(f, seed, true, &placed);
        if (by_input.size != by_places.size || memcmp(by_input.data, by_places.data, by_input.size) != 0)
            fail_msg("seed %zu: %.*s\n%.*s", (size_t)seed, (int)by_input.size, by_input.data, (int)by_places.size,
                     by_places.data);
        buf_free(&by_input);
        buf_free(&by_places);
    }
    assert_true(placed > 1000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_the_same_as_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
