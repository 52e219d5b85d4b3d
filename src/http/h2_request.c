/* h2_request.c: header blocks to requests: what RFC 9113 section 8 demands of fields, and their way into the exchange's
 * memory. A block is read to its end whatever it holds, since later ones build on it, unless it is a bomb. */
#include "http/h2_priv.h"
#include "http/http_limits.h"
#include "http/http_text.h"

enum {
    HEADERS_FIRST = 16, /* rows of a request's header table at first */
    FIELD_EXTRA = 4     /* bytes that a field counts beyond its texts: as much as ": " and CR LF */
};

/* Of h2_head.seen. */
enum pseudo { METHOD = 1, SCHEME = 2, PATH = 4, AUTHORITY = 8, HOST = 16 };

/* ---- single fields ---- */

static bool is_value(struct slice value) {
    if (value.size > 0 && (http_is_blank(value.data[0]) || http_is_blank(value.data[value.size - 1])))
        return false;
    return http_is_value(value);
}

/* Fields that mean something to the session. */
enum kind { ORDINARY, HOP_BY_HOP, TE, HOST_FIELD, EXPECT, PRIORITY, CONTENT_LENGTH };

static enum kind kind_of(struct slice name) {
    static const struct {
        struct slice name;
        enum kind kind;
    } rows[] = {
        {SLICE_INIT("te"), TE},
        {SLICE_INIT("host"), HOST_FIELD},
        {SLICE_INIT("expect"), EXPECT},
        {SLICE_INIT("upgrade"), HOP_BY_HOP},
        {SLICE_INIT("priority"), PRIORITY},
        {SLICE_INIT("connection"), HOP_BY_HOP},
        {SLICE_INIT("keep-alive"), HOP_BY_HOP},
        {SLICE_INIT("content-length"), CONTENT_LENGTH},
        {SLICE_INIT("proxy-connection"), HOP_BY_HOP},
        {SLICE_INIT("transfer-encoding"), HOP_BY_HOP},
    };
    const uint32_t sizes = 1U << 2 | 1U << 4 | 1U << 6 | 1U << 7 | 1U << 8 | 1U << 10 | 1U << 14 | 1U << 16 | 1U << 17;
    if (name.size >= 32 || !(sizes >> name.size & 1))
        return ORDINARY;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (slice_equal(rows[i].name, name))
            return rows[i].kind;
    return ORDINARY;
}

/* Whether a Priority field has the parameter `i` (RFC 9218 section 4.2). Urgencies are all the same here. */
static bool is_incremental(struct slice value) {
    struct slice member;
    for (bool more = true; more;) {
        more = slice_split(value, ',', &member, &value);
        member = slice_trim(member);
        if (slice_equal_text(member, "i") || slice_equal_text(member, "i=?1"))
            return true;
    }
    return false;
}

/* ---- storing ---- */

/* Makes room for one more row; false when memory is short. */
static bool grow_headers(struct h2_head *head) {
    struct http_exchange *exchange = &head->stream->exchange;
    struct http_request *request = &exchange->request;
    if (request->header_count < head->capacity)
        return true;
    size_t capacity = head->capacity ? head->capacity * 2 : HEADERS_FIRST;
    struct http_header *grown = arena_alloc(exchange->arena, capacity * sizeof *grown);
    if (!grown)
        return false;
    if (request->header_count > 0)
        memcpy(grown, request->headers, request->header_count * sizeof *grown);
    request->headers = grown;
    head->capacity = capacity;
    return true;
}

/* Makes name and value slices of one piece of arena memory. */
static bool copy_field(struct arena *arena, struct hpack_field *field) {
    char *copy = arena_alloc(arena, field->name.size + field->value.size);
    if (!copy)
        return false;
    memcpy(copy, field->name.data, field->name.size);
    if (field->value.size > 0)
        memcpy(copy + field->name.size, field->value.data, field->value.size);
    field->name.data = copy;
    field->value.data = copy + field->name.size;
    return true;
}

/* False: against section 8.2.2 or 8.1.1. */
static bool use_field(struct h2_head *head, const struct hpack_field *field, enum kind kind) {
    struct http_request *request = &head->stream->exchange.request;
    uint64_t length;
    switch (kind) {
    case TE:
        return slice_equal_nocase(field->value, SLICE_LITERAL("trailers"));
    case HOST_FIELD:
        if (head->seen & HOST || field->value.size == 0)
            return false;
        head->seen |= HOST;
        if (!(head->seen & AUTHORITY))
            request->authority = field->value;
        return true;
    case EXPECT:
        head->expects_continue = slice_equal_nocase(field->value, SLICE_LITERAL("100-continue"));
        return true;
    case PRIORITY:
        head->stream->incremental = is_incremental(field->value);
        return true;
    case CONTENT_LENGTH:
        if (request->content_length >= 0 || !slice_to_u64(field->value, &length) || length > INT64_MAX)
            return false;
        request->content_length = (int64_t)length;
        return true;
    case HOP_BY_HOP:
    case ORDINARY:
        break;
    }
    return kind == ORDINARY;
}

