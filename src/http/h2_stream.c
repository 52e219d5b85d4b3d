/* h2_stream.c: one HTTP/2 request and its answer: nghttp2's callbacks on one side, struct http_exchange on the other.
 */
#include <string.h>

#include "base/clock.h"
#include "http/h2_priv.h"
#include "http/http_limits.h"

enum {
    HEADERS_FIRST = 16, /* rows of a request's header table at first */
    FRAME_HEAD_SIZE = 9,
    DATA_FRAME_MAX = 64 << 10 /* largest DATA frame sent, where the client takes it */
};

/* How long a client has, after an answer that came before the end of its request, to stop sending by itself. Some
 * clients (curl 7.88) lose the answer when the stream is reset right behind it. */
#define STOP_SENDING_NS (HTTP_H2_STOP_SENDING_S * NS_PER_S)

static struct h2_stream *of(struct http_exchange *exchange) {
    return (struct h2_stream *)exchange;
}

/* Most callbacks are about the stream that the one before was about. */
static struct h2_stream *find_stream(struct h2_session *h2, int32_t id) {
    if (!h2->latest || h2->latest->id != id)
        h2->latest = nghttp2_session_get_stream_user_data(h2->nghttp2, id);
    return h2->latest;
}

/* ---- answers ---- */

static nghttp2_nv make_nv(struct slice name, struct slice value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.size, value.size,
                        NGHTTP2_NV_FLAG_NONE};
}

/* The exchange's memory holds them for as long as nghttp2 may look at them, which is until the stream is closed. */
static nghttp2_nv *make_trailers(struct h2_stream *stream) {
    const struct http_exchange *exchange = &stream->exchange;
    nghttp2_nv *nv = arena_calloc(exchange->arena, exchange->trailer_count, sizeof *nv);
    for (size_t i = 0; nv && i < exchange->trailer_count; i++) {
        nv[i] = make_nv(exchange->trailers[i].name, exchange->trailers[i].value);
        nv[i].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    }
    return nv;
}

/* nghttp2 asks how much DATA there is; send_data then writes it, so that it is copied once. */
static ssize_t read_data(nghttp2_session *session, int32_t stream_id, uint8_t *unused, size_t length, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
    (void)unused, (void)user;
    struct h2_stream *stream = source->ptr;
    struct http_exchange *exchange = &stream->exchange;
    size_t waiting = exchange->answer.bytes;
    if (exchange->answer_state == HTTP_ANSWER_RESET || (waiting == 0 && exchange->answer_state == HTTP_ANSWER_BEGUN)) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t n = waiting < length ? waiting : length;
    if (n > 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n < waiting || exchange->answer_state != HTTP_ANSWER_ENDED)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (exchange->trailer_count > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_nv *nv = make_trailers(stream);
        if (!nv || nghttp2_submit_trailer(session, stream_id, nv, exchange->trailer_count))
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
                     nghttp2_data_source *source, void *user) {
    (void)session, (void)frame;
    struct h2_session *h2 = user;
    struct h2_stream *stream = source->ptr;
    buf_append(h2->sink, head, FRAME_HEAD_SIZE);
    exchange_move_answer(&stream->exchange, h2->sink, length);
    stream->activity_ns = h2->now_ns;
    h2->drain_due |= exchange_drain_is_due(&stream->exchange);
    if (buf_failed(h2->sink))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return h2->sink->size >= h2->sink_target ? NGHTTP2_ERR_PAUSE : 0;
}

static ssize_t data_length(nghttp2_session *session, uint8_t frame_type, int32_t stream_id, int32_t session_window,
                           int32_t stream_window, uint32_t max_frame_size, void *user) {
    (void)session, (void)frame_type, (void)stream_id, (void)user;
    int32_t length = session_window < stream_window ? session_window : stream_window;
    if (max_frame_size < (uint32_t)length)
        length = (int32_t)max_frame_size;
    return length < DATA_FRAME_MAX ? length : DATA_FRAME_MAX;
}

static bool send_head(struct http_exchange *exchange, const struct http_answer_head *head) {
    struct h2_stream *stream = of(exchange);
    struct h2_session *h2 = stream->h2;
    enum { OWN_FIELDS = 3 };
    nghttp2_nv *nv = arena_calloc(exchange->arena, head->header_count + OWN_FIELDS, sizeof *nv);
    struct slice status = arena_u64(exchange->arena, (uint64_t)head->status);
    if (!nv || !status.data)
        return false;
    size_t count = 0;
    nv[count++] = make_nv(SLICE_LITERAL(":status"), status);
    nv[count++] = make_nv(SLICE_LITERAL("date"), http_date_now(&h2->date));
    for (size_t i = 0; i < head->header_count; i++)
        nv[count++] = make_nv(head->headers[i].name, head->headers[i].value);
    if (head->content_length > 0) { /* an empty answer is told by the end of the stream */
        struct slice length = arena_u64(exchange->arena, (uint64_t)head->content_length);
        if (!length.data)
            return false;
        nv[count++] = make_nv(SLICE_LITERAL("content-length"), length);
    }
    stream->has_provider = !head->no_body && head->content_length != 0;
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_data};
    return nghttp2_submit_response(h2->nghttp2, stream->id, nv, count, stream->has_provider ? &provider : NULL) == 0;
}

