/* Message structs -> wire form. The size is computed first, over the structs alone, so that the bytes are written once,
 * into memory reserved once: a large bytes field costs one memcpy. They are written from the last to the first: how
 * long a sub-message is tells itself when it stands there. */
#include "codec/pb.h"

#include <string.h>

#include "codec/pb_member.h"
#include "codec/pb_wire.h"

static size_t message_size(const struct pb_message *type, const void *message);
static char *put_message(char *end, const struct pb_message *type, const void *message);

/* ---- sizes ---- */

/* The number as the varint that stands for it: 32-bit signed ones are sign-extended. */
static uint64_t varint_of(enum pb_kind kind, const void *value) {
    uint64_t wide;
    uint32_t narrow;
    if (kind == PB_BOOL)
        return *(const bool *)value;
    if (kind == PB_INT64 || kind == PB_UINT64) {
        memcpy(&wide, value, sizeof wide);
        return wide;
    }
    memcpy(&narrow, value, sizeof narrow);
    return kind == PB_UINT32 ? narrow : (uint64_t)(int64_t)(int32_t)narrow;
}

static size_t number_size(enum pb_kind kind, const void *value) {
    if (kind == PB_FLOAT)
        return 4;
    if (kind == PB_DOUBLE)
        return 8;
    return pb_varint_size(varint_of(kind, value));
}

/* Content bytes of one value that is not a number: for messages `value` is the struct. */
static size_t content_size(const struct pb_field *field, const void *value) {
    return field->kind == PB_SUBMESSAGE ? message_size(field->message, value) : pb_load_slice(value).size;
}

static size_t packed_size(const struct pb_field *field, struct pb_repeated repeated) {
    size_t item_size = pb_item_size(field), size = 0;
    if (field->kind == PB_FLOAT || field->kind == PB_DOUBLE)
        return repeated.count * item_size;
    for (size_t i = 0; i < repeated.count; i++)
        size += number_size(field->kind, pb_item(repeated, item_size, i));
    return size;
}

static size_t repeated_size(const struct pb_field *field, const void *message) {
    struct pb_repeated repeated = pb_load_repeated(field, message);
    size_t item_size = pb_item_size(field), size = 0;
    if (repeated.count > 0 && pb_kind_is_number(field->kind))
        return pb_bytes_field_size(field->number, packed_size(field, repeated));
    for (size_t i = 0; i < repeated.count; i++)
        size += pb_bytes_field_size(field->number, content_size(field, pb_item(repeated, item_size, i)));
    return size;
}

/* Where a singular value stands: the member, or the struct that it points to (NULL: a oneof's message that was chosen
 * but not given, which is an empty one). */
static const void *singular_value(const struct pb_field *field, const void *message) {
    return field->kind == PB_SUBMESSAGE ? pb_load_message(field, message) : pb_member(field, message);
}

static size_t message_size(const struct pb_message *type, const void *message) {
    size_t size = 0;
    for (size_t i = 0; message && i < type->field_count; i++) {
        const struct pb_field *field = &type->fields[i];
        if (!pb_member_is_set(field, message))
            continue;
        if (field->label != PB_LABEL_SINGULAR)
            size += repeated_size(field, message);
        else if (pb_kind_is_number(field->kind))
            size += pb_tag_size(field->number) + number_size(field->kind, pb_member(field, message));
        else
            size += pb_bytes_field_size(field->number, content_size(field, singular_value(field, message)));
    }
    return size;
}

/* ---- bytes: each function writes in front of `end`, where room has been reserved, and returns the begin ---- */

static char *put_varint(char *end, uint64_t value) {
    char *begin = end - pb_varint_size(value), *to = begin;
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(unsigned char)(value | 0x80);
    *to = (char)value;
    return begin;
}

static char *put_tag(char *end, const struct pb_field *field, enum pb_wire_type wire) {
    return put_varint(end, (uint64_t)field->number << 3 | (uint64_t)wire);
}

static char *put_little_endian(char *end, uint64_t value, size_t size) {
    char *begin = end - size;
    for (size_t i = 0; i < size; i++)
        begin[i] = (char)(unsigned char)(value >> (8 * i));
    return begin;
}

static char *put_number(char *end, enum pb_kind kind, const void *value) {
    uint64_t wide;
    uint32_t narrow;
    if (kind == PB_FLOAT) {
        memcpy(&narrow, value, sizeof narrow);
        return put_little_endian(end, narrow, 4);
    }
    if (kind == PB_DOUBLE) {
        memcpy(&wide, value, sizeof wide);
        return put_little_endian(end, wide, 8);
    }
    return put_varint(end, varint_of(kind, value));
}

static enum pb_wire_type number_wire(enum pb_kind kind) {
    return kind == PB_FLOAT ? PB_WIRE_FIXED32 : kind == PB_DOUBLE ? PB_WIRE_FIXED64 : PB_WIRE_VARINT;
}

/* Tag and length in front of content that ends at `end` and begins at `begin`. */
static char *put_length(char *begin, const char *end, const struct pb_field *field) {
    return put_tag(put_varint(begin, (uint64_t)(end - begin)), field, PB_WIRE_BYTES);
}

static char *put_content(char *end, const struct pb_field *field, const void *value) {
    if (field->kind == PB_SUBMESSAGE)
        return put_length(put_message(end, field->message, value), end, field);
    struct slice bytes = pb_load_slice(value);
    char *begin = end - bytes.size;
    if (bytes.size)
        memcpy(begin, bytes.data, bytes.size);
    return put_length(begin, end, field);
}

static char *put_repeated(char *end, const struct pb_field *field, const void *message) {
    struct pb_repeated repeated = pb_load_repeated(field, message);
    size_t item_size = pb_item_size(field);
    bool packed = pb_kind_is_number(field->kind);
    char *begin = end;
    for (size_t i = repeated.count; i > 0; i--) {
        const void *item = pb_item(repeated, item_size, i - 1);
        begin = packed ? put_number(begin, field->kind, item) : put_content(begin, field, item);
    }
    return packed ? put_length(begin, end, field) : begin;
}

static char *put_message(char *end, const struct pb_message *type, const void *message) {
    char *begin = end;
    for (size_t i = type->field_count; message && i > 0; i--) {
        const struct pb_field *field = &type->fields[i - 1];
        if (!pb_member_is_set(field, message))
            continue;
        if (field->label != PB_LABEL_SINGULAR)
            begin = put_repeated(begin, field, message);
        else if (pb_kind_is_number(field->kind))
            begin = put_tag(put_number(begin, field->kind, pb_member(field, message)), field, number_wire(field->kind));
        else
            begin = put_content(begin, field, singular_value(field, message));
    }
    return begin;
}

size_t pb_encoded_size(const struct pb_message *type, const void *message) {
    return message_size(type, message);
}

struct status pb_encode(const struct pb_message *type, const void *message, struct buf *out) {
    size_t size = message_size(type, message);
    char *to = buf_reserve(out, size);
    if (!to)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a %s of %zu bytes", type->name, size);
    put_message(to + size, type, message);
    out->size += size;
    return status_ok();
}
