/* h2_stream.c: one HTTP/2 request and its answer: the life of a stream, and struct http_exchange on its other side. */
#include "base/clock.h"
#include "http/h2_priv.h"
#include "http/http_limits.h"

/* How long a client has, after an answer that came before the end of its request, to stop sending by itself. Some
 * clients (curl 7.88) lose the answer when the stream is reset right behind it. */
#define STOP_SENDING_NS (HTTP_H2_STOP_SENDING_S * NS_PER_S)

static struct h2_stream *of(struct http_exchange *exchange) {
    return (struct h2_stream *)exchange;
}

/* ---- the session's streams ---- */

/* The client chooses the numbers, but cannot tell which of them meet. */
static size_t bucket_of(const struct h2_session *h2, uint32_t id) {
    uint32_t mixed = (id ^ h2->bucket_secret) * UINT32_C(0x9e3779b1);
    return (mixed ^ mixed >> 15) * UINT32_C(0x85ebca77) >> (32 - H2_BUCKET_BITS);
}

struct h2_stream *h2_stream_find(const struct h2_session *h2, uint32_t id) {
    struct h2_stream *stream = h2->buckets[bucket_of(h2, id)];
    while (stream && stream->id != id)
        stream = stream->bucket_next;
    return stream;
}

static void link_stream(struct h2_session *h2, struct h2_stream *stream) {
    struct h2_stream **bucket = &h2->buckets[bucket_of(h2, stream->id)];
    stream->bucket_next = *bucket;
    *bucket = stream;
    stream->next = h2->streams;
    if (h2->streams)
        h2->streams->previous = stream;
    h2->streams = stream;
    h2->stream_count++;
}

static void unlink_stream(struct h2_session *h2, struct h2_stream *stream) {
    struct h2_stream **place = &h2->buckets[bucket_of(h2, stream->id)];
    while (*place != stream)
        place = &(*place)->bucket_next;
    *place = stream->bucket_next;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        h2->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    h2->stream_count--;
}

/* ---- answers ---- */

static bool send_head(struct http_exchange *exchange, const struct http_answer_head *head) {
    return h2_send_head(of(exchange), head);
}

/* To be reset when no handler runs any more, whether the client opens a window or not. */
static void reset_later(struct h2_stream *stream, enum h2_error error) {
    if (!stream->resetting)
        stream->reset = error;
    stream->resetting = true;
    h2_send_forget(stream); /* it may wait for the connection's window, of which a reset takes none */
    h2_send_later(stream);
}

/* The client has the time from now on to take what there was nothing of before. */
static void note_answer(struct h2_stream *stream) {
    bool waits = h2_stream_has_unsent(stream);
    if (waits && !stream->answer_waits)
        stream->answer_ns = h2_session_now(stream->h2);
    stream->answer_waits = waits;
}

/* The handler has given data, an end or a deadline, or gave up. */
static void changed(struct http_exchange *exchange) {
    struct h2_stream *stream = of(exchange);
    struct h2_session *h2 = stream->h2;
    if (stream->finished)
        return;
    if (exchange->answer_state == HTTP_ANSWER_RESET) {
        reset_later(stream, H2_ERROR_CANCEL);
        return;
    }
    if (exchange->answer_state != HTTP_ANSWER_NONE) {
        note_answer(stream);
        h2_send_later(stream);
    }
    h2->drain_due |= exchange_drain_is_due(exchange);
    h2_session_want_tick(h2, h2_stream_deadline(stream));
}

/* The windows of a connection are opened when bytes come, a stream's when they are taken: one that waits makes none of
 * the others wait. */
void h2_stream_open_window(struct h2_stream *stream, size_t bytes) {
    stream->unannounced += (uint32_t)bytes;
    if (stream->unannounced < HTTP_H2_STREAM_WINDOW / 2 || stream->exchange.request_ended)
        return;
    h2_frame_append_u32(&stream->h2->control, H2_FRAME_WINDOW_UPDATE, stream->id, stream->unannounced);
    stream->receive_window += stream->unannounced;
    stream->unannounced = 0;
    if (stream->h2->session.wake)
        stream->h2->session.wake(stream->h2->session.wake_user);
}

static void taken(struct http_exchange *exchange, size_t bytes) {
    struct h2_stream *stream = of(exchange);
    stream->activity_ns = h2_session_now(stream->h2); /* a client that was made to wait has not been silent */
    h2_stream_open_window(stream, bytes);
}

static bool turn_is_over(struct http_exchange *exchange) {
    return h2_session_turn_is_over(of(exchange)->h2);
}

static const struct exchange_ops h2_exchange_ops = {
    .send_head = send_head, .turn_is_over = turn_is_over, .taken = taken, .changed = changed};

/* ---- requests ---- */

struct h2_stream *h2_stream_create(struct h2_session *h2, uint32_t id) {
    struct h2_stream *stream =
        exchange_create(&h2->pool, sizeof *stream, &h2->session, &h2_exchange_ops, h2->handler, h2->limits);
    if (!stream)
        return NULL;
    if (!exchange_book_head(&stream->exchange, EXCHANGE_COST)) {
        exchange_finish(&h2->pool, &stream->exchange, false);
        return NULL;
    }
    stream->h2 = h2;
    stream->id = id;
    stream->send_window = h2->initial_window;
    stream->receive_window = HTTP_H2_STREAM_WINDOW;
    stream->activity_ns = h2->now_ns;
    stream->exchange.received_ns = h2->head_since_ns;
    stream->exchange.request.version = 20;
    link_stream(h2, stream);
    h2->misses -= h2->misses > 0;
    return stream;
}

