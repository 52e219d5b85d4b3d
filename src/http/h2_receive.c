/* h2_receive.c: the client's bytes as frames: their order and sizes, and what those of the connection tell. What is
 * whole in the input is read where it lies; only what comes in pieces is put together. DATA is handed on as it comes.
 */
#include "http/h2_priv.h"
#include "http/http_limits.h"

enum {
    PENDING_KEPT = 1 << 10,      /* bytes of memory that are kept for the next piece */
    UNBOOKED_MAX = 4 << 10,      /* of heads that are not complete: as much as any connection costs */
    CONTROL_BYTES_MAX = 16 << 10 /* of SETTINGS and GOAWAY */
};

/* ---- pieces ---- */

/* Books what is kept of a head that is not complete. False: there is no room for it, and the connection ends. */
static bool book_pending(struct h2_session *h2, size_t more) {
    size_t bytes = h2->reader.pending.size + h2->block.bytes.size + more, wanted = bytes > UNBOOKED_MAX ? bytes : 0;
    if (wanted < h2->booked)
        http_account_give(&h2->pool.account, h2->booked - wanted);
    else if (wanted <= h2->limits->max_head_bytes) /* the request can be refused by itself, once it is whole */
        http_account_force(&h2->pool.account, wanted - h2->booked);
    else if (!http_account_take(&h2->pool.account, wanted - h2->booked))
        return false;
    h2->booked = wanted;
    return true;
}

static void keep(struct h2_session *h2, struct buf *where, struct slice piece) {
    if (book_pending(h2, piece.size))
        buf_append_slice(where, piece);
    else
        h2_session_fail(h2, H2_ERROR_ENHANCE_YOUR_CALM);
    if (buf_failed(where))
        h2_session_fail(h2, H2_ERROR_INTERNAL);
}

static void release(struct h2_session *h2, struct buf *where) {
    if (where->capacity > PENDING_KEPT)
        buf_free(where);
    else
        buf_clear(where);
    if (h2->booked > 0)
        (void)book_pending(h2, 0);
}

static struct slice take(struct slice *input, size_t n) {
    struct slice taken = {input->data, n < input->size ? n : input->size};
    input->data += taken.size;
    input->size -= taken.size;
    return taken;
}

/* The next `wanted` bytes in one piece, to be let go of by release(pending). False when they have not all come. */
static bool gather(struct h2_session *h2, struct slice *input, size_t wanted, struct slice *ret) {
    struct buf *pending = &h2->reader.pending;
    if (pending->size == 0 && input->size >= wanted) {
        *ret = take(input, wanted);
        return true;
    }
    keep(h2, pending, take(input, wanted - pending->size));
    *ret = buf_slice(pending);
    return pending->size == wanted && !h2_session_is_over(h2);
}

/* ---- frames of the connection ---- */

static bool is_idle(const struct h2_session *h2, uint32_t stream_id) {
    return stream_id > h2->last_stream_id || stream_id % 2 == 0;
}

static void set_initial_window(struct h2_session *h2, uint32_t value) {
    int64_t change = (int64_t)value - h2->initial_window;
    h2->initial_window = value;
    for (struct h2_stream *stream = h2->streams; stream; stream = stream->next) {
        stream->send_window += change;
        if (stream->send_window > H2_WINDOW_MAX) {
            h2_session_fail(h2, H2_ERROR_FLOW_CONTROL);
            return;
        }
        h2_send_later(stream);
    }
}

static void take_setting(struct h2_session *h2, uint32_t id, uint32_t value) {
    switch (id) {
    case H2_SETTING_HEADER_TABLE_SIZE:
        hpack_encoder_set_limit(&h2->encoder, value);
        break;
    case H2_SETTING_ENABLE_PUSH:
        if (value > 1)
            h2_session_fail(h2, H2_ERROR_PROTOCOL);
        break;
    case H2_SETTING_INITIAL_WINDOW_SIZE:
        if (value > H2_WINDOW_MAX)
            h2_session_fail(h2, H2_ERROR_FLOW_CONTROL);
        else
            set_initial_window(h2, value);
        break;
    case H2_SETTING_MAX_FRAME_SIZE:
        if (value < H2_FRAME_SIZE_DEFAULT || value > H2_FRAME_SIZE_LAST)
            h2_session_fail(h2, H2_ERROR_PROTOCOL);
        else
            h2->frame_size = value;
        break;
    default: /* of no meaning here: there is no push, and answers' heads are small */
        break;
    }
}