/* False: there is no such field, it was there before, or its value cannot be. */
static bool use_pseudo_field(struct h2_head *head, const struct hpack_field *field) {
    struct http_request *request = &head->stream->exchange.request;
    unsigned which = 0;
    if (slice_equal_text(field->name, ":method")) {
        which = http_is_token(field->value) ? METHOD : 0;
        request->method = field->value;
    } else if (slice_equal_text(field->name, ":scheme")) {
        which = field->value.size > 0 ? SCHEME : 0;
    } else if (slice_equal_text(field->name, ":path")) {
        which = field->value.size > 0 && (field->value.data[0] == '/' || field->value.data[0] == '*') ? PATH : 0;
        head->target = field->value;
    } else if (slice_equal_text(field->name, ":authority")) {
        which = field->value.size > 0 ? AUTHORITY : 0;
        request->authority = field->value;
    }
    bool fits = which != 0 && !(head->seen & which) && !head->ordinary_seen;
    head->seen |= which;
    return fits;
}

static void store_field(struct h2_head *head, struct hpack_field field, enum kind kind) {
    struct http_request *request = &head->stream->exchange.request;
    bool pseudo = field.name.data[0] == ':';
    if (!copy_field(head->stream->exchange.arena, &field) || (!pseudo && !grow_headers(head))) {
        head->no_memory = true;
        return;
    }
    if (pseudo) {
        head->malformed |= !use_pseudo_field(head, &field);
        return;
    }
    head->ordinary_seen = true;
    head->malformed |= !use_field(head, &field, kind);
    request->headers[request->header_count++] = (struct http_header){field.name, field.value};
}

static void take_field(struct h2_head *head, const struct hpack_field *field) {
    bool pseudo = field->name.size > 0 && field->name.data[0] == ':';
    enum kind kind = pseudo ? ORDINARY : kind_of(field->name);
    struct slice name = pseudo ? (struct slice){field->name.data + 1, field->name.size - 1} : field->name;
    head->bytes += field->name.size + field->value.size + FIELD_EXTRA;
    head->flooded |= head->bytes / HTTP_H2_HEAD_FLOOD_FACTOR > head->limits->max_head_bytes;
    if (head->flooded)
        return; /* a byte may stand for thousands, which are not looked at */
    head->malformed |= name.size == 0 || !http_all_chars(name, HTTP_CHAR_FIELD) || !is_value(field->value) ||
                       (head->trailers && (pseudo || kind == HOP_BY_HOP || kind == TE));
    if (!head->stream || head->trailers || head->malformed || head->no_memory)
        return;
    if (head->bytes > head->limits->max_head_bytes ||
        head->stream->exchange.request.header_count >= head->limits->max_header_count)
        head->too_large = true;
    else
        store_field(head, *field, kind);
}

/* ---- blocks ---- */

/* Whether the fields are so many times more than a block of that size and a full table hold that it names entries of
 * the table again and again, as nobody does who has something to say: it costs the client little, and the session more.
 */
static bool is_inflated(const struct h2_head *head, size_t block_size) {
    return head->bytes / HTTP_H2_HEAD_INFLATED_FACTOR > block_size + HPACK_TABLE_DEFAULT;
}

/* So many times over the limit that reading it to its end would take long: a byte of a block may stand for 4 KiB. */
static bool is_bomb(const struct h2_head *head) {
    return head->bytes / HTTP_H2_HEAD_BOMB_FACTOR > head->limits->max_head_bytes;
}

/* False: the connection is lost. */
static bool read_block(struct h2_session *h2, struct h2_head *head, struct slice block) {
    struct hpack_field field;
    const size_t size = block.size;
    head->limits = h2->limits;
    hpack_decode_begin(&h2->decoder);
    for (;;) {
        switch (hpack_decode_next(&h2->decoder, &block, &field)) {
        case HPACK_FIELD:
            take_field(head, &field);
            if (!is_bomb(head))
                break;
            h2_session_fail(h2, H2_ERROR_ENHANCE_YOUR_CALM);
            return false;
        case HPACK_END:
            if (is_inflated(head, size))
                h2_session_count_glitch(h2);
            return !h2_session_is_over(h2);
        case HPACK_BROKEN:
            h2_session_fail(h2, H2_ERROR_COMPRESSION);
            return false;
        case HPACK_NO_MEMORY:
            h2_session_fail(h2, H2_ERROR_INTERNAL);
            return false;
        }
    }
}