void h2_stream_begin(struct h2_stream *stream, struct slice target, bool head_too_large) {
    struct http_exchange *exchange = &stream->exchange;
    struct http_request *request = &exchange->request;
    if (head_too_large)
        exchange_refuse_large_head(exchange, 431, "the request head is longer than the limit");
    else if (slice_equal_text(request->method, "CONNECT"))
        exchange_refuse(exchange, 501, "CONNECT is not implemented");
    else if (!http_split_target(target, request))
        exchange_refuse(exchange, 400, "the request target is not a path or an http URL of visible ASCII characters");
    else if (!http_all_chars(request->authority, HTTP_CHAR_HOST))
        exchange_refuse(exchange, 400, "the Host field is not a host and port");
    else
        exchange_announce(exchange);
}

/* The answer is out; what comes of the request is of no use (RFC 9113 section 8.1). */
static void drop_data(struct h2_stream *stream, size_t bytes) {
    h2_stream_open_window(stream, bytes);
    stream->dropped += bytes;
    if (stream->dropped >= HTTP_H2_DROP_MAX)
        h2_stream_reset(stream, H2_ERROR_NONE);
}

void h2_stream_take_data(struct h2_stream *stream, struct slice data) {
    int64_t told = stream->exchange.request.content_length;
    stream->body_bytes += data.size;
    if (told >= 0 && stream->body_bytes > (uint64_t)told) {
        h2_stream_reset(stream, H2_ERROR_PROTOCOL);
    } else if (stream->end_sent) {
        drop_data(stream, data.size);
    } else {
        stream->activity_ns = stream->h2->now_ns;
        exchange_add_body(&stream->exchange, data.data, data.size);
    }
}

void h2_stream_end_request(struct h2_stream *stream) {
    int64_t told = stream->exchange.request.content_length;
    if (told >= 0 && stream->body_bytes != (uint64_t)told) {
        h2_stream_reset(stream, H2_ERROR_PROTOCOL);
        return;
    }
    exchange_end_request(&stream->exchange);
    if (stream->end_sent)
        h2_send_later(stream); /* there is nothing to wait for any more */
}

/* ---- ends ---- */

bool h2_stream_is_answered(const struct h2_stream *stream) {
    return stream->end_sent && stream->exchange.answer_state == HTTP_ANSWER_ENDED;
}

void h2_stream_reset(struct h2_stream *stream, enum h2_error error) {
    struct h2_session *h2 = stream->h2;
    h2_frame_append_u32(&h2->control, H2_FRAME_RST_STREAM, stream->id, error);
    h2_stream_finish(stream, h2_stream_is_answered(stream));
    /* Resets that the client makes us do. */
    if (error == H2_ERROR_REFUSED_STREAM)
        h2_session_count_refusal(h2);
    else if (error != H2_ERROR_NONE && error != H2_ERROR_CANCEL)
        h2_session_count_glitch(h2);
}

void h2_stream_finish(struct h2_stream *stream, bool sent) {
    struct h2_session *h2 = stream->h2;
    unlink_stream(h2, stream);
    h2_send_forget(stream);
    if (h2->reader.stream == stream)
        h2->reader.stream = NULL;
    stream->finished = true;
    if (!h2->streams) {
        h2->idle_since_ns = h2_session_now(h2);
        h2_session_want_tick(h2, h2->idle_since_ns + h2->limits->idle_timeout_ns);
    }
    exchange_finish(&h2->pool, &stream->exchange, sent);
}

/* ---- time-outs ---- */

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* When silence of the client gets too long; 0: it is not the client who is waited for. */
static uint64_t silence_deadline(const struct h2_stream *stream) {
    const struct http_exchange *exchange = &stream->exchange;
    if (stream->end_sent) /* with all of the request there, it is a handler that goes on behind an answer to HEAD */
        return exchange->request_ended ? 0 : stream->activity_ns + STOP_SENDING_NS;
    bool expects_body = !exchange->request_ended && !exchange->idle_allowed && !exchange->awaits_turn;
    uint64_t timeout_ns = exchange->limits->body_timeout_ns, body = 0, answer = 0;
    if (expects_body)
        body = h2_session_silence_end(stream->h2, stream->activity_ns, timeout_ns);
    if (stream->answer_waits) /* behind the answers of others it is not the client that makes it wait */
        answer = h2_session_silence_end(stream->h2, later(stream->answer_ns, stream->queue ? stream->h2->sent_ns : 0),
                                        timeout_ns);
    return clock_earlier(body, answer);
}

uint64_t h2_stream_deadline(const struct h2_stream *stream) {
    return clock_earlier(silence_deadline(stream), stream->exchange.deadline_ns);
}

void h2_stream_tick(struct h2_stream *stream, uint64_t now_ns) {
    struct http_exchange *exchange = &stream->exchange;
    exchange_check_deadline(exchange, now_ns);
    uint64_t silence = silence_deadline(stream);
    if (silence == 0 || now_ns < silence)
        return;
    stream->activity_ns = stream->answer_ns = now_ns;
    if (stream->end_sent)
        reset_later(stream, H2_ERROR_NONE);
    else
        exchange_refuse(exchange, 408, "the request body did not come in time");
}
