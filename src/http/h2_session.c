/* h2_session.c: HTTP/2 on one connection as a struct session: its beginning, floods, time-outs and ends. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/h2_priv.h"
#include "http/http_limits.h"

enum { AWAITED_STREAMS_MAX = 16 };

/* How long the answer to a PING is waited for that shows that a client has seen the first GOAWAY. */
#define NOTICE_TIMEOUT_NS NS_PER_S

static struct h2_session *of(struct session *session) {
    return (struct h2_session *)session;
}

static const struct h2_session *of_const(const struct session *session) {
    return (const struct h2_session *)session;
}

uint64_t h2_session_now(struct h2_session *h2) {
    uint64_t now_ns = clock_coarse_ns();
    if (now_ns > h2->now_ns)
        h2->now_ns = now_ns;
    return h2->now_ns;
}

void h2_session_want_tick(struct h2_session *h2, uint64_t deadline_ns) {
    if (deadline_ns != 0 && (h2->deadline_ns == 0 || deadline_ns < h2->deadline_ns))
        h2->deadline_ns = deadline_ns;
}

void h2_session_end(struct h2_session *h2) {
    if (h2->phase >= H2_ENDING)
        return;
    h2->phase = H2_ENDING;
    h2_frame_append_goaway(&h2->control, h2->last_taken_id, H2_ERROR_NONE);
}

void h2_session_fail(struct h2_session *h2, enum h2_error error) {
    if (h2->phase >= H2_FAILED)
        return;
    h2->phase = H2_FAILED;
    h2_frame_append_goaway(&h2->control, h2->last_taken_id, error);
}

static void count_from_anew(struct h2_session *h2) {
    if (h2->now_ns - h2->counted_since_ns < NS_PER_S)
        return;
    h2->counted_since_ns = h2->now_ns;
    h2->glitches = h2->refusals = 0;
}

void h2_session_count_glitch(struct h2_session *h2) {
    count_from_anew(h2);
    if (++h2->glitches > h2->limits->max_resets_per_second)
        h2_session_fail(h2, H2_ERROR_ENHANCE_YOUR_CALM);
}

void h2_session_count_refusal(struct h2_session *h2) {
    count_from_anew(h2);
    if (++h2->refusals > HTTP_H2_REFUSALS_PER_SECOND + 2 * (uint64_t)h2->limits->max_concurrent_streams)
        h2_session_count_glitch(h2);
}

void h2_session_acknowledge(struct h2_session *h2, enum h2_frame_type type, struct slice payload) {
    if (++h2->acks > HTTP_H2_ACKS_MAX)
        h2_session_fail(h2, H2_ERROR_ENHANCE_YOUR_CALM);
    else
        h2_frame_append(&h2->control, type, H2_FLAG_ACK, 0, payload);
}

uint64_t h2_session_silence_end(const struct h2_session *h2, uint64_t since_ns, uint64_t timeout_ns) {
    if (h2->phase == H2_OPEN)
        return since_ns + timeout_ns;
    uint64_t begin_ns = since_ns > h2->noticed_ns ? since_ns : h2->noticed_ns;
    uint64_t usual = since_ns + timeout_ns, shorter = begin_ns + exchange_drain_timeout(h2->limits, timeout_ns);
    return usual < shorter ? usual : shorter;
}

bool h2_session_turn_is_over(struct h2_session *h2) {
    if (!h2->turn_wanted && h2_session_now(h2) - h2->turn_ns <= h2->limits->turn_ns)
        return false;
    h2->turn_wanted = true;
    h2_session_want_tick(h2, h2->now_ns);
    return true;
}

static struct h2_stream *oldest_stream(const struct h2_session *h2) {
    struct h2_stream *stream = h2->streams;
    while (stream && stream->next)
        stream = stream->next;
    return stream;
}

