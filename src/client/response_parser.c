/* response_parser.c: a strict HTTP/1.1 response parser that is fed in pieces of any size. See response_parser.h. */
#include "client/response_parser.h"

#include <string.h>

#include "base/hex.h"

enum { HEAD_MAX = 64 * 1024, CHUNK_LINE_MAX = 256, CHUNK_DIGITS_MAX = 15 };

struct head_facts {
    bool has_length;
    bool chunked;
    bool close;
    bool keep_alive;
    uint64_t length;
};

void response_parser_begin(struct response_parser *parser, size_t body_limit) {
    struct buf line = parser->line, v1_status = parser->v1_status, v1_header = parser->v1_header;
    buf_clear(&line);
    buf_clear(&v1_status);
    buf_clear(&v1_header);
    *parser = (struct response_parser){.state = RESPONSE_HEAD,
                                       .line = line,
                                       .v1_status = v1_status,
                                       .v1_header = v1_header,
                                       .body_limit = body_limit,
                                       .plain = true};
}

void response_parser_free(struct response_parser *parser) {
    buf_free(&parser->line);
    buf_free(&parser->v1_status);
    buf_free(&parser->v1_header);
}

static struct status bad(const char *what, struct slice got) {
    char shown[64];
    size_t n = got.size < sizeof shown - 1 ? got.size : sizeof shown - 1;
    for (size_t i = 0; i < n; i++)
        shown[i] = got.data[i] >= 0x20 && got.data[i] < 0x7f ? got.data[i] : '.';
    shown[n] = '\0';
    return status_error(STATUS_DATA_LOSS, "the server's HTTP answer is malformed: expected %s, got '%s'", what, shown);
}

static bool is_token(struct slice name) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return name.size > 0;
}

static bool is_field_value(struct slice value) {
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static struct status read_status_line(struct response_parser *parser, struct slice line, struct head_facts *facts) {
    bool http_1 = line.size >= 12 && memcmp(line.data, "HTTP/1.", 7) == 0 &&
                  (line.data[7] == '0' || line.data[7] == '1') && line.data[8] == ' ' &&
                  (line.size == 12 || line.data[12] == ' ');
    if (!http_1)
        return bad("a status line 'HTTP/1.1 NNN text' (is this a gRPC port?)", line);
    int status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return bad("a status of three digits", line);
        status = status * 10 + (line.data[i] - '0');
    }
    if (status < 100 || status > 599 || !is_field_value(line))
        return bad("a status of 100 to 599", line);
    parser->status = status;
    facts->close = line.data[7] == '0'; /* HTTP/1.0 closes unless it says otherwise */
    return status_ok();
}

/* True when the comma-separated list holds the word. */
static bool list_holds(struct slice list, const char *word) {
    struct slice head;
    bool more = true;
    while (more) {
        more = slice_split(list, ',', &head, &list);
        if (slice_equal_nocase(slice_trim(head), slice_of(word)))
            return true;
    }
    return false;
}

/* Of a header that may be there once. */
static struct status keep_value(struct buf *kept, struct slice name, struct slice value) {
    if (kept->size > 0)
        return bad("one header of this name", name);
    buf_append_slice(kept, value);
    return buf_failed(kept) ? status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an HTTP answer") : status_ok();
}

static struct status read_header(struct response_parser *parser, struct slice line, struct head_facts *facts) {
    struct slice name, value;
    if (!slice_split(line, ':', &name, &value) || !is_token(name) || !is_field_value(value))
        return bad("a header 'Name: value'", line);
    value = slice_trim(value);
    if (slice_equal_nocase(name, SLICE_LITERAL("content-length"))) {
        uint64_t length = 0;
        if (!slice_to_u64(value, &length) || (facts->has_length && facts->length != length))
            return bad("one Content-Length in decimal digits", value);
        facts->has_length = true;
        facts->length = length;
    } else if (slice_equal_nocase(name, SLICE_LITERAL("transfer-encoding"))) {
        if (facts->chunked || !slice_equal_nocase(value, SLICE_LITERAL("chunked")))
            return bad("Transfer-Encoding chunked", value);
        facts->chunked = true;
    } else if (slice_equal_nocase(name, SLICE_LITERAL("connection"))) {
        facts->close = facts->close || list_holds(value, "close");
        facts->keep_alive = facts->keep_alive || list_holds(value, "keep-alive");
    } else if (slice_equal_nocase(name, SLICE_LITERAL("content-encoding"))) {
        parser->plain = value.size == 0 || slice_equal_nocase(value, SLICE_LITERAL("identity"));
    } else if (slice_equal_nocase(name, SLICE_LITERAL("inference-header-content-length"))) {
        if (parser->has_json_size || !slice_to_u64(value, &parser->json_size))
            return bad("one Inference-Header-Content-Length in decimal digits", value);
        parser->has_json_size = true;
    } else if (slice_equal_nocase(name, SLICE_LITERAL("nv-status"))) {
        return keep_value(&parser->v1_status, name, value);
    } else if (slice_equal_nocase(name, SLICE_LITERAL("nv-inferresponse"))) {
        return keep_value(&parser->v1_header, name, value);
    }
    return status_ok();
}