static void take_settings(struct h2_session *h2, struct slice payload) {
    bool ack = h2->reader.frame.flags & H2_FLAG_ACK;
    if (payload.size % H2_SETTING_SIZE != 0 || (ack && payload.size > 0)) {
        h2_session_fail(h2, H2_ERROR_FRAME_SIZE);
        return;
    }
    if (ack)
        return;
    if (payload.size > (size_t)HTTP_H2_SETTINGS_MAX * H2_SETTING_SIZE) {
        h2_session_fail(h2, H2_ERROR_ENHANCE_YOUR_CALM); /* each may mean work for all streams */
        return;
    }
    if (h2->greeted)
        h2_session_count_glitch(h2);
    h2->greeted = true;
    for (size_t at = 0; at < payload.size && !h2_session_is_over(h2); at += H2_SETTING_SIZE) {
        const unsigned char *row = (const unsigned char *)payload.data + at;
        take_setting(h2, h2_get_u16(row), h2_get_u32(row + 2));
    }
    if (!h2_session_is_over(h2))
        h2_session_acknowledge(h2, H2_FRAME_SETTINGS, (struct slice){NULL, 0});
}

static void take_ping(struct h2_session *h2, struct slice payload) {
    if (!(h2->reader.frame.flags & H2_FLAG_ACK))
        h2_session_acknowledge(h2, H2_FRAME_PING, payload);
    else if (h2->phase == H2_NOTICED)
        h2_session_end(h2);
}

/* The client begins no more streams. */
static void take_goaway(struct h2_session *h2, struct slice payload) {
    (void)payload;
    h2->client_ends = true;
}

/* Opens a window for DATA of ours. What there is against it: no byte more, or more than a window may have. */
static enum h2_error widen(int64_t *window, uint32_t more) {
    if (more == 0)
        return H2_ERROR_PROTOCOL;
    if (*window > H2_WINDOW_MAX - (int64_t)more)
        return H2_ERROR_FLOW_CONTROL;
    *window += more;
    return H2_ERROR_NONE;
}

static void take_stream_window(struct h2_session *h2, uint32_t stream_id, uint32_t more) {
    struct h2_stream *stream = h2_stream_find(h2, stream_id);
    if (is_idle(h2, stream_id))
        h2_session_fail(h2, H2_ERROR_PROTOCOL);
    if (!stream)
        return; /* it crossed the end of the stream */
    enum h2_error error = widen(&stream->send_window, more);
    if (error != H2_ERROR_NONE)
        h2_stream_reset(stream, error);
    else
        h2_send_later(stream);
}

static void take_window_update(struct h2_session *h2, struct slice payload) {
    uint32_t more = h2_get_u32((const unsigned char *)payload.data) & H2_STREAM_ID_MAX;
    uint32_t stream_id = h2->reader.frame.stream_id;
    if (stream_id != 0) {
        take_stream_window(h2, stream_id, more);
        return;
    }
    enum h2_error error = widen(&h2->send_window, more);
    if (error != H2_ERROR_NONE)
        h2_session_fail(h2, error);
    else
        h2_send_starved(h2);
}

static void take_reset(struct h2_session *h2, struct slice payload) {
    (void)payload;
    uint32_t stream_id = h2->reader.frame.stream_id;
    if (is_idle(h2, stream_id)) {
        h2_session_fail(h2, H2_ERROR_PROTOCOL);
        return;
    }
    struct h2_stream *stream = h2_stream_find(h2, stream_id);
    if (stream)
        h2_stream_finish(stream, h2_stream_is_answered(stream));
    h2_session_count_glitch(h2);
}

/* ---- header blocks ---- */