/* The handler has given data, an end or a deadline, or gave up. */
static void changed(struct http_exchange *exchange) {
    struct h2_stream *stream = of(exchange);
    struct h2_session *h2 = stream->h2;
    if (exchange->answer_state == HTTP_ANSWER_RESET) {
        nghttp2_submit_rst_stream(h2->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
        return;
    }
    if (exchange->answer_state != HTTP_ANSWER_NONE)
        stream->activity_ns = h2_session_now(h2);
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(h2->nghttp2, stream->id);
    }
    h2->drain_due |= exchange_drain_is_due(exchange);
    h2_session_want_tick(h2, h2_stream_deadline(stream));
}

/* The windows of a connection are opened when bytes come, a stream's when they are taken: one that waits makes none of
 * the others wait. */
static void taken(struct http_exchange *exchange, size_t bytes) {
    struct h2_stream *stream = of(exchange);
    stream->activity_ns = h2_session_now(stream->h2); /* a client that was made to wait has not been silent */
    nghttp2_session_consume_stream(stream->h2->nghttp2, stream->id, bytes);
}

static bool turn_is_over(struct http_exchange *exchange) {
    return h2_session_turn_is_over(of(exchange)->h2);
}

static const struct exchange_ops h2_exchange_ops = {
    .send_head = send_head, .turn_is_over = turn_is_over, .taken = taken, .changed = changed};

/* ---- requests ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct h2_session *h2 = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct h2_stream *stream =
        exchange_create(&h2->pool, sizeof *stream, &h2->session, &h2_exchange_ops, h2->handler, h2->limits);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!exchange_book_head(&stream->exchange, EXCHANGE_COST)) {
        exchange_finish(&h2->pool, &stream->exchange, false);
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    }
    stream->h2 = h2;
    stream->id = frame->hd.stream_id;
    stream->activity_ns = h2->now_ns;
    stream->exchange.received_ns = h2->now_ns;
    stream->exchange.request.version = 20;
    stream->next = h2->streams;
    if (h2->streams)
        h2->streams->previous = stream;
    h2->streams = h2->latest = stream;
    nghttp2_session_set_stream_user_data(session, stream->id, stream);
    h2_session_want_tick(h2, h2_stream_deadline(stream));
    return 0;
}

/* Makes room for one more row; false when memory is short. */
static bool grow_headers(struct h2_stream *stream) {
    struct http_request *request = &stream->exchange.request;
    if (request->header_count < stream->header_capacity)
        return true;
    size_t capacity = stream->header_capacity ? stream->header_capacity * 2 : HEADERS_FIRST;
    struct http_header *grown = arena_calloc(stream->exchange.arena, capacity, sizeof *grown);
    if (!grown)
        return false;
    if (request->header_count > 0)
        memcpy(grown, request->headers, request->header_count * sizeof *grown);
    request->headers = grown;
    stream->header_capacity = capacity;
    return true;
}

/* Makes name and value slices of one piece of arena memory. */
static bool copy_field(struct arena *arena, struct slice *name, struct slice *value) {
    char *copy = arena_alloc(arena, name->size + value->size);
    if (!copy)
        return false;
    memcpy(copy, name->data, name->size);
    if (value->size > 0)
        memcpy(copy + name->size, value->data, value->size);
    *name = (struct slice){copy, name->size};
    *value = (struct slice){copy + name->size, value->size};
    return true;
}

static void store_pseudo_field(struct h2_stream *stream, struct slice name, struct slice value) {
    struct http_request *request = &stream->exchange.request;
    if (slice_equal_text(name, ":method"))
        request->method = value;
    else if (slice_equal_text(name, ":path"))
        stream->target = value;
    else if (slice_equal_text(name, ":authority"))
        request->authority = value;
}