/* Chooses how the body is framed (RFC 9112, section 6.3). */
static struct status choose_body(struct response_parser *parser, const struct head_facts *facts) {
    bool http_1_0 = parser->line.data[7] == '0';
    parser->keep_alive = http_1_0 ? facts->keep_alive : !facts->close;
    if (facts->chunked && facts->has_length)
        return bad("either Content-Length or Transfer-Encoding", SLICE_LITERAL("both"));
    if (facts->has_length && facts->length > parser->body_limit)
        return status_error(STATUS_RESOURCE_EXHAUSTED,
                            "the server's HTTP answer has a body of %llu bytes, more than the limit of %zu",
                            (unsigned long long)facts->length, parser->body_limit);
    if (parser->status == 204 || parser->status == 304)
        parser->state = RESPONSE_DONE;
    else if (facts->chunked)
        parser->state = RESPONSE_CHUNK_SIZE;
    else if (facts->has_length)
        parser->state = facts->length > 0 ? RESPONSE_BODY_LENGTH : RESPONSE_DONE;
    else
        parser->state = RESPONSE_BODY_CLOSE;
    if (parser->state == RESPONSE_BODY_CLOSE)
        parser->keep_alive = false;
    parser->left = facts->length;
    return status_ok();
}

/* The next line of a complete head, without its line end. */
static struct slice next_line(struct slice *rest) {
    size_t n = 0;
    while (rest->data[n] != '\r' || rest->data[n + 1] != '\n')
        n++;
    struct slice line = {rest->data, n};
    *rest = (struct slice){rest->data + n + 2, rest->size - n - 2};
    return line;
}

static struct status read_head(struct response_parser *parser) {
    struct head_facts facts = {0};
    struct slice rest = buf_slice(&parser->line);
    STATUS_TRY(read_status_line(parser, next_line(&rest), &facts));
    for (struct slice line = next_line(&rest); line.size > 0; line = next_line(&rest))
        STATUS_TRY(read_header(parser, line, &facts));
    if (parser->status == 101)
        return bad("no change of protocol", SLICE_LITERAL("101"));
    if (parser->status < 200) { /* an interim response: the real one follows */
        response_parser_begin(parser, parser->body_limit);
        return status_ok();
    }
    STATUS_TRY(choose_body(parser, &facts));
    buf_clear(&parser->line);
    return status_ok();
}

/* Moves bytes into `line` up to and with the line end; *ret_complete tells that it is there. */
static struct status take_line(struct response_parser *parser, const char *data, size_t n, size_t limit,
                               size_t *ret_used, bool *ret_complete) {
    const char *end = memchr(data, '\n', n);
    size_t used = end != NULL ? (size_t)(end - data) + 1 : n;
    if (parser->line.size + used > limit)
        return status_error(STATUS_RESOURCE_EXHAUSTED,
                            "the server's HTTP answer has a head, chunk line or trailer of more than %zu bytes", limit);
    buf_append(&parser->line, data, used);
    if (buf_failed(&parser->line))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an HTTP answer");
    if (end != NULL && (parser->line.size < 2 || parser->line.data[parser->line.size - 2] != '\r'))
        return bad("lines that end in CR LF", buf_slice(&parser->line));
    *ret_used = used;
    *ret_complete = end != NULL;
    return status_ok();
}

static struct status input_head(struct response_parser *parser, const char *data, size_t n, size_t *ret_used) {
    bool complete = false;
    STATUS_TRY(take_line(parser, data, n, HEAD_MAX, ret_used, &complete));
    const struct buf *line = &parser->line;
    /* Said at once, not after a whole line: what answers may never send a line end. */
    static const char magic[] = "HTTP/1.";
    if (memcmp(line->data, magic, line->size < 7 ? line->size : 7) != 0)
        return bad("a status line 'HTTP/1.1 NNN text' (is this a gRPC port?)", buf_slice(line));
    if (complete && line->size >= 4 && memcmp(line->data + line->size - 4, "\r\n\r\n", 4) == 0)
        return read_head(parser);
    return status_ok();
}

static struct status too_much(const struct response_parser *parser) {
    return status_error(STATUS_RESOURCE_EXHAUSTED,
                        "the server's HTTP answer has a body of more than the limit of %zu bytes", parser->body_limit);
}

