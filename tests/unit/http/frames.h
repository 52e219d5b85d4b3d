/* frames.h: HTTP/2 written by hand, frame by frame, for tests. */
#ifndef INFERD_TEST_HTTP_FRAMES_H
#define INFERD_TEST_HTTP_FRAMES_H

#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/buf.h"

static const struct slice NO_BODY = {NULL, 0};

static inline void append_frame(struct buf *out, unsigned type, unsigned flags, unsigned stream, struct slice payload) {
    const unsigned char head[9] = {(unsigned char)(payload.size >> 16),
                                   (unsigned char)(payload.size >> 8),
                                   (unsigned char)payload.size,
                                   (unsigned char)type,
                                   (unsigned char)flags,
                                   (unsigned char)(stream >> 24),
                                   (unsigned char)(stream >> 16),
                                   (unsigned char)(stream >> 8),
                                   (unsigned char)stream};
    buf_append(out, head, sizeof head);
    buf_append_slice(out, payload);
}

static inline void append_preface(struct buf *out) {
    buf_append_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    append_frame(out, NGHTTP2_SETTINGS, 0, 0, NO_BODY);
}

/* A field without indexing and without Huffman code (RFC 7541 section 6.2.2); short texts only. */
static inline void append_field(struct buf *block, const char *name, const char *value) {
    buf_append_char(block, 0);
    buf_append_char(block, (char)strlen(name));
    buf_append_text(block, name);
    buf_append_char(block, (char)strlen(value));
    buf_append_text(block, value);
}

static inline struct buf request_block(const char *path) {
    struct buf block = BUF_EMPTY;
    append_field(&block, ":method", "POST");
    append_field(&block, ":scheme", "http");
    append_field(&block, ":authority", "test");
    append_field(&block, ":path", path);
    return block;
}

static inline void append_request(struct buf *out, unsigned stream, const char *path, unsigned flags) {
    struct buf block = request_block(path);
    append_frame(out, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream, buf_slice(&block));
    buf_free(&block);
}

#endif