/* nghttp2 has checked the fields (RFC 9113 section 8): each pseudo-field once, names in lower case, no hop-by-hop
 * fields. */
static bool store_field(struct h2_stream *stream, struct slice name, struct slice value) {
    struct http_request *request = &stream->exchange.request;
    uint64_t length;
    if (!copy_field(stream->exchange.arena, &name, &value))
        return false;
    if (name.data[0] == ':') {
        store_pseudo_field(stream, name, value);
        return true;
    }
    if (!grow_headers(stream))
        return false;
    request->headers[request->header_count++] = (struct http_header){name, value};
    if (slice_equal_text(name, "content-length") && slice_to_u64(value, &length) && length <= INT64_MAX)
        request->content_length = (int64_t)length;
    else if (slice_equal_text(name, "expect"))
        stream->expect_continue = slice_equal_nocase(value, SLICE_LITERAL("100-continue"));
    else if (slice_equal_text(name, "host") && request->authority.size == 0)
        request->authority = value;
    return true;
}

/* There is no room: the client may try again. */
static int refuse_stream(nghttp2_session *session, struct h2_stream *stream) {
    int32_t id = stream->id;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    h2_stream_finish(stream, false);
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags, void *user) {
    (void)flags;
    struct h2_stream *stream = find_stream(user, frame->hd.stream_id);
    if (!stream)
        return 0;
    const struct http_limits *limits = stream->exchange.limits;
    stream->head_bytes += name_size + value_size + 4; /* as much as ": " and CR LF */
    if (stream->head_bytes / HTTP_H2_HEAD_FLOOD_FACTOR > limits->max_head_bytes)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (stream->head_complete) /* trailers: counted and dropped */
        return 0;
    if (stream->head_bytes > limits->max_head_bytes ||
        stream->exchange.request.header_count >= limits->max_header_count)
        stream->head_too_large = true;
    if (stream->head_too_large)
        return 0;
    struct slice name_text = {(const char *)name, name_size}, value_text = {(const char *)value, value_size};
    if (!exchange_book_head(&stream->exchange, name_size + value_size + sizeof(struct http_header)))
        return refuse_stream(session, stream);
    return store_field(stream, name_text, value_text) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void begin_request(struct h2_stream *stream) {
    struct http_exchange *exchange = &stream->exchange;
    struct http_request *request = &exchange->request;
    if (stream->head_too_large)
        exchange_refuse_large_head(exchange, 431, "the request head is longer than the limit");
    else if (slice_equal_text(request->method, "CONNECT"))
        exchange_refuse(exchange, 501, "CONNECT is not implemented");
    else if (!http_split_target(stream->target, request))
        exchange_refuse(exchange, 400, "the request target is not a path or an http URL of visible ASCII characters");
    else if (!http_all_chars(request->authority, HTTP_CHAR_HOST))
        exchange_refuse(exchange, 400, "the Host field is not a host and port");
    else
        exchange_announce(exchange);
}

static void on_head_complete(struct h2_stream *stream, bool ended) {
    stream->head_complete = true;
    begin_request(stream);
    if (ended) {
        exchange_end_request(&stream->exchange);
        return;
    }
    if (stream->expect_continue && stream->exchange.answer_state == HTTP_ANSWER_NONE) {
        nghttp2_nv status = make_nv(SLICE_LITERAL(":status"), SLICE_LITERAL("100"));
        nghttp2_submit_headers(stream->h2->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NULL, &status, 1, NULL);
    }
    h2_session_want_tick(stream->h2, h2_stream_deadline(stream));
}

/* The answer is out, the rest of the request is not wanted (RFC 9113 section 8.1). */
static void stop_sending(struct h2_stream *stream) {
    if (!stream->stopped)
        nghttp2_submit_rst_stream(stream->h2->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    stream->stopped = true;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t size,
                         void *user) {
    (void)flags;
    struct h2_stream *stream = find_stream(user, stream_id);
    nghttp2_session_consume_connection(session, size);
    if (stream && stream->end_sent) {
        nghttp2_session_consume_stream(session, stream_id, size);
        stream->dropped += size;
        if (stream->dropped >= HTTP_H2_DROP_MAX)
            stop_sending(stream);
    } else if (stream) {
        stream->activity_ns = stream->h2->now_ns;
        exchange_add_body(&stream->exchange, (const char *)data, size);
    }
    return 0;
}

/* HEADERS (a request's or its trailers) or DATA, checked and complete. */
static void on_message_frame(struct h2_session *h2, struct h2_stream *stream, const nghttp2_frame *frame) {
    bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 && !ended)
        h2_session_count_glitch(h2);
    if (!stream)
        return;
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->head_complete)
        on_head_complete(stream, ended);
    else if (ended)
        exchange_end_request(&stream->exchange);
}