/* Bytes of a body or chunk of known length have come. */
static void count_down(struct response_parser *parser, size_t n) {
    parser->left -= n;
    if (parser->left == 0)
        parser->state = parser->state == RESPONSE_CHUNK_DATA ? RESPONSE_CHUNK_END : RESPONSE_DONE;
}

static struct status input_body(struct response_parser *parser, const char *data, size_t n, struct buf *body,
                                size_t *ret_used) {
    bool counted = parser->state != RESPONSE_BODY_CLOSE;
    size_t used = counted && parser->left < n ? (size_t)parser->left : n;
    if (used > parser->body_limit - body->size)
        return too_much(parser);
    buf_append(body, data, used);
    if (buf_failed(body))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an HTTP answer");
    *ret_used = used;
    if (counted)
        count_down(parser, used);
    return status_ok();
}

struct status response_parser_filled(struct response_parser *parser, size_t n, size_t body_size) {
    if (body_size > parser->body_limit)
        return too_much(parser);
    count_down(parser, n);
    return status_ok();
}

static struct status input_chunk_size(struct response_parser *parser, const char *data, size_t n, size_t *ret_used) {
    bool complete = false;
    STATUS_TRY(take_line(parser, data, n, CHUNK_LINE_MAX, ret_used, &complete));
    if (!complete)
        return status_ok();
    struct slice line = {parser->line.data, parser->line.size - 2};
    uint64_t size = 0;
    size_t digits = 0;
    while (digits < line.size && digits < CHUNK_DIGITS_MAX && hex_value(line.data[digits]) >= 0)
        size = size * 16 + (uint64_t)hex_value(line.data[digits++]);
    bool ends = digits == line.size || line.data[digits] == ';' || line.data[digits] == ' ';
    if (digits == 0 || !ends || !is_field_value(line))
        return bad("a chunk size in hexadecimal digits", line);
    buf_clear(&parser->line);
    parser->left = size;
    parser->state = size > 0 ? RESPONSE_CHUNK_DATA : RESPONSE_TRAILERS;
    return status_ok();
}

/* One byte of the CR LF behind a chunk; `left` counts those seen. */
static struct status input_chunk_end(struct response_parser *parser, const char *data, size_t n, size_t *ret_used) {
    if (data[0] != "\r\n"[parser->left])
        return bad("a line end behind the chunk", (struct slice){data, n});
    *ret_used = 1;
    parser->left++;
    if (parser->left == 2)
        parser->state = RESPONSE_CHUNK_SIZE;
    return status_ok();
}

static struct status input_trailers(struct response_parser *parser, const char *data, size_t n, size_t *ret_used) {
    bool complete = false;
    STATUS_TRY(take_line(parser, data, n, HEAD_MAX - parser->trailer_size, ret_used, &complete));
    if (!complete)
        return status_ok();
    parser->trailer_size += parser->line.size;
    if (parser->line.size == 2)
        parser->state = RESPONSE_DONE;
    buf_clear(&parser->line);
    return status_ok();
}

static struct status input_some(struct response_parser *parser, const char *data, size_t n, struct buf *body,
                                size_t *ret_used) {
    switch (parser->state) {
    case RESPONSE_HEAD:
        return input_head(parser, data, n, ret_used);
    case RESPONSE_BODY_LENGTH:
    case RESPONSE_BODY_CLOSE:
    case RESPONSE_CHUNK_DATA:
        return input_body(parser, data, n, body, ret_used);
    case RESPONSE_CHUNK_SIZE:
        return input_chunk_size(parser, data, n, ret_used);
    case RESPONSE_CHUNK_END:
        return input_chunk_end(parser, data, n, ret_used);
    case RESPONSE_TRAILERS:
        return input_trailers(parser, data, n, ret_used);
    case RESPONSE_DONE:
        break;
    }
    *ret_used = 0;
    return status_ok();
}

struct status response_parser_input(struct response_parser *parser, const char *data, size_t n, struct buf *body,
                                    size_t *ret_used) {
    size_t total = 0;
    while (total < n && parser->state != RESPONSE_DONE) {
        size_t used = 0;
        STATUS_TRY(input_some(parser, data + total, n - total, body, &used));
        total += used;
    }
    *ret_used = total;
    return status_ok();
}

struct status response_parser_closed(struct response_parser *parser, size_t body_size) {
    if (parser->state == RESPONSE_BODY_CLOSE)
        parser->state = RESPONSE_DONE;
    if (parser->state == RESPONSE_DONE)
        return status_ok();
    if (parser->state == RESPONSE_HEAD && parser->line.size == 0)
        return status_error(STATUS_UNAVAILABLE, "the server closed the connection before it answered");
    return status_error(STATUS_UNAVAILABLE,
                        "the server closed the connection inside an answer, after %zu bytes of body", body_size);
}
