/* h1_body.c: the body of an HTTP/1.1 request: plain with a length, or in chunks (RFC 9112 section 7.1). */
#include "base/hex.h"
#include "http/h1_parser.h"
#include "http/http_limits.h"
#include "http/http_text.h"

static const struct h1_error H1_GOOD = {0, NULL};

void h1_body_begin(struct h1_body *body, const struct http_request *request, const struct h1_head *head,
                   const struct http_limits *limits) {
    *body = (struct h1_body){.state = H1_BODY_DONE, .overhead_limit = limits->max_head_bytes};
    if (head->chunked) {
        body->state = H1_CHUNK_SIZE;
    } else if (request->content_length > 0) {
        body->state = H1_BODY_PLAIN;
        body->left = (uint64_t)request->content_length;
    }
}

static bool take_size_byte(struct h1_body *body, unsigned char c) {
    int digit = hex_value((char)c);
    if (digit >= 0) {
        body->left = body->left * 16 + (unsigned)digit;
        return ++body->digits <= HTTP_CHUNK_SIZE_DIGITS;
    }
    if (body->digits == 0 || (c != ';' && c != '\r' && !http_is_blank((char)c)))
        return false;
    body->digits = 0;
    body->state = c == ';' ? H1_CHUNK_EXTENSION : c == '\r' ? H1_CHUNK_SIZE_LF : H1_CHUNK_BLANK;
    return true;
}

/* One byte of what stands between the pieces of data. False: it must not stand there. An explicit state machine. */
static bool take_framing_byte(struct h1_body *body, unsigned char c) {
    switch (body->state) {
    case H1_CHUNK_SIZE:
        return take_size_byte(body, c);
    case H1_CHUNK_BLANK:
        body->overhead++;
        if (c == ';')
            body->state = H1_CHUNK_EXTENSION;
        return c == ';' || http_is_blank((char)c);
    case H1_CHUNK_EXTENSION:
        body->overhead++;
        if (c == '\r')
            body->state = H1_CHUNK_SIZE_LF;
        return c == '\r' || http_char_class[c] & HTTP_CHAR_VALUE;
    case H1_CHUNK_SIZE_LF:
        body->state = body->left > 0 ? H1_CHUNK_DATA : H1_TRAILER_START;
        return c == '\n';
    case H1_CHUNK_DATA_CR:
        body->state = H1_CHUNK_DATA_LF;
        return c == '\r';
    case H1_CHUNK_DATA_LF:
        body->state = H1_CHUNK_SIZE;
        return c == '\n';
    case H1_TRAILER_START:
        body->overhead++;
        body->state = c == '\r' ? H1_TRAILER_END_LF : H1_TRAILER_NAME;
        return c == '\r' || http_char_class[c] & HTTP_CHAR_TOKEN;
    case H1_TRAILER_NAME:
        body->overhead++;
        if (c == ':')
            body->state = H1_TRAILER_VALUE;
        return c == ':' || http_char_class[c] & HTTP_CHAR_TOKEN;
    case H1_TRAILER_VALUE:
        body->overhead++;
        if (c == '\r')
            body->state = H1_TRAILER_LF;
        return c == '\r' || http_char_class[c] & HTTP_CHAR_VALUE;
    case H1_TRAILER_LF:
        body->state = H1_TRAILER_START;
        return c == '\n';
    case H1_TRAILER_END_LF:
        body->state = H1_BODY_DONE;
        return c == '\n';
    case H1_BODY_DONE:
    case H1_BODY_PLAIN:
    case H1_CHUNK_DATA:
        break;
    }
    return false;
}

static struct slice take_data(struct h1_body *body, const char *data, size_t n) {
    struct slice piece = {data, body->left < n ? (size_t)body->left : n};
    body->left -= piece.size;
    if (body->left == 0)
        body->state = body->state == H1_BODY_PLAIN ? H1_BODY_DONE : H1_CHUNK_DATA_CR;
    return piece;
}

struct h1_error h1_body_take(struct h1_body *body, const char *data, size_t n, size_t *ret_taken,
                             struct slice *ret_piece) {
    size_t at = 0;
    *ret_piece = (struct slice){NULL, 0};
    while (at < n && body->state != H1_BODY_DONE) {
        if (body->state == H1_BODY_PLAIN || body->state == H1_CHUNK_DATA) {
            *ret_piece = take_data(body, data + at, n - at);
            at += ret_piece->size;
            break;
        }
        if (!take_framing_byte(body, (unsigned char)data[at++]))
            return (struct h1_error){400, "the chunks of the request body are broken"};
        if (body->overhead > body->overhead_limit)
            return (struct h1_error){431, "the chunk extensions and trailers are longer than the limit"};
    }
    *ret_taken = at;
    return H1_GOOD;
}