/* Takes padding and priority off, which HEADERS alone has. */
static enum h2_error strip_headers(uint8_t flags, struct slice *payload) {
    size_t front = flags & H2_FLAG_PADDED ? 1 : 0;
    if (flags & H2_FLAG_PRIORITY)
        front += H2_PRIORITY_SIZE;
    if (front > payload->size)
        return H2_ERROR_FRAME_SIZE;
    size_t padding = flags & H2_FLAG_PADDED ? (unsigned char)payload->data[0] : 0;
    if (padding > payload->size - front)
        return H2_ERROR_PROTOCOL;
    *payload = (struct slice){payload->data + front, payload->size - front - padding};
    return H2_ERROR_NONE;
}

static void take_block(struct h2_session *h2, uint32_t stream_id, uint8_t flags, struct slice block) {
    h2_request_take(h2, stream_id, flags & H2_FLAG_END_STREAM, block);
    h2->head_since_ns = 0;
}

static void take_headers(struct h2_session *h2, struct slice payload) {
    const struct h2_frame *frame = &h2->reader.frame;
    enum h2_error error = frame->stream_id % 2 == 0 ? H2_ERROR_PROTOCOL : strip_headers(frame->flags, &payload);
    if (error != H2_ERROR_NONE) {
        h2_session_fail(h2, error);
    } else if (frame->flags & H2_FLAG_END_HEADERS) {
        take_block(h2, frame->stream_id, frame->flags, payload);
    } else {
        h2->block.stream_id = frame->stream_id;
        h2->block.flags = frame->flags;
        h2->block.continuations = 0;
        keep(h2, &h2->block.bytes, payload);
    }
}

static void take_continuation(struct h2_session *h2, struct slice payload) {
    struct h2_block *block = &h2->block;
    if (block->stream_id == 0) {
        h2_session_fail(h2, H2_ERROR_PROTOCOL);
        return;
    }
    if (++block->continuations > HTTP_H2_CONTINUATIONS_MAX || payload.size > HTTP_H2_BLOCK_MAX - block->bytes.size) {
        h2_session_fail(h2, H2_ERROR_ENHANCE_YOUR_CALM);
        return;
    }
    keep(h2, &block->bytes, payload);
    if (!(h2->reader.frame.flags & H2_FLAG_END_HEADERS) || h2_session_is_over(h2))
        return;
    uint32_t stream_id = block->stream_id;
    block->stream_id = 0;
    take_block(h2, stream_id, block->flags, buf_slice(&block->bytes));
    release(h2, &block->bytes);
}

/* ---- DATA ---- */

/* Opens the connection's window for what has come: it is a stream's window that makes a client wait. */
static void open_window(struct h2_session *h2, size_t bytes) {
    h2->unannounced += (uint32_t)bytes;
    if (h2->unannounced < HTTP_H2_CONNECTION_WINDOW / 2)
        return;
    h2_frame_append_u32(&h2->control, H2_FRAME_WINDOW_UPDATE, 0, h2->unannounced);
    h2->receive_window += h2->unannounced;
    h2->unannounced = 0;
}

/* Finds the stream, and takes the frame's length off the windows. */
static void charge_data(struct h2_session *h2, const struct h2_frame *frame) {
    struct h2_stream *before = h2->reader.stream, *stream = h2_stream_find(h2, frame->stream_id);
    if (before)
        before->follower = frame->stream_id;
    h2->reader.stream = stream;
    h2->receive_window -= frame->length;
    if (stream) {
        stream->receive_window -= frame->length;
        stream->frame_length = frame->length;
    }
    if (h2->receive_window < 0)
        h2_session_fail(h2, H2_ERROR_FLOW_CONTROL);
    else if (stream && stream->exchange.request_ended)
        h2_stream_reset(stream, H2_ERROR_STREAM_CLOSED);
    else if (stream && stream->receive_window < 0)
        h2_stream_reset(stream, H2_ERROR_FLOW_CONTROL);
}