/* Goes on with the requests that wait, the oldest first. */
static void take_turn(struct h2_session *h2) {
    h2->turn_wanted = false;
    h2->now_ns = h2->turn_ns = clock_monotonic_ns();
    bool any = false;
    for (struct h2_stream *stream = oldest_stream(h2); stream; stream = stream->previous) {
        if (!stream->exchange.awaits_turn)
            continue;
        if (any && h2_session_turn_is_over(h2))
            return;
        exchange_take_turn(&stream->exchange);
        any = true;
    }
}

static void abort_streams(struct h2_session *h2) {
    h2->phase = H2_GONE;
    while (h2->streams)
        h2_stream_finish(h2->streams, false);
}

static struct status h2_input(struct session *session, const char *data, size_t n) {
    struct h2_session *h2 = of(session);
    if (h2_session_is_over(h2))
        return status_ok();
    h2->now_ns = h2->turn_ns = clock_monotonic_ns();
    return h2_receive(h2, (struct slice){data, n});
}

/* Where handlers are free to do anything. True when one was called. */
static bool drain_streams(struct h2_session *h2) {
    bool any = false;
    if (!h2->drain_due)
        return false;
    h2->drain_due = false;
    for (struct h2_stream *stream = h2->streams; stream; stream = stream->next) {
        if (exchange_drain_is_due(&stream->exchange)) {
            exchange_drain(&stream->exchange);
            any = true;
        }
    }
    return any;
}

static struct status h2_output(struct session *session, struct output *out, size_t target) {
    struct h2_session *h2 = of(session);
    if (h2->phase == H2_GONE)
        return status_ok();
    (void)h2_session_now(h2);
    do
        h2_send(h2, out, target);
    while (drain_streams(h2));
    if (buf_failed(&out->copied))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an answer");
    return status_ok();
}

/* Flow control and the limit on streams bound what may come, but not the frames that answer to it. */
static bool h2_wants_input(const struct session *session) {
    return of_const(session)->control.size < HTTP_H2_CONTROL_PAUSE;
}

/* A client of HTTP/2 cannot get on without its sending side, not even to open windows: it is gone in either case. */
static void h2_input_closed(struct session *session, bool gone) {
    (void)gone;
    abort_streams(of(session));
}

/* What the client has to send before anything can be done for the stream: its body, as far as the windows go. SIZE_MAX:
 * nothing, unless it changes its mind. 0: any byte may be what opens the window for the answer. */
static size_t stream_awaits(const struct h2_session *h2, const struct h2_stream *stream) {
    const struct http_exchange *exchange = &stream->exchange;
    int64_t answer = (int64_t)exchange->answer.bytes;
    if (answer > stream->send_window || answer > h2->send_window)
        return 0;
    if (exchange->request_ended)
        return SIZE_MAX;
    int64_t window = stream->receive_window < h2->receive_window ? stream->receive_window : h2->receive_window;
    size_t awaited = exchange_awaited(exchange), room = window > 0 ? (size_t)window : 0;
    return awaited < room ? awaited : room;
}

/* All that comes may be for the stream that awaits the least. Of few streams, as this is asked often. */
static size_t h2_awaited(const struct session *session) {
    const struct h2_session *h2 = of_const(session);
    size_t least = h2->stream_count <= AWAITED_STREAMS_MAX ? SIZE_MAX : 0;
    for (const struct h2_stream *stream = h2->streams; stream && least > 0; stream = stream->next) {
        size_t awaited = stream_awaits(h2, stream);
        least = awaited < least ? awaited : least;
    }
    return least < SIZE_MAX ? least : 0;
}

static void h2_tell_places(struct session *session, struct session_places *places) {
    h2_places(of(session), places);
}

static struct status h2_take_placed(struct session *session, const struct session_places *places, size_t n) {
    struct h2_session *h2 = of(session);
    h2->now_ns = h2->turn_ns = clock_monotonic_ns();
    return h2_placed(h2, places, n);
}

