/* h2_session.c: HTTP/2 on one connection: a struct session over nghttp2. Streams are in h2_stream.c. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/h2_priv.h"
#include "http/http_limits.h"

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

/* The final GOAWAY. With an error, nghttp2 closes the connection after it, also when one without has been given before,
 * by which it is closed when the open streams are answered. */
void h2_session_end(struct h2_session *h2, uint32_t error_code) {
    if (h2->phase == H2_GONE || (h2->phase == H2_ENDING && error_code == NGHTTP2_NO_ERROR))
        return;
    h2->phase = H2_ENDING;
    if (error_code == NGHTTP2_NO_ERROR)
        nghttp2_submit_goaway(h2->nghttp2, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->nghttp2),
                              NGHTTP2_NO_ERROR, NULL, 0);
    else
        nghttp2_session_terminate_session(h2->nghttp2, error_code);
}

void h2_session_count_glitch(struct h2_session *h2) {
    if (h2->now_ns - h2->glitch_window_ns >= NS_PER_S) {
        h2->glitch_window_ns = h2->now_ns;
        h2->glitches = 0;
    }
    if (++h2->glitches > h2->limits->max_resets_per_second && h2->phase != H2_GONE) {
        nghttp2_session_terminate_session(h2->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM);
        h2->phase = H2_ENDING;
    }
}

bool h2_session_turn_is_over(struct h2_session *h2) {
    if (!h2->turn_wanted && h2_session_now(h2) - h2->turn_ns <= EXCHANGE_TURN_NS)
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
    while (h2->streams) {
        struct h2_stream *stream = h2->streams;
        nghttp2_session_set_stream_user_data(h2->nghttp2, stream->id, NULL);
        h2_stream_finish(stream, false);
    }
}

static struct status h2_input(struct session *session, const char *data, size_t n) {
    struct h2_session *h2 = of(session);
    if (h2->phase == H2_GONE)
        return status_ok();
    h2->now_ns = h2->turn_ns = clock_monotonic_ns();
    ssize_t taken = nghttp2_session_mem_recv(h2->nghttp2, (const uint8_t *)data, n);
    if (taken < 0)
        return status_error(STATUS_INVALID_ARGUMENT, "HTTP/2: %s", nghttp2_strerror((int)taken));
    return status_ok();
}

/* Outside of nghttp2's callbacks, where handlers are free to do anything. True when one was called. */
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

static struct status h2_output(struct session *session, struct buf *out, size_t target) {
    struct h2_session *h2 = of(session);
    if (h2->phase == H2_GONE)
        return status_ok();
    (void)h2_session_now(h2);
    h2->sink = out;
    h2->sink_target = target;
    ssize_t n;
    do {
        const uint8_t *data;
        n = 0;
        while (out->size < target && (n = nghttp2_session_mem_send(h2->nghttp2, &data)) > 0)
            buf_append(out, data, (size_t)n);
    } while (n >= 0 && drain_streams(h2));
    h2->sink = NULL;
    if (n < 0)
        return status_error(STATUS_INTERNAL, "HTTP/2: %s", nghttp2_strerror((int)n));
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an answer");
    return status_ok();
}

static bool h2_wants_input(const struct session *session) {
    (void)session;
    return true; /* flow control and the limit on streams bound what may come */
}

/* A client of HTTP/2 cannot get on without its sending side, not even to open windows: it is gone in either case. */
static void h2_input_closed(struct session *session, bool gone) {
    (void)gone;
    abort_streams(of(session));
}

static bool h2_finished(const struct session *session) {
    const struct h2_session *h2 = of_const(session);
    if (h2->phase == H2_GONE)
        return true;
    return !nghttp2_session_want_read(h2->nghttp2) && !nghttp2_session_want_write(h2->nghttp2);
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
    h2_session_want_tick(h2, clock_monotonic_ns()); /* clients that are silent already have less time from now on */
    if (!h2->greeted) {
        h2_session_end(h2, NGHTTP2_NO_ERROR);
        return;
    }
    h2->phase = H2_NOTICED;
    announce_end(h2);
    h2->noticed_ns = clock_monotonic_ns();
    h2_session_want_tick(h2, h2->noticed_ns + NOTICE_TIMEOUT_NS);
    nghttp2_submit_shutdown_notice(h2->nghttp2);
    nghttp2_submit_ping(h2->nghttp2, NGHTTP2_FLAG_NONE, (const uint8_t *)"goodbye!");
}

static uint64_t h2_deadline(const struct session *session) {
    const struct h2_session *h2 = of_const(session);
    return h2->phase == H2_GONE ? 0 : h2->deadline_ns;
}