/* Behind the data: the padding, and the end of the request. */
static void end_data(struct h2_session *h2) {
    struct h2_reader *reader = &h2->reader;
    reader->state = reader->padding > 0 ? H2_READ_SKIP : H2_READ_HEAD;
    reader->left = reader->padding;
    if (reader->stream && reader->frame.flags & H2_FLAG_END_STREAM)
        h2_stream_end_request(reader->stream);
}

/* `front`: bytes of the frame before the data. */
static void begin_data(struct h2_session *h2, size_t front, size_t padding) {
    struct h2_reader *reader = &h2->reader;
    if (front + padding > reader->frame.length) {
        h2_session_fail(h2, H2_ERROR_PROTOCOL);
        return;
    }
    reader->state = H2_READ_DATA;
    reader->left = reader->frame.length - front - padding;
    reader->padding = padding;
    if (front > 0) {
        open_window(h2, front + padding);
        if (reader->stream)
            h2_stream_open_window(reader->stream, front + padding);
    }
    if (reader->left > 0)
        return;
    if (!(reader->frame.flags & H2_FLAG_END_STREAM))
        h2_session_count_glitch(h2);
    end_data(h2);
}

static void begin_data_frame(struct h2_session *h2) {
    const struct h2_frame *frame = &h2->reader.frame;
    if (is_idle(h2, frame->stream_id)) {
        h2_session_fail(h2, H2_ERROR_PROTOCOL);
        return;
    }
    charge_data(h2, frame);
    if (h2_session_is_over(h2))
        return;
    if (!(frame->flags & H2_FLAG_PADDED))
        begin_data(h2, 0, 0);
    else if (frame->length > 0)
        h2->reader.state = H2_READ_PAD_LENGTH;
    else
        h2_session_fail(h2, H2_ERROR_FRAME_SIZE);
}

static void take_data(struct h2_session *h2, struct slice data) {
    open_window(h2, data.size);
    h2->reader.left -= data.size;
    if (h2->reader.stream)
        h2_stream_take_data(h2->reader.stream, data);
    if (h2->reader.left == 0)
        end_data(h2);
}

/* ---- all frames ---- */

enum place { ON_CONNECTION, ON_STREAM, ON_EITHER };

/* Of every type but DATA: the lengths there are, where it may come, and who takes the payload (NULL: it is skipped). */
static const struct rule {
    uint32_t min, max;
    enum place place;
    void (*take)(struct h2_session *h2, struct slice payload);
} rules[] = {
    [H2_FRAME_HEADERS] = {0, HTTP_H2_FRAME_MAX, ON_STREAM, take_headers},
    [H2_FRAME_PRIORITY] = {H2_PRIORITY_SIZE, H2_PRIORITY_SIZE, ON_STREAM, NULL},
    [H2_FRAME_RST_STREAM] = {4, 4, ON_STREAM, take_reset},
    [H2_FRAME_SETTINGS] = {0, CONTROL_BYTES_MAX, ON_CONNECTION, take_settings},
    [H2_FRAME_PING] = {H2_PING_SIZE, H2_PING_SIZE, ON_CONNECTION, take_ping},
    [H2_FRAME_GOAWAY] = {8, CONTROL_BYTES_MAX, ON_CONNECTION, take_goaway},
    [H2_FRAME_WINDOW_UPDATE] = {4, 4, ON_EITHER, take_window_update},
    [H2_FRAME_CONTINUATION] = {0, HTTP_H2_FRAME_MAX, ON_STREAM, take_continuation},
};

/* What there is against the frame, of its head alone. */
static enum h2_error check_frame(const struct h2_session *h2, const struct h2_frame *frame) {
    if (frame->length > HTTP_H2_FRAME_MAX)
        return H2_ERROR_FRAME_SIZE;
    if (!h2->greeted && (frame->type != H2_FRAME_SETTINGS || frame->flags & H2_FLAG_ACK))
        return H2_ERROR_PROTOCOL;
    if (h2->block.stream_id != 0 && (frame->type != H2_FRAME_CONTINUATION || frame->stream_id != h2->block.stream_id))
        return H2_ERROR_PROTOCOL;
    if (frame->type == H2_FRAME_DATA || frame->type > H2_FRAME_CONTINUATION)
        return H2_ERROR_NONE;
    if (frame->type == H2_FRAME_PUSH_PROMISE)
        return H2_ERROR_PROTOCOL;
    const struct rule *rule = &rules[frame->type];
    if (rule->place != ON_EITHER && (frame->stream_id == 0) != (rule->place == ON_CONNECTION))
        return H2_ERROR_PROTOCOL;
    return frame->length < rule->min || frame->length > rule->max ? H2_ERROR_FRAME_SIZE : H2_ERROR_NONE;
}

