/* h2_place.c: large bodies are received to where they are to lie, and not copied there. What stands between their
 * pieces is guessed: frames of DATA follow each other as they did, and are as long. Heads that were guessed right are
 * taken with the data behind them; from the first one on that was not, all is copied out of the bodies again, and read
 * as it would have been. */
#include "http/h2_priv.h"

enum {
    GUESSED_MAX = SESSION_PLACES_MAX / 2 - 1, /* frames of which places are told */
    FRAMES_MAX = 8, /* frames so many times shorter than what is placed at all are not worth it */
    SKIPS_MAX = 8,  /* streams whose body is complete that are looked behind */
    MISSES_MAX = 4  /* wrong guesses more than right ones, and streams, after which there are no more */
};

static size_t lesser(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ---- places ---- */

static bool has_room(struct h2_session *h2, struct h2_stream *stream) {
    if (stream->place.round != h2->place_round) {
        stream->place.round = h2->place_round;
        stream->place.room = 0;
        stream->place.to = exchange_place(&stream->exchange, &stream->place.room);
    }
    return stream->place.room > 0;
}

/* The stream whose DATA is expected behind that of this one. */
static struct h2_stream *follower_of(struct h2_session *h2, const struct h2_stream *stream) {
    for (int i = 0; i < SKIPS_MAX; i++) {
        struct h2_stream *next = h2_stream_find(h2, stream->follower);
        if (!next || has_room(h2, next))
            return next;
        stream = next;
    }
    return NULL;
}

static void add(struct session_places *places, void *data, size_t size) {
    places->parts[places->count++] = (struct iovec){data, size};
    places->bytes += size;
}

static void add_data(struct h2_stream *stream, size_t size, struct session_places *places) {
    size = lesser(lesser(size, stream->place.room), SESSION_PLACES_BYTES - places->bytes);
    add(places, stream->place.to, size);
    stream->place.to += size;
    stream->place.room -= size;
}

/* Places for frames behind that of `stream`. False when it cannot be told what comes behind them. */
static bool add_frames(struct h2_session *h2, struct h2_stream *stream, struct session_places *places) {
    for (size_t i = 0; i < GUESSED_MAX && places->bytes + H2_FRAME_HEAD_SIZE < SESSION_PLACES_BYTES; i++) {
        stream = follower_of(h2, stream);
        if (!stream || stream->frame_length <= h2->limits->min_placed_bytes / FRAMES_MAX)
            return false;
        places->between[i].note = stream->id;
        add(places, places->between[i].bytes, H2_FRAME_HEAD_SIZE);
        add_data(stream, stream->frame_length, places);
    }
    return true;
}

void h2_places(struct h2_session *h2, struct session_places *places) {
    const struct h2_reader *reader = &h2->reader;
    bool inside = reader->state == H2_READ_DATA;
    bool behind = reader->state == H2_READ_HEAD && reader->frame.type == H2_FRAME_DATA && reader->pending.size == 0;
    if (!reader->stream || (!inside && !behind) || h2->misses >= MISSES_MAX || h2_session_is_over(h2))
        return;
    h2->place_round++;
    if (inside && (reader->padding > 0 || !has_room(h2, reader->stream)))
        return;
    if (inside)
        add_data(reader->stream, reader->left, places);
    bool to_the_end = !inside || places->bytes == reader->left; /* of the frame */
    places->ends = !to_the_end || !add_frames(h2, reader->stream, places);
    if (places->bytes < h2->limits->min_placed_bytes)
        places->count = places->bytes = 0;
}

/* ---- what came ---- */

/* Whether a head is such that the bytes behind it, of which `came` are there, are data of the stream. */
static bool is_guessed(const struct iovec *head, uint32_t stream_id, size_t came, bool last) {
    struct h2_frame frame = h2_frame_parse(head->iov_base);
    if (frame.type != H2_FRAME_DATA || frame.stream_id != stream_id || frame.flags & H2_FLAG_PADDED)
        return false;
    return last ? frame.length >= came : frame.length == head[1].iov_len;
}

/* The first parts that hold what was guessed; *n: bytes behind them. */
static size_t count_guessed(struct h2_session *h2, const struct session_places *places, size_t *n) {
    const struct session_between *between = places->between;
    size_t i = 0;
    if (h2->reader.state == H2_READ_DATA)
        *n -= lesser(*n, places->parts[i++].iov_len);
    for (; i < places->count && *n >= H2_FRAME_HEAD_SIZE; i += 2, between++) {
        size_t came = lesser(*n - H2_FRAME_HEAD_SIZE, places->parts[i + 1].iov_len);
        if (!is_guessed(&places->parts[i], between->note, came, i + 2 == places->count)) {
            h2->misses++;
            return i;
        }
        *n -= H2_FRAME_HEAD_SIZE + came;
    }
    h2->misses -= h2->misses > 0;
    return i;
}

/* Appends the first n bytes of the parts. */
static void copy_out(const struct iovec *parts, size_t n, struct buf *ret) {
    for (; n > 0; parts++) {
        size_t size = lesser(n, parts->iov_len);
        buf_append(ret, parts->iov_base, size);
        n -= size;
    }
}

/* The last n bytes, of parts from `first` on, are not what was guessed, and lie in the memory of streams all the same.
 */
static void tell_misplaced(struct h2_session *h2, const struct session_places *places, size_t first, size_t n) {
    for (size_t i = first; n > H2_FRAME_HEAD_SIZE && i + 1 < places->count; i += 2) {
        const struct iovec *data = &places->parts[i + 1];
        size_t came = lesser(n - H2_FRAME_HEAD_SIZE, data->iov_len);
        struct h2_stream *stream = h2_stream_find(h2, places->between[i / 2].note);
        if (stream)
            exchange_misplaced(&stream->exchange, (const char *)data->iov_base + came);
        n -= H2_FRAME_HEAD_SIZE + came;
    }
}

struct status h2_placed(struct h2_session *h2, const struct session_places *places, size_t n) {
    size_t rest = n;
    size_t guessed = count_guessed(h2, places, &rest);
    struct buf other = BUF_EMPTY; /* the stream may be gone, and its memory, when it is read */
    copy_out(&places->parts[guessed], rest, &other);
    tell_misplaced(h2, places, guessed, rest);
    struct status status = status_ok();
    n -= rest;
    for (size_t i = 0; i < guessed && n > 0 && status_is_ok(&status); i++) {
        size_t size = lesser(n, places->parts[i].iov_len);
        status = h2_receive(h2, (struct slice){places->parts[i].iov_base, size});
        n -= size;
    }
    if (buf_failed(&other))
        h2_session_fail(h2, H2_ERROR_INTERNAL);
    else if (status_is_ok(&status))
        status = h2_receive(h2, buf_slice(&other));
    buf_free(&other);
    return status;
}