static void tick_connection(struct h2_session *h2) {
    uint64_t now = h2->now_ns;
    if (!h2->greeted && now >= h2->idle_since_ns + h2->limits->head_timeout_ns)
        h2_session_end(h2, NGHTTP2_SETTINGS_TIMEOUT);
    if (h2->phase == H2_OPEN && !h2->streams && now >= h2->idle_since_ns + h2->limits->idle_timeout_ns)
        h2_shutdown(&h2->session);
    if (h2->phase == H2_NOTICED && now >= h2->noticed_ns + NOTICE_TIMEOUT_NS)
        h2_session_end(h2, NGHTTP2_NO_ERROR);
}

static struct status h2_tick(struct session *session, uint64_t now_ns) {
    struct h2_session *h2 = of(session);
    h2->now_ns = now_ns;
    if (h2->phase == H2_GONE)
        return status_ok();
    h2->deadline_ns = 0;
    if (h2->turn_wanted)
        take_turn(h2);
    for (struct h2_stream *stream = h2->streams; stream; stream = stream->next) {
        h2_stream_tick(stream, now_ns);
        h2_session_want_tick(h2, h2_stream_deadline(stream));
    }
    tick_connection(h2);
    if (h2->phase == H2_OPEN && !h2->greeted)
        h2_session_want_tick(h2, h2->idle_since_ns + h2->limits->head_timeout_ns);
    if (h2->phase == H2_OPEN && !h2->streams)
        h2_session_want_tick(h2, h2->idle_since_ns + h2->limits->idle_timeout_ns);
    if (h2->phase == H2_NOTICED)
        h2_session_want_tick(h2, h2->noticed_ns + NOTICE_TIMEOUT_NS);
    return status_ok();
}

static void h2_destroy(struct session *session) {
    if (!session)
        return;
    struct h2_session *h2 = of(session);
    if (h2->nghttp2)
        abort_streams(h2);
    nghttp2_session_del(h2->nghttp2);
    exchange_pool_free(&h2->pool);
    free(h2);
}

static const struct session_ops h2_ops = {
    .input = h2_input,
    .output = h2_output,
    .wants_input = h2_wants_input,
    .input_closed = h2_input_closed,
    .finished = h2_finished,
    .shutdown = h2_shutdown,
    .deadline = h2_deadline,
    .tick = h2_tick,
    .destroy = h2_destroy,
};

static int create_nghttp2(struct h2_session *h2) {
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int error = nghttp2_session_callbacks_new(&callbacks);
    if (!error)
        error = nghttp2_option_new(&option);
    if (!error) {
        h2_stream_set_callbacks(callbacks);
        /* Our own count covers more kinds of frames; nghttp2's would cut off clients that cancel a lot but slowly. */
        uint64_t resets = h2->limits->max_resets_per_second;
        nghttp2_option_set_stream_reset_rate_limit(option, 2 * resets, resets);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_no_auto_window_update(option, 1);
        error = nghttp2_session_server_new2(&h2->nghttp2, callbacks, h2, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return error;
}

static int submit_settings(struct h2_session *h2) {
    size_t head = h2->limits->max_head_bytes;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2->limits->max_concurrent_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, HTTP_H2_FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head < UINT32_MAX ? (uint32_t)head : UINT32_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int error = nghttp2_submit_settings(h2->nghttp2, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]);
    if (!error)
        error = nghttp2_session_set_local_window_size(h2->nghttp2, NGHTTP2_FLAG_NONE, 0, HTTP_H2_CONNECTION_WINDOW);
    return error;
}

struct status h2_session_create(const struct http_handler *handler, const struct http_limits *limits,
                                struct session **ret) {
    struct h2_session *h2 = calloc(1, sizeof *h2);
    if (!h2)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a connection");
    h2->session.ops = &h2_ops;
    h2->handler = handler;
    h2->limits = limits;
    exchange_pool_init(&h2->pool, limits);
    h2->now_ns = clock_monotonic_ns();
    h2->idle_since_ns = h2->now_ns;
    h2_session_want_tick(h2, h2->idle_since_ns + limits->head_timeout_ns);
    h2_session_want_tick(h2, h2->idle_since_ns + limits->idle_timeout_ns);
    int error = create_nghttp2(h2);
    if (!error)
        error = submit_settings(h2);
    if (error) {
        h2_destroy(&h2->session);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "HTTP/2: %s", nghttp2_strerror(error));
    }
    *ret = &h2->session;
    return status_ok();
}