static bool h2_finished(const struct session *session) {
    const struct h2_session *h2 = of_const(session);
    bool ending = h2->phase == H2_ENDING || h2->client_ends;
    bool ended = ending && !h2->streams && h2->head_since_ns == 0;
    return h2->phase == H2_GONE || ((ended || h2->phase == H2_FAILED) && h2->control.size == 0);
}

/* Lets those know who wait for more of a client. */
static void announce_end(struct h2_session *h2) {
    for (struct h2_stream *stream = h2->streams, *next; stream; stream = next) {
        next = stream->next;
        exchange_shutdown(&stream->exchange);
    }
}

static void h2_shutdown(struct session *session) {
    struct h2_session *h2 = of(session);
    if (h2->phase != H2_OPEN)
        return;
    h2->noticed_ns = clock_monotonic_ns();
    h2_session_want_tick(h2, h2->noticed_ns); /* silent clients have less time from now on */
    if (!h2->greeted) {
        h2_session_end(h2);
        return;
    }
    h2->phase = H2_NOTICED;
    announce_end(h2);
    h2_session_want_tick(h2, h2->noticed_ns + NOTICE_TIMEOUT_NS);
    /* In one piece, and in this order: behind a GOAWAY nghttp2 answers no PING, and Python's h2 takes it for an error.
     */
    h2_frame_append(&h2->control, H2_FRAME_PING, 0, 0, SLICE_LITERAL("goodbye!"));
    h2_frame_append_goaway(&h2->control, H2_STREAM_ID_MAX, H2_ERROR_NONE);
}

static uint64_t h2_deadline(const struct session *session) {
    const struct h2_session *h2 = of_const(session);
    return h2_session_is_over(h2) ? 0 : h2->deadline_ns;
}

/* Time-outs of the connection itself: when each is due; 0: not at all. tick_connection() has what they end in. */
static uint64_t greeting_deadline(const struct h2_session *h2) {
    return h2->greeted ? 0 : h2->idle_since_ns + h2->limits->head_timeout_ns;
}

uint64_t h2_session_head_deadline(const struct h2_session *h2) {
    return h2->head_since_ns == 0 ? 0 : h2_session_silence_end(h2, h2->head_since_ns, h2->limits->head_timeout_ns);
}

static uint64_t idle_deadline(const struct h2_session *h2) {
    bool idle = h2->phase == H2_OPEN && !h2->streams && h2->head_since_ns == 0;
    return idle ? h2->idle_since_ns + h2->limits->idle_timeout_ns : 0;
}

static uint64_t notice_deadline(const struct h2_session *h2) {
    return h2->phase == H2_NOTICED ? h2->noticed_ns + NOTICE_TIMEOUT_NS : 0;
}

static bool is_due(uint64_t deadline_ns, uint64_t now_ns) {
    return deadline_ns != 0 && now_ns >= deadline_ns;
}

static void tick_connection(struct h2_session *h2) {
    if (is_due(greeting_deadline(h2), h2->now_ns))
        h2_session_fail(h2, H2_ERROR_SETTINGS_TIMEOUT);
    if (is_due(h2_session_head_deadline(h2), h2->now_ns))
        h2_session_fail(h2, H2_ERROR_ENHANCE_YOUR_CALM);
    if (is_due(idle_deadline(h2), h2->now_ns))
        h2_shutdown(&h2->session);
    if (is_due(notice_deadline(h2), h2->now_ns))
        h2_session_end(h2);
}

static struct status h2_tick(struct session *session, uint64_t now_ns) {
    struct h2_session *h2 = of(session);
    h2->now_ns = now_ns;
    if (h2_session_is_over(h2))
        return status_ok();
    h2->deadline_ns = 0;
    if (h2->turn_wanted)
        take_turn(h2);
    for (struct h2_stream *stream = h2->streams; stream; stream = stream->next) {
        h2_stream_tick(stream, now_ns);
        h2_session_want_tick(h2, h2_stream_deadline(stream));
    }
    tick_connection(h2);
    h2_session_want_tick(h2, greeting_deadline(h2));
    h2_session_want_tick(h2, h2_session_head_deadline(h2));
    h2_session_want_tick(h2, idle_deadline(h2));
    h2_session_want_tick(h2, notice_deadline(h2));
    return status_ok();
}

