/* h2_send.c: answers as frames. Frames of `control` go first, then DATA, one answer after the other (RFC 9218 section
 * 10), but none for longer than its turn. Blocks of fields are compressed in the order in which they are sent: heads
 * into `control`, trailers into the output, when `control` is empty. */
#include "http/h2_priv.h"
#include "http/http_limits.h"

enum {
    DATA_FRAME_MAX = 64 << 10, /* largest DATA frame sent, where the client takes it */
    CONTROL_KEPT = 4 << 10     /* bytes of memory that are kept for the next frames */
};

/* ---- queues ---- */

static void push(struct h2_queue *queue, struct h2_stream *stream) {
    stream->queue = queue;
    stream->queue_next = NULL;
    stream->queue_previous = queue->last;
    *(queue->last ? &queue->last->queue_next : &queue->first) = stream;
    queue->last = stream;
}

static void push_front(struct h2_queue *queue, struct h2_stream *stream) {
    stream->queue = queue;
    stream->queue_next = queue->first;
    stream->queue_previous = NULL;
    *(queue->first ? &queue->first->queue_previous : &queue->last) = stream;
    queue->first = stream;
}

void h2_send_forget(struct h2_stream *stream) {
    struct h2_queue *queue = stream->queue;
    struct h2_stream *previous = stream->queue_previous, *next = stream->queue_next;
    if (!queue)
        return;
    *(previous ? &previous->queue_next : &queue->first) = next;
    *(next ? &next->queue_previous : &queue->last) = previous;
    stream->queue = NULL;
}

static struct h2_stream *pop(struct h2_queue *queue) {
    struct h2_stream *stream = queue->first;
    if (stream)
        h2_send_forget(stream);
    return stream;
}

void h2_send_later(struct h2_stream *stream) {
    if (!stream->queue)
        push(&stream->h2->ready, stream);
}

void h2_send_starved(struct h2_session *h2) {
    struct h2_stream *stream;
    while ((stream = pop(&h2->starved)))
        push(&h2->ready, stream);
}

/* ---- fields ---- */

/* Begins a HEADERS frame; *ret_at is what end_fields wants. */
static void begin_fields(struct h2_session *h2, struct buf *out, size_t *ret_at) {
    static const char room[H2_FRAME_HEAD_SIZE];
    *ret_at = out->size;
    buf_append(out, room, sizeof room);
    hpack_encode_begin(&h2->encoder, out);
}

/* The block is longer than a frame may be: puts the heads of CONTINUATION frames in between. */
static void split_fields(struct h2_session *h2, struct buf *out, size_t at, struct h2_frame frame) {
    struct buf block = BUF_EMPTY;
    buf_append(&block, out->data + at + H2_FRAME_HEAD_SIZE, frame.length);
    out->size = at;
    for (size_t done = 0; done < block.size;) {
        size_t n = block.size - done < h2->frame_size ? block.size - done : h2->frame_size;
        bool last = done + n == block.size;
        unsigned flags =
            (done == 0 ? frame.flags & (unsigned)H2_FLAG_END_STREAM : 0) | (last ? H2_FLAG_END_HEADERS : 0);
        h2_frame_append(out, done == 0 ? H2_FRAME_HEADERS : H2_FRAME_CONTINUATION, flags, frame.stream_id,
                        (struct slice){block.data + done, n});
        done += n;
    }
    out->failed |= buf_failed(&block);
    buf_free(&block);
}

static void end_fields(struct h2_session *h2, struct buf *out, size_t at, uint32_t stream_id, bool end_stream) {
    if (buf_failed(out))
        return;
    const struct h2_frame frame = {
        .length = (uint32_t)(out->size - at - H2_FRAME_HEAD_SIZE),
        .type = H2_FRAME_HEADERS,
        .flags = (uint8_t)(H2_FLAG_END_HEADERS | (end_stream ? H2_FLAG_END_STREAM : 0)),
        .stream_id = stream_id,
    };
    if (frame.length > h2->frame_size)
        split_fields(h2, out, at, frame);
    else
        h2_frame_write(&frame, out->data + at);
}