/* The fields that each request has (section 8.3.1). Those of a head that was too large may have been left out. */
static bool is_complete(const struct h2_head *head) {
    if (slice_equal_text(head->stream->exchange.request.method, "CONNECT"))
        return head->seen & AUTHORITY && !(head->seen & (SCHEME | PATH));
    return head->too_large ||
           ((head->seen & (METHOD | SCHEME | PATH)) == (METHOD | SCHEME | PATH) && head->seen & (AUTHORITY | HOST));
}

/* What is against the request, now that its head is whole; H2_ERROR_NONE: nothing. */
static enum h2_error judge(const struct h2_head *head, bool ended) {
    struct http_exchange *exchange = &head->stream->exchange;
    if (head->flooded)
        return H2_ERROR_ENHANCE_YOUR_CALM;
    if (head->malformed || !is_complete(head) || (ended && exchange->request.content_length > 0))
        return H2_ERROR_PROTOCOL;
    if (head->no_memory)
        return H2_ERROR_INTERNAL;
    size_t rows = exchange->request.header_count * sizeof(struct http_header);
    return exchange_book_head(exchange, head->bytes + rows) ? H2_ERROR_NONE : H2_ERROR_REFUSED_STREAM;
}

static void begin_request(struct h2_session *h2, struct h2_head *head, bool ended) {
    struct h2_stream *stream = head->stream;
    enum h2_error error = judge(head, ended);
    if (error != H2_ERROR_NONE) {
        h2_stream_reset(stream, error);
        return;
    }
    h2_stream_begin(stream, head->target, head->too_large);
    if (ended)
        h2_stream_end_request(stream);
    else if (head->expects_continue && stream->exchange.answer_state == HTTP_ANSWER_NONE)
        h2_send_continue(stream);
    if (!ended)
        h2_session_want_tick(h2, h2_stream_deadline(stream));
}

static void take_request(struct h2_session *h2, uint32_t stream_id, bool ended, struct slice block) {
    bool crowded = h2->stream_count >= h2->limits->max_concurrent_streams;
    bool wanted = h2->phase < H2_ENDING; /* after the final GOAWAY clients know that it is not looked at */
    struct h2_head head = {.stream = wanted && !crowded ? h2_stream_create(h2, stream_id) : NULL};
    h2->last_stream_id = stream_id;
    if (wanted)
        h2->last_taken_id = stream_id;
    bool known = head.stream && h2_known_head_recall(h2, block, &head);
    if (!known && (!read_block(h2, &head, block) || !wanted))
        return;
    if (head.stream) {
        if (!known)
            h2_known_head_keep(h2, block, &head);
        begin_request(h2, &head, ended);
        return;
    }
    h2_frame_append_u32(&h2->control, H2_FRAME_RST_STREAM, stream_id, H2_ERROR_REFUSED_STREAM);
    if (crowded)
        h2_session_count_glitch(h2);
    else
        h2_session_count_refusal(h2);
}

static void take_trailers(struct h2_session *h2, struct h2_stream *stream, bool ended, struct slice block) {
    struct h2_head head = {.stream = stream, .trailers = true};
    if (!read_block(h2, &head, block))
        return;
    if (stream->exchange.request_ended)
        h2_stream_reset(stream, H2_ERROR_STREAM_CLOSED);
    else if (head.flooded)
        h2_stream_reset(stream, H2_ERROR_ENHANCE_YOUR_CALM);
    else if (head.malformed || !ended)
        h2_stream_reset(stream, H2_ERROR_PROTOCOL);
    else
        h2_stream_end_request(stream);
}

void h2_request_take(struct h2_session *h2, uint32_t stream_id, bool ended, struct slice block) {
    struct h2_stream *stream = h2_stream_find(h2, stream_id);
    if (stream) {
        take_trailers(h2, stream, ended, block);
    } else if (stream_id > h2->last_stream_id) {
        take_request(h2, stream_id, ended, block);
    } else { /* of a stream that has ended: it may have crossed our reset */
        struct h2_head head = {.stream = NULL};
        if (read_block(h2, &head, block))
            h2_session_count_glitch(h2);
    }
}