static void h2_destroy(struct session *session) {
    if (!session)
        return;
    struct h2_session *h2 = of(session);
    abort_streams(h2);
    http_account_give(&h2->pool.account, h2->booked);
    hpack_decoder_free(&h2->decoder);
    hpack_encoder_free(&h2->encoder);
    buf_free(&h2->reader.pending);
    buf_free(&h2->block.bytes);
    buf_free(&h2->control);
    free(h2->known_head);
    exchange_pool_free(&h2->pool);
    free(h2);
}

static const struct session_ops h2_ops = {
    .input = h2_input,
    .output = h2_output,
    .wants_input = h2_wants_input,
    .awaited = h2_awaited,
    .places = h2_tell_places,
    .placed = h2_take_placed,
    .input_closed = h2_input_closed,
    .finished = h2_finished,
    .shutdown = h2_shutdown,
    .deadline = h2_deadline,
    .tick = h2_tick,
    .destroy = h2_destroy,
};

static void put_setting(struct buf *payload, enum h2_setting id, size_t value) {
    char row[H2_SETTING_SIZE] = {0, (char)id};
    h2_put_u32(row + 2, value < UINT32_MAX ? (uint32_t)value : UINT32_MAX);
    buf_append(payload, row, sizeof row);
}

/* The server's preface: what it takes, before it is asked anything. */
static void greet(struct h2_session *h2) {
    struct buf settings = BUF_EMPTY;
    put_setting(&settings, H2_SETTING_MAX_CONCURRENT_STREAMS, h2->limits->max_concurrent_streams);
    put_setting(&settings, H2_SETTING_INITIAL_WINDOW_SIZE, HTTP_H2_STREAM_WINDOW);
    put_setting(&settings, H2_SETTING_MAX_FRAME_SIZE, HTTP_H2_FRAME_MAX);
    put_setting(&settings, H2_SETTING_MAX_HEADER_LIST_SIZE, h2->limits->max_head_bytes);
    put_setting(&settings, H2_SETTING_NO_RFC7540_PRIORITIES, 1);
    h2_frame_append(&h2->control, H2_FRAME_SETTINGS, 0, 0, buf_slice(&settings));
    h2->control.failed |= buf_failed(&settings);
    buf_free(&settings);
    h2_frame_append_u32(&h2->control, H2_FRAME_WINDOW_UPDATE, 0, HTTP_H2_CONNECTION_WINDOW - H2_WINDOW_DEFAULT);
}

struct status h2_session_create(const struct http_handler *handler, const struct http_limits *limits,
                                struct session **ret) {
    struct h2_session *h2 = calloc(1, sizeof *h2);
    if (!h2)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a connection");
    h2->session.ops = &h2_ops;
    h2->handler = handler;
    h2->limits = limits;
    h2->reader.left = H2_PREFACE_SIZE;
    h2->send_window = h2->initial_window = H2_WINDOW_DEFAULT;
    h2->receive_window = HTTP_H2_CONNECTION_WINDOW;
    h2->frame_size = H2_FRAME_SIZE_DEFAULT;
    hpack_decoder_init(&h2->decoder);
    hpack_encoder_init(&h2->encoder);
    exchange_pool_init(&h2->pool, limits);
    h2->now_ns = clock_monotonic_ns();
    h2->idle_since_ns = h2->now_ns;
    if (getentropy(&h2->bucket_secret, sizeof h2->bucket_secret))
        h2->bucket_secret = (uint32_t)h2->now_ns;
    h2_session_want_tick(h2, greeting_deadline(h2));
    h2_session_want_tick(h2, idle_deadline(h2));
    greet(h2);
    if (buf_failed(&h2->control)) {
        h2_destroy(&h2->session);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a connection");
    }
    *ret = &h2->session;
    return status_ok();
}