/* Whether the same value is likely to come again. */
static bool is_steady(struct slice name) {
    static const struct slice changing[] = {SLICE_INIT("content-length"), SLICE_INIT("grpc-message"),
                                            SLICE_INIT("endpoint-load-metrics"), SLICE_INIT("grpc-status-details-bin")};
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++)
        if (slice_equal(name, changing[i]))
            return false;
    return true;
}

static void put_field(struct h2_session *h2, struct buf *out, struct slice name, struct slice value) {
    hpack_encode(&h2->encoder, (struct hpack_field){name, value}, is_steady(name), out);
}

/* In lower case, as HTTP/2 wants it; in arena memory where it is not. {NULL, 0} when memory is short. */
static struct slice lower_name(struct arena *arena, struct slice name) {
    if (http_all_chars(name, HTTP_CHAR_FIELD))
        return name;
    char *copy = arena_strdup(arena, name);
    if (!copy)
        return (struct slice){NULL, 0};
    for (size_t i = 0; i < name.size; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    return (struct slice){copy, name.size};
}

static bool put_fields(struct h2_stream *stream, const struct http_header *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct slice name = lower_name(stream->exchange.arena, fields[i].name);
        if (name.size == 0)
            return false;
        put_field(stream->h2, &stream->h2->control, name, fields[i].value);
    }
    return true;
}

bool h2_send_head(struct h2_stream *stream, const struct http_answer_head *head) {
    struct h2_session *h2 = stream->h2;
    struct buf *out = &h2->control;
    char status[SLICE_U64_DIGITS], length[SLICE_U64_DIGITS];
    size_t at;
    if (h2_session_is_over(h2))
        return true; /* nobody will see it */
    begin_fields(h2, out, &at);
    put_field(h2, out, SLICE_LITERAL(":status"), slice_from_u64((uint64_t)head->status, status));
    put_field(h2, out, SLICE_LITERAL("date"), http_date_now(&h2->date));
    if (!put_fields(stream, head->headers, head->header_count))
        out->failed = true;       /* what is compressed already cannot be taken back */
    if (head->content_length > 0) /* an empty answer is told by the end of the stream */
        put_field(h2, out, SLICE_LITERAL("content-length"), slice_from_u64((uint64_t)head->content_length, length));
    stream->head_given = true;
    stream->end_in_head = head->no_body || head->content_length == 0;
    end_fields(h2, out, at, stream->id, stream->end_in_head);
    return !buf_failed(out);
}

void h2_send_continue(struct h2_stream *stream) {
    struct h2_session *h2 = stream->h2;
    size_t at;
    begin_fields(h2, &h2->control, &at);
    put_field(h2, &h2->control, SLICE_LITERAL(":status"), SLICE_LITERAL("100"));
    end_fields(h2, &h2->control, at, stream->id, false);
}

static void send_trailers(struct h2_stream *stream, struct buf *out) {
    const struct http_exchange *exchange = &stream->exchange;
    size_t at;
    begin_fields(stream->h2, out, &at);
    for (size_t i = 0; i < exchange->trailer_count; i++)
        put_field(stream->h2, out, exchange->trailers[i].name, exchange->trailers[i].value);
    end_fields(stream->h2, out, at, stream->id, true);
}

/* ---- DATA ---- */

/* How much of it may be sent in one frame. */
static size_t data_room(const struct h2_stream *stream) {
    const struct h2_session *h2 = stream->h2;
    int64_t room = h2->frame_size < DATA_FRAME_MAX ? h2->frame_size : DATA_FRAME_MAX;
    if (stream->send_window < room)
        room = stream->send_window;
    if (h2->send_window < room)
        room = h2->send_window;
    return room > 0 ? (size_t)room : 0;
}

