/* frames.h: HTTP/2 written by hand, frame by frame, for tests. */
#ifndef INFERD_TEST_HTTP_FRAMES_H
#define INFERD_TEST_HTTP_FRAMES_H

#include <string.h>

#include "http/h2_frame.h"

static const struct slice NO_BODY = {NULL, 0};

/* In any form, also those that h2_frame_append would not write. */
static inline void append_frame(struct buf *out, unsigned type, unsigned flags, uint32_t stream, struct slice payload) {
    h2_frame_append(out, (enum h2_frame_type)type, flags, stream, payload);
}

static inline void append_setting(struct buf *out, enum h2_setting setting, uint32_t value) {
    const char row[H2_SETTING_SIZE] = {
        0, (char)setting, (char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
    append_frame(out, H2_FRAME_SETTINGS, 0, 0, (struct slice){row, sizeof row});
}

static inline void append_window(struct buf *out, uint32_t stream, uint32_t more) {
    h2_frame_append_u32(out, H2_FRAME_WINDOW_UPDATE, stream, more);
}

static inline void append_reset(struct buf *out, uint32_t stream) {
    h2_frame_append_u32(out, H2_FRAME_RST_STREAM, stream, H2_ERROR_CANCEL);
}

static inline void append_preface(struct buf *out) {
    buf_append_text(out, H2_PREFACE);
    append_frame(out, H2_FRAME_SETTINGS, 0, 0, NO_BODY);
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

/* A whole block as HEADERS; frees it. */
static inline void append_block(struct buf *out, uint32_t stream, struct buf *block, unsigned flags) {
    append_frame(out, H2_FRAME_HEADERS, flags | H2_FLAG_END_HEADERS, stream, buf_slice(block));
    buf_free(block);
}

static inline void append_request(struct buf *out, uint32_t stream, const char *path, unsigned flags) {
    struct buf block = request_block(path);
    append_block(out, stream, &block, flags);
}

#endif
