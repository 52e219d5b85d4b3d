/* h2_frame.h: the frames of HTTP/2 as bytes (RFC 9113 sections 4, 6 and 7). Only http/ and its tests include this. */
#ifndef INFERD_HTTP_H2_FRAME_H
#define INFERD_HTTP_H2_FRAME_H

#include "base/buf.h"

enum h2_frame_type {
    H2_FRAME_DATA,
    H2_FRAME_HEADERS,
    H2_FRAME_PRIORITY,
    H2_FRAME_RST_STREAM,
    H2_FRAME_SETTINGS,
    H2_FRAME_PUSH_PROMISE,
    H2_FRAME_PING,
    H2_FRAME_GOAWAY,
    H2_FRAME_WINDOW_UPDATE,
    H2_FRAME_CONTINUATION
};

enum h2_flag {
    H2_FLAG_ACK = 0x1, /* of SETTINGS and PING */
    H2_FLAG_END_STREAM = 0x1,
    H2_FLAG_END_HEADERS = 0x4,
    H2_FLAG_PADDED = 0x8,
    H2_FLAG_PRIORITY = 0x20
};

enum h2_error {
    H2_ERROR_NONE,
    H2_ERROR_PROTOCOL,
    H2_ERROR_INTERNAL,
    H2_ERROR_FLOW_CONTROL,
    H2_ERROR_SETTINGS_TIMEOUT,
    H2_ERROR_STREAM_CLOSED,
    H2_ERROR_FRAME_SIZE,
    H2_ERROR_REFUSED_STREAM,
    H2_ERROR_CANCEL,
    H2_ERROR_COMPRESSION,
    H2_ERROR_CONNECT,
    H2_ERROR_ENHANCE_YOUR_CALM
};

enum h2_setting {
    H2_SETTING_HEADER_TABLE_SIZE = 1,
    H2_SETTING_ENABLE_PUSH = 2,
    H2_SETTING_MAX_CONCURRENT_STREAMS = 3,
    H2_SETTING_INITIAL_WINDOW_SIZE = 4,
    H2_SETTING_MAX_FRAME_SIZE = 5,
    H2_SETTING_MAX_HEADER_LIST_SIZE = 6,
    H2_SETTING_NO_RFC7540_PRIORITIES = 9
};

#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_STREAM_ID_MAX UINT32_C(0x7fffffff)
#define H2_WINDOW_MAX INT32_C(0x7fffffff)

enum {
    H2_PREFACE_SIZE = 24,
    H2_FRAME_HEAD_SIZE = 9,
    H2_SETTING_SIZE = 6,
    H2_PING_SIZE = 8,
    H2_PRIORITY_SIZE = 5,
    H2_WINDOW_DEFAULT = 65535, /* of a stream and of a connection, unless something else is told */
    H2_FRAME_SIZE_DEFAULT = 16384,
    H2_FRAME_SIZE_LAST = 16777215 /* largest that a length can tell */
};

struct h2_frame {
    uint32_t length; /* of the payload */
    uint8_t type, flags;
    uint32_t stream_id;
};

static inline uint32_t h2_get_u16(const unsigned char *at) {
    return (uint32_t)at[0] << 8 | at[1];
}
static inline uint32_t h2_get_u32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
void h2_put_u32(char *at, uint32_t value);
/* Of H2_FRAME_HEAD_SIZE bytes. The reserved bit of the stream is ignored. */
static inline struct h2_frame h2_frame_parse(const unsigned char *at) {
    return (struct h2_frame){.length = h2_get_u32(at) >> 8,
                             .type = at[3],
                             .flags = at[4],
                             .stream_id = h2_get_u32(at + 5) & H2_STREAM_ID_MAX};
}

/* Writes H2_FRAME_HEAD_SIZE bytes. */
void h2_frame_write(const struct h2_frame *frame, char *at);
/* Append a whole frame; a buffer without memory fails as buf_append says. */
void h2_frame_append(struct buf *out, enum h2_frame_type type, unsigned flags, uint32_t stream_id,
                     struct slice payload);
void h2_frame_append_u32(struct buf *out, enum h2_frame_type type, uint32_t stream_id, uint32_t value);
void h2_frame_append_goaway(struct buf *out, uint32_t last_stream_id, enum h2_error error);

#endif
