/* h2_fixture.h: a session of HTTP/2 whose client the tests write frame by frame, or leave to nghttp2 (peer.h), and what
 * the session sends, as a short text. */
#ifndef INFERD_TEST_HTTP_H2_FIXTURE_H
#define INFERD_TEST_HTTP_H2_FIXTURE_H

#include "frames.h"
#include "given.h"
#include "http/exchange_priv.h"
#include "http/h2_priv.h"
#include "peer.h"
#include "recorder.h"

struct fixture {
    struct recorder recorder;
    struct http_limits limits;
    struct http_budget budget; /* in use where a test says so */
    struct peer peer;
};

static inline int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->limits = http_limits_default();
    f->budget.max_bytes = (size_t)1 << 30;
    recorder_open(&f->recorder);
    peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
    *state = f;
    return 0;
}

/* Whatever a test has done, all memory that was booked is given back in the end. */
static inline int teardown(void **state) {
    struct fixture *f = *state;
    peer_close(&f->peer);
    recorder_close(&f->recorder);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
    free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A connection anew, with the limits as they are now. */
static inline void reopen(struct fixture *f) {
    peer_close(&f->peer);
    peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
}

static inline struct h2_session *h2_of(struct fixture *f) {
    return (struct h2_session *)f->peer.session;
}

static inline bool finished(struct fixture *f) {
    return f->peer.session->ops->finished(f->peer.session);
}

/* Appends what the session has to say. */
static inline void take_output(struct fixture *f, struct buf *out) {
    struct status output = take_from(f->peer.session, (size_t)1 << 30, out);
    assert_int_equal(output.code, STATUS_OK);
}

/* Gives the session the bytes (and frees them), `step` at once (0: all), and turns until all is worked on. */
static inline struct status give_quietly(struct fixture *f, struct buf *bytes, size_t step) {
    struct status status = status_ok();
    for (size_t at = 0; at < bytes->size && status_is_ok(&status);) {
        size_t n = step != 0 && step < bytes->size - at ? step : bytes->size - at;
        status = give_to(f->peer.session, bytes->data + at, n);
        at += n;
    }
    buf_free(bytes);
    while (status_is_ok(&status) && peer_tick(&f->peer))
        status = f->peer.error;
    return status;
}

/* The same, and collects what the session says. */
static inline struct status give_pieces(struct fixture *f, struct buf *bytes, size_t step, struct buf *ret_out) {
    struct status status = give_quietly(f, bytes, step);
    take_output(f, ret_out);
    return status;
}

static inline struct status give_raw(struct fixture *f, struct buf *bytes, struct buf *ret_out) {
    return give_pieces(f, bytes, 0, ret_out);
}

/* The time is `now`; collects what the session says. */
static inline void tick_at(struct fixture *f, uint64_t now, struct buf *ret_out) {
    struct status status = f->peer.session->ops->tick(f->peer.session, now);
    assert_int_equal(status.code, STATUS_OK);
    take_output(f, ret_out);
}

/* ---- what the session sends ---- */

/* Takes the next frame off the front; false when there is none. */
static inline bool next_frame(struct slice *rest, struct h2_frame *frame, struct slice *payload) {
    if (rest->size == 0)
        return false;
    assert_true(rest->size >= H2_FRAME_HEAD_SIZE);
    *frame = h2_frame_parse((const unsigned char *)rest->data);
    assert_true(rest->size - H2_FRAME_HEAD_SIZE >= frame->length);
    *payload = (struct slice){rest->data + H2_FRAME_HEAD_SIZE, frame->length};
    rest->data += H2_FRAME_HEAD_SIZE + frame->length;
    rest->size -= H2_FRAME_HEAD_SIZE + frame->length;
    return true;
}

/* The last frame of that type in the output; its payload's 32-bit number at `offset`, or -1 when there is none. */
static inline int64_t last_frame(const struct buf *out, enum h2_frame_type type, size_t offset) {
    int64_t found = -1;
    struct slice rest = buf_slice(out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);)
        if (frame.type == type && payload.size >= offset + 4)
            found = h2_get_u32((const unsigned char *)payload.data + offset);
    return found;
}

enum { GOAWAY_ERROR = 4 }; /* offset of the code in its payload */

