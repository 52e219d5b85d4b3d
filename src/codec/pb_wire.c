#include "codec/pb_wire.h"

#include <string.h>

/* ---- reading ---- */

struct pb_reader pb_reader_on(struct slice bytes) {
    /* An empty slice may have no pointer; arithmetic on NULL is undefined, so point at something. */
    const unsigned char *data = (const unsigned char *)(bytes.data ? bytes.data : "");
    return (struct pb_reader){data, data, data + bytes.size, NULL};
}

static bool fail(struct pb_reader *reader, const char *error) {
    reader->error = error;
    return false;
}

static size_t left(const struct pb_reader *reader) {
    return (size_t)(reader->end - reader->at);
}

bool pb_read_varint(struct pb_reader *reader, uint64_t *ret) {
    size_t available = left(reader);
    const unsigned char *at = reader->at;
    if (available > 0 && at[0] < 0x80) {
        *ret = at[0];
        reader->at++;
        return true;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < PB_VARINT_MAX; i++) {
        if (i == available)
            return fail(reader, "the data ends inside a varint");
        value |= (uint64_t)(at[i] & 0x7F) << (7 * i);
        if (at[i] < 0x80) {
            *ret = value;
            reader->at += i + 1;
            return true;
        }
    }
    return fail(reader, "a varint of more than 10 bytes");
}

bool pb_read_tag(struct pb_reader *reader, uint32_t *ret_number, enum pb_wire_type *ret_wire) {
    const unsigned char *before = reader->at;
    uint64_t tag;
    if (!pb_read_varint(reader, &tag))
        return false;
    unsigned wire = (unsigned)(tag & 7);
    if (tag > UINT32_MAX || tag >> 3 == 0 || wire > PB_WIRE_FIXED32) {
        reader->at = before;
        return fail(reader, wire > PB_WIRE_FIXED32 ? "a tag with a wire type that does not exist"
                                                   : "a tag with a field number outside 1..536870911");
    }
    *ret_number = (uint32_t)(tag >> 3);
    *ret_wire = (enum pb_wire_type)wire;
    return true;
}

bool pb_read_fixed32(struct pb_reader *reader, uint32_t *ret) {
    if (left(reader) < 4)
        return fail(reader, "the data ends inside a 4-byte value");
    const unsigned char *p = reader->at;
    *ret = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    reader->at += 4;
    return true;
}

bool pb_read_fixed64(struct pb_reader *reader, uint64_t *ret) {
    uint32_t low, high;
    if (left(reader) < 8)
        return fail(reader, "the data ends inside an 8-byte value");
    if (!pb_read_fixed32(reader, &low) || !pb_read_fixed32(reader, &high))
        return false;
    *ret = (uint64_t)high << 32 | low;
    return true;
}

bool pb_read_bytes(struct pb_reader *reader, struct slice *ret) {
    const unsigned char *before = reader->at;
    uint64_t size;
    if (!pb_read_varint(reader, &size))
        return false;
    if (size > left(reader)) {
        reader->at = before;
        return fail(reader, "a length that goes past the end of the data");
    }
    *ret = (struct slice){(const char *)reader->at, (size_t)size};
    reader->at += (size_t)size;
    return true;
}

/* Everything up to and with the end tag of group `number`. */
static bool skip_group(struct pb_reader *reader, uint32_t number, int depth) {
    if (depth <= 0)
        return fail(reader, "groups nested too deep");
    for (;;) {
        uint32_t inner;
        enum pb_wire_type wire;
        if (pb_reader_done(reader))
            return fail(reader, "the data ends inside a group");
        if (!pb_read_tag(reader, &inner, &wire))
            return false;
        if (wire == PB_WIRE_GROUP_END)
            return inner == number || fail(reader, "a group ends with the tag of another group");
        if (!pb_skip(reader, inner, wire, depth - 1))
            return false;
    }
}

