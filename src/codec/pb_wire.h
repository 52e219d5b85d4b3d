/* pb_wire.h: the primitives of protobuf's wire form, for the table-driven codec and for those who read or write
 * messages by hand (ONNX and TensorFlow graph writers, tests).
 *
 * Thread: none of its own. Source: protobuf.dev, "Encoding". */
#ifndef INFERD_CODEC_PB_WIRE_H
#define INFERD_CODEC_PB_WIRE_H

#include "base/buf.h"

enum pb_wire_type {
    PB_WIRE_VARINT = 0,
    PB_WIRE_FIXED64 = 1,
    PB_WIRE_BYTES = 2, /* length-delimited */
    PB_WIRE_GROUP = 3,
    PB_WIRE_GROUP_END = 4,
    PB_WIRE_FIXED32 = 5
};

enum { PB_VARINT_MAX = 10 }; /* bytes */

/* ---- reading ---- */

/* Walks over bytes that it borrows. After a function has returned false, `error` says why and `at` stands where it
 * failed; reading on is pointless. */
struct pb_reader {
    const unsigned char *start, *at, *end;
    const char *error; /* constant text, or NULL */
};

struct pb_reader pb_reader_on(struct slice bytes);
static inline bool pb_reader_done(const struct pb_reader *reader) {
    return reader->at == reader->end;
}
static inline size_t pb_reader_offset(const struct pb_reader *reader) {
    return (size_t)(reader->at - reader->start);
}
/* At most PB_VARINT_MAX bytes; bits beyond 64 are dropped, as protobuf does. */
bool pb_read_varint(struct pb_reader *reader, uint64_t *ret);
/* Field numbers are 1..2^29-1; wire types 6 and 7 do not exist. */
bool pb_read_tag(struct pb_reader *reader, uint32_t *ret_number, enum pb_wire_type *ret_wire);
bool pb_read_fixed32(struct pb_reader *reader, uint32_t *ret);
bool pb_read_fixed64(struct pb_reader *reader, uint64_t *ret);
/* A length and that many bytes, borrowed. */
bool pb_read_bytes(struct pb_reader *reader, struct slice *ret);
/* Skips the value behind a tag; a group with all that is in it, down to `depth` levels. */
bool pb_skip(struct pb_reader *reader, uint32_t number, enum pb_wire_type wire, int depth);

/* ---- writing: whole fields appended to a buf; check buf_failed() at the end ---- */

size_t pb_varint_size(uint64_t value);
size_t pb_tag_size(uint32_t number);
/* Bytes of a length-delimited field with `size` bytes of content. */
size_t pb_bytes_field_size(uint32_t number, size_t size);

void pb_write_varint(struct buf *out, uint64_t value); /* no tag */
void pb_write_tag(struct buf *out, uint32_t number, enum pb_wire_type wire);
void pb_write_uint64(struct buf *out, uint32_t number, uint64_t value); /* also uint32, bool and enums */
void pb_write_int64(struct buf *out, uint32_t number, int64_t value);   /* also int32; negative: 10 bytes */
void pb_write_fixed32(struct buf *out, uint32_t number, uint32_t value);
void pb_write_fixed64(struct buf *out, uint32_t number, uint64_t value);
void pb_write_float(struct buf *out, uint32_t number, float value);
void pb_write_double(struct buf *out, uint32_t number, double value);
void pb_write_bytes(struct buf *out, uint32_t number, struct slice bytes); /* also strings */
void pb_write_text(struct buf *out, uint32_t number, const char *text);
/* Tag and length of a length-delimited field whose `size` content bytes the caller appends (or streams) himself. */
void pb_write_bytes_head(struct buf *out, uint32_t number, size_t size);
void pb_write_packed_int64(struct buf *out, uint32_t number, const int64_t *values, size_t count);
/* A sub-message whose length is not known yet: everything appended between begin and end is its content. End moves the
 * content by the bytes that its length needs beyond one, so put big payloads behind pb_write_bytes_head where that
 * counts. */
size_t pb_write_begin(struct buf *out, uint32_t number);
void pb_write_end(struct buf *out, size_t mark);

#endif