static inline void describe_frame(struct buf *text, const struct h2_frame *frame, struct slice payload) {
    static const char letters[] = "DHpRSuPGWC";
    const unsigned char *bytes = (const unsigned char *)payload.data;
    bool acknowledges =
        (frame->type == H2_FRAME_SETTINGS || frame->type == H2_FRAME_PING) && frame->flags & H2_FLAG_ACK;
    assert_true(frame->type <= H2_FRAME_CONTINUATION);
    buf_append_char(text, letters[frame->type]);
    if (frame->type == H2_FRAME_GOAWAY)
        buf_printf(text, "%u:%u", h2_get_u32(bytes), h2_get_u32(bytes + 4));
    else if (frame->stream_id != 0 || frame->type == H2_FRAME_WINDOW_UPDATE)
        buf_printf(text, "%u", frame->stream_id);
    if (frame->type == H2_FRAME_DATA)
        buf_printf(text, ":%u", frame->length);
    if (frame->type == H2_FRAME_RST_STREAM || frame->type == H2_FRAME_WINDOW_UPDATE)
        buf_printf(text, ":%u", h2_get_u32(bytes));
    if (acknowledges)
        buf_append_char(text, '+');
    if (frame->type <= H2_FRAME_HEADERS && frame->flags & H2_FLAG_END_STREAM)
        buf_append_char(text, '.');
}

/* The frames, a word each: type, stream, what it tells. "H1 D1:5." is a head and five bytes, which end the stream;
 * "S+" acknowledges settings, "R3:8" resets stream 3 with code 8, "G5:0" is a GOAWAY whose last stream is 5, "W0:9"
 * opens the connection's window by 9. */
static inline void describe_if(struct buf *text, const struct buf *out, bool all, uint32_t stream) {
    struct slice rest = buf_slice(out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        if (!all && frame.stream_id != stream)
            continue;
        if (text->size > 0)
            buf_append_char(text, ' ');
        describe_frame(text, &frame, payload);
    }
    buf_append_char(text, '\0');
    text->size--;
}

static inline void describe(struct buf *text, const struct buf *out) {
    describe_if(text, out, true, 0);
}

/* Those of one stream, or of the connection (0). */
static inline void describe_stream(struct buf *text, const struct buf *out, uint32_t stream) {
    describe_if(text, out, false, stream);
}

/* Says that these are the frames, and empties `out`. */
static inline void assert_frames(struct buf *out, const char *frames) {
    struct buf text = BUF_EMPTY;
    describe(&text, out);
    assert_string_equal(text.data, frames);
    buf_free(&text);
    buf_free(out);
}

/* Gives the bytes, which are fine, and says what comes back. */
static inline void exchange_frames(struct fixture *f, struct buf *bytes, const char *frames) {
    struct buf out = BUF_EMPTY;
    struct status status = give_raw(f, bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_frames(&out, frames);
}

/* The client's preface, and the session's, are out of the way. */
static inline void greet_client(struct fixture *f) {
    struct buf bytes = BUF_EMPTY;
    append_preface(&bytes);
    exchange_frames(f, &bytes, "S W0:16711681 S+");
}

/* DATA of that many bytes, in one frame. */
static inline void append_data(struct buf *out, uint32_t stream, size_t size, unsigned flags) {
    static const char zeros[HTTP_H2_FRAME_MAX];
    assert_true(size <= sizeof zeros);
    append_frame(out, H2_FRAME_DATA, flags, stream, (struct slice){zeros, size});
}

/* A request to /echo, whose answer has as many bytes as its body. */
static inline void append_echo(struct buf *out, uint32_t stream, size_t size) {
    append_request(out, stream, "/echo", 0);
    append_data(out, stream, size, H2_FLAG_END_STREAM);
}

/* The client sends these bytes behind its preface; the connection must end with that error. */
static inline void expect_goaway(struct fixture *f, struct buf *bytes, enum h2_error error) {
    struct buf all = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&all);
    buf_append_slice(&all, buf_slice(bytes));
    buf_free(bytes);
    struct status status = give_raw(f, &all, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), error);
    assert_true(finished(f));
    buf_free(&out);
}

static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