static void send_data_frame(struct h2_stream *stream, size_t n, bool end_stream, struct output *out) {
    struct h2_session *h2 = stream->h2;
    const struct h2_frame frame = {.length = (uint32_t)n,
                                   .type = H2_FRAME_DATA,
                                   .flags = end_stream ? H2_FLAG_END_STREAM : 0,
                                   .stream_id = stream->id};
    char head[H2_FRAME_HEAD_SIZE];
    h2_frame_write(&frame, head);
    buf_append(&out->copied, head, sizeof head);
    http_queue_move(&stream->exchange.answer, out, n);
    stream->send_window -= (int64_t)n;
    h2->send_window -= (int64_t)n;
    stream->activity_ns = stream->answer_ns = h2->sent_ns = h2->now_ns;
    stream->answer_waits = h2_stream_has_unsent(stream);
    stream->end_sent = end_stream;
    h2->drain_due |= exchange_drain_is_due(&stream->exchange);
}

/* Behind a frame of DATA that was not the last: more of the same, unless the others' turn has come. */
static void go_on(struct h2_stream *stream, size_t sent) {
    struct h2_queue *ready = &stream->h2->ready;
    stream->turn_bytes += sent;
    if (stream->incremental || stream->turn_bytes >= HTTP_H2_TURN_BYTES) {
        stream->turn_bytes = 0;
        push(ready, stream);
    } else {
        push_front(ready, stream);
    }
}

/* False: something is left to be sent. */
static bool send_answer(struct h2_stream *stream, struct output *out) {
    struct h2_session *h2 = stream->h2;
    struct http_exchange *exchange = &stream->exchange;
    size_t waiting = exchange->answer.bytes, room = data_room(stream), n = waiting < room ? waiting : room;
    bool ended = exchange->answer_state == HTTP_ANSWER_ENDED;
    if (n < waiting) {
        if (n > 0)
            send_data_frame(stream, n, false, out);
        if (stream->send_window <= 0)
            return false; /* the client's WINDOW_UPDATE brings it back */
        if (n > 0)
            go_on(stream, n);
        else
            push(&h2->starved, stream);
        return false;
    }
    bool end_in_data = ended && exchange->trailer_count == 0;
    if (n > 0 || end_in_data)
        send_data_frame(stream, n, end_in_data, out);
    if (ended && !end_in_data) {
        send_trailers(stream, &out->copied);
        stream->end_sent = true;
    }
    return ended;
}

/* One frame of DATA at most. */
static void send_stream(struct h2_stream *stream, struct output *out) {
    struct http_exchange *exchange = &stream->exchange;
    if (stream->resetting) {
        h2_stream_reset(stream, stream->reset);
        return;
    }
    if (!stream->head_given)
        return;
    if (!stream->end_sent) {
        if (stream->end_in_head)
            stream->end_sent = true;
        else if (!send_answer(stream, out))
            return;
        stream->activity_ns = stream->h2->now_ns;
    }
    if (exchange->answer_state == HTTP_ANSWER_ENDED && exchange->request_ended)
        h2_stream_finish(stream, true);
    else
        h2_session_want_tick(stream->h2, h2_stream_deadline(stream));
}

static void flush_control(struct h2_session *h2, struct buf *out) {
    struct buf *control = &h2->control;
    if (control->size == 0 && !buf_failed(control))
        return;
    buf_append_slice(out, buf_slice(control));
    out->failed |= buf_failed(control);
    h2->acks = 0;
    if (control->capacity > CONTROL_KEPT)
        buf_free(control);
    else
        buf_clear(control);
}

void h2_send(struct h2_session *h2, struct output *out, size_t target) {
    flush_control(h2, &out->copied);
    while (!h2_session_is_over(h2) && output_room(out, target) > 0 && !buf_failed(&out->copied)) {
        struct h2_stream *stream = pop(&h2->ready);
        if (!stream)
            break;
        send_stream(stream, out);
        flush_control(h2, &out->copied);
    }
}