static void on_settings(struct h2_session *h2, const nghttp2_frame *frame) {
    if (frame->hd.flags & NGHTTP2_FLAG_ACK)
        return;
    if (h2->greeted)
        h2_session_count_glitch(h2);
    h2->greeted = true;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    struct h2_session *h2 = user;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        on_message_frame(h2, find_stream(h2, frame->hd.stream_id), frame);
        break;
    case NGHTTP2_SETTINGS:
        on_settings(h2, frame);
        break;
    case NGHTTP2_RST_STREAM:
        h2_session_count_glitch(h2);
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK && h2->phase == H2_NOTICED)
            h2_session_end(h2, NGHTTP2_NO_ERROR);
        break;
    default:
        break;
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user) {
    (void)session, (void)frame, (void)error;
    h2_session_count_glitch(user);
    return 0;
}

/* ---- ends ---- */

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    struct h2_session *h2 = user;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct h2_stream *stream = find_stream(h2, frame->hd.stream_id);
    if (!stream)
        return 0;
    stream->end_sent = true;
    stream->activity_ns = h2->now_ns;
    h2_session_want_tick(h2, h2_stream_deadline(stream));
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *user) {
    struct h2_session *h2 = user;
    struct h2_stream *stream = find_stream(h2, stream_id);
    /* Refused or malformed streams that nghttp2 itself has reset. */
    if (error_code == NGHTTP2_PROTOCOL_ERROR || error_code == NGHTTP2_REFUSED_STREAM)
        h2_session_count_glitch(h2);
    if (!stream)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    h2_stream_finish(stream, stream->end_sent && stream->exchange.answer_state == HTTP_ANSWER_ENDED);
    return 0;
}

void h2_stream_finish(struct h2_stream *stream, bool sent) {
    struct h2_session *h2 = stream->h2;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        h2->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    if (h2->latest == stream)
        h2->latest = NULL;
    if (!h2->streams) {
        h2->idle_since_ns = h2_session_now(h2);
        h2_session_want_tick(h2, h2->idle_since_ns + h2->limits->idle_timeout_ns);
    }
    exchange_finish(&h2->pool, &stream->exchange, sent);
}

/* ---- time-outs ---- */

static uint64_t silence_allowed(const struct h2_stream *stream, uint64_t timeout_ns) {
    bool draining = stream->h2->phase != H2_OPEN;
    return draining ? exchange_drain_timeout(stream->h2->limits, timeout_ns) : timeout_ns;
}

/* When silence of the client gets too long; 0: it is not the client who is waited for. */
static uint64_t silence_deadline(const struct h2_stream *stream) {
    const struct http_exchange *exchange = &stream->exchange;
    const struct http_limits *limits = exchange->limits;
    if (!stream->head_complete)
        return stream->activity_ns + silence_allowed(stream, limits->head_timeout_ns);
    if (stream->end_sent)
        return stream->activity_ns + STOP_SENDING_NS;
    bool expects_body = !exchange->request_ended && !exchange->idle_allowed && !exchange->awaits_turn;
    bool answer_waits = exchange->answer.bytes > 0 || exchange->answer_state == HTTP_ANSWER_ENDED;
    return expects_body || answer_waits ? stream->activity_ns + silence_allowed(stream, limits->body_timeout_ns) : 0;
}

uint64_t h2_stream_deadline(const struct h2_stream *stream) {
    uint64_t silence = silence_deadline(stream), deadline = stream->exchange.deadline_ns;
    return silence == 0 || (deadline != 0 && deadline < silence) ? deadline : silence;
}

void h2_stream_tick(struct h2_stream *stream, uint64_t now_ns) {
    struct http_exchange *exchange = &stream->exchange;
    exchange_check_deadline(exchange, now_ns);
    uint64_t silence = silence_deadline(stream);
    if (silence == 0 || now_ns < silence)
        return;
    stream->activity_ns = now_ns;
    if (!stream->head_complete)
        h2_session_end(stream->h2, NGHTTP2_ENHANCE_YOUR_CALM);
    else if (stream->end_sent)
        stop_sending(stream);
    else
        exchange_refuse(exchange, 408, "the request body did not come in time");
}

void h2_stream_set_callbacks(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, data_length);
}