static void begin_frame(struct h2_session *h2) {
    struct h2_reader *reader = &h2->reader;
    const struct h2_frame *frame = &reader->frame;
    enum h2_error error = check_frame(h2, frame);
    reader->left = frame->length;
    if (error != H2_ERROR_NONE) {
        h2_session_fail(h2, error);
    } else if (frame->type == H2_FRAME_DATA) {
        begin_data_frame(h2);
    } else if (frame->type > H2_FRAME_CONTINUATION || !rules[frame->type].take) {
        reader->state = H2_READ_SKIP;
    } else {
        reader->state = H2_READ_PAYLOAD;
        if (frame->type == H2_FRAME_HEADERS)
            h2->head_since_ns = h2->now_ns;
    }
}

/* Takes the preface, or what of it has come. False: these are other bytes. */
static bool take_preface(struct h2_reader *reader, struct slice *input) {
    size_t at = H2_PREFACE_SIZE - reader->left;
    struct slice piece = take(input, reader->left);
    if (memcmp(piece.data, &H2_PREFACE[at], piece.size) != 0)
        return false;
    reader->left -= piece.size;
    if (reader->left == 0)
        reader->state = H2_READ_HEAD;
    return true;
}

/* Takes what comes next off the input; false when not enough of it has come, or it is no HTTP/2. */
static bool step(struct h2_session *h2, struct slice *input) {
    struct h2_reader *reader = &h2->reader;
    struct slice piece;
    switch (reader->state) {
    case H2_READ_PREFACE:
        if (!take_preface(reader, input)) {
            h2->phase = H2_FAILED; /* and nothing is told: a GOAWAY would be of no meaning to who sends this */
            return false;
        }
        break;
    case H2_READ_HEAD:
        if (!gather(h2, input, H2_FRAME_HEAD_SIZE, &piece))
            return false;
        reader->frame = h2_frame_parse((const unsigned char *)piece.data);
        release(h2, &reader->pending);
        begin_frame(h2);
        break;
    case H2_READ_PAYLOAD:
        if (!gather(h2, input, reader->left, &piece))
            return false;
        reader->state = H2_READ_HEAD;
        rules[reader->frame.type].take(h2, piece);
        release(h2, &reader->pending);
        break;
    case H2_READ_PAD_LENGTH:
        piece = take(input, 1);
        begin_data(h2, 1, (unsigned char)piece.data[0]);
        break;
    case H2_READ_DATA:
        take_data(h2, take(input, reader->left));
        break;
    case H2_READ_SKIP:
        reader->left -= take(input, reader->left).size;
        if (reader->left == 0)
            reader->state = H2_READ_HEAD;
        break;
    }
    return true;
}

/* A frame without payload is complete when its head is. */
static bool is_at_empty_payload(const struct h2_session *h2) {
    return h2->reader.left == 0 && (h2->reader.state == H2_READ_PAYLOAD || h2->reader.state == H2_READ_SKIP);
}

struct status h2_receive(struct h2_session *h2, struct slice input) {
    while ((input.size > 0 || is_at_empty_payload(h2)) && !h2_session_is_over(h2) && step(h2, &input))
        ;
    if (h2->reader.state == H2_READ_PREFACE && h2_session_is_over(h2))
        return status_error(STATUS_INVALID_ARGUMENT, "HTTP/2: the connection does not begin with its preface");
    h2_session_want_tick(h2, h2_session_head_deadline(h2));
    return status_ok();
}