bool pb_skip(struct pb_reader *reader, uint32_t number, enum pb_wire_type wire, int depth) {
    uint64_t wide;
    uint32_t narrow;
    struct slice bytes;
    switch (wire) {
    case PB_WIRE_VARINT:
        return pb_read_varint(reader, &wide);
    case PB_WIRE_FIXED64:
        return pb_read_fixed64(reader, &wide);
    case PB_WIRE_FIXED32:
        return pb_read_fixed32(reader, &narrow);
    case PB_WIRE_BYTES:
        return pb_read_bytes(reader, &bytes);
    case PB_WIRE_GROUP:
        return skip_group(reader, number, depth);
    case PB_WIRE_GROUP_END:
        return fail(reader, "the end of a group that was not begun");
    }
    return fail(reader, "a wire type that does not exist");
}

/* ---- writing ---- */

size_t pb_varint_size(uint64_t value) {
    if (value < 0x80)
        return 1; /* as most are: tags and short lengths */
    unsigned bits = 64u - (unsigned)__builtin_clzll(value);
    return (bits + 6) / 7;
}

size_t pb_tag_size(uint32_t number) {
    return pb_varint_size((uint64_t)number << 3);
}

size_t pb_bytes_field_size(uint32_t number, size_t size) {
    return pb_tag_size(number) + pb_varint_size(size) + size;
}

static size_t put_varint(char *to, uint64_t value) {
    size_t size = 0;
    while (value >= 0x80) {
        to[size++] = (char)(unsigned char)(value | 0x80);
        value >>= 7;
    }
    to[size++] = (char)value;
    return size;
}

void pb_write_varint(struct buf *out, uint64_t value) {
    char bytes[PB_VARINT_MAX];
    buf_append(out, bytes, put_varint(bytes, value));
}

void pb_write_tag(struct buf *out, uint32_t number, enum pb_wire_type wire) {
    pb_write_varint(out, (uint64_t)number << 3 | (uint64_t)wire);
}

void pb_write_uint64(struct buf *out, uint32_t number, uint64_t value) {
    pb_write_tag(out, number, PB_WIRE_VARINT);
    pb_write_varint(out, value);
}

void pb_write_int64(struct buf *out, uint32_t number, int64_t value) {
    pb_write_uint64(out, number, (uint64_t)value);
}

static void append_little_endian(struct buf *out, uint64_t value, size_t size) {
    char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(unsigned char)(value >> (8 * i));
    buf_append(out, bytes, size);
}

void pb_write_fixed32(struct buf *out, uint32_t number, uint32_t value) {
    pb_write_tag(out, number, PB_WIRE_FIXED32);
    append_little_endian(out, value, 4);
}

void pb_write_fixed64(struct buf *out, uint32_t number, uint64_t value) {
    pb_write_tag(out, number, PB_WIRE_FIXED64);
    append_little_endian(out, value, 8);
}

void pb_write_float(struct buf *out, uint32_t number, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    pb_write_fixed32(out, number, bits);
}

void pb_write_double(struct buf *out, uint32_t number, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    pb_write_fixed64(out, number, bits);
}

void pb_write_bytes_head(struct buf *out, uint32_t number, size_t size) {
    pb_write_tag(out, number, PB_WIRE_BYTES);
    pb_write_varint(out, size);
}

void pb_write_bytes(struct buf *out, uint32_t number, struct slice bytes) {
    pb_write_bytes_head(out, number, bytes.size);
    buf_append_slice(out, bytes);
}

void pb_write_text(struct buf *out, uint32_t number, const char *text) {
    pb_write_bytes(out, number, slice_of(text));
}

void pb_write_packed_int64(struct buf *out, uint32_t number, const int64_t *values, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += pb_varint_size((uint64_t)values[i]);
    pb_write_bytes_head(out, number, size);
    for (size_t i = 0; i < count; i++)
        pb_write_varint(out, (uint64_t)values[i]);
}

size_t pb_write_begin(struct buf *out, uint32_t number) {
    pb_write_tag(out, number, PB_WIRE_BYTES);
    buf_append_char(out, 0); /* the length, when it fits one byte */
    return out->size;
}

void pb_write_end(struct buf *out, size_t mark) {
    if (buf_failed(out))
        return;
    char length[PB_VARINT_MAX];
    size_t content = out->size - mark, length_size = put_varint(length, content);
    if (!buf_reserve(out, length_size - 1))
        return;
    char *start = out->data + mark;
    memmove(start + length_size - 1, start, content);
    memcpy(start - 1, length, length_size);
    out->size += length_size - 1;
}
