/* Wire form -> message structs. One pass; an array's first allocation looks ahead at the run of equal tags, so that the
 * usual message is sized exactly and a hostile one still costs linear time and memory. */
#include "codec/pb.h"

#include <stdio.h>
#include <string.h>

#include "codec/pb_map.h"
#include "codec/pb_member.h"
#include "codec/pb_wire.h"

struct decoder {
    struct arena *arena;
    const struct pb_message *type; /* of the whole */
    const unsigned char *origin;   /* first byte of the whole */
    const char *error;             /* constant text; NULL while all is well */
    size_t error_offset;
    bool out_of_memory;
    bool maps_may_repeat; /* some map may have a key twice: they must be made unique */
    int depth;
    const struct pb_field *trail[PB_DEPTH_MAX]; /* the fields that lead to where decoding stands */
};

static bool decode_message(struct decoder *decoder, const struct pb_message *type, struct slice bytes, void *message);

static bool fail_at(struct decoder *decoder, const unsigned char *at, const char *error) {
    decoder->error = error;
    decoder->error_offset = (size_t)(at - decoder->origin);
    return false;
}

static bool fail_as(struct decoder *decoder, const struct pb_reader *reader) {
    return fail_at(decoder, reader->at, reader->error);
}

static bool fail_memory(struct decoder *decoder) {
    decoder->out_of_memory = true;
    return false;
}

static enum pb_wire_type wire_of(enum pb_kind kind) {
    static const enum pb_wire_type wires[] = {
        [PB_BOOL] = PB_WIRE_VARINT,    [PB_INT32] = PB_WIRE_VARINT,       [PB_INT64] = PB_WIRE_VARINT,
        [PB_UINT32] = PB_WIRE_VARINT,  [PB_UINT64] = PB_WIRE_VARINT,      [PB_FLOAT] = PB_WIRE_FIXED32,
        [PB_DOUBLE] = PB_WIRE_FIXED64, [PB_ENUMERATION] = PB_WIRE_VARINT, [PB_STRING] = PB_WIRE_BYTES,
        [PB_BYTES] = PB_WIRE_BYTES,    [PB_SUBMESSAGE] = PB_WIRE_BYTES,
    };
    return wires[kind];
}

/* ---- single values ---- */

static bool read_number(struct pb_reader *reader, enum pb_kind kind, void *to) {
    uint64_t wide;
    uint32_t narrow;
    if (kind == PB_FLOAT) {
        if (!pb_read_fixed32(reader, &narrow))
            return false;
        memcpy(to, &narrow, sizeof narrow);
    } else if (kind == PB_DOUBLE) {
        if (!pb_read_fixed64(reader, &wide))
            return false;
        memcpy(to, &wide, sizeof wide);
    } else {
        if (!pb_read_varint(reader, &wide))
            return false;
        pb_store_integer(kind, wide, to);
    }
    return true;
}

/* A value that is no message. */
static bool decode_value(struct decoder *decoder, struct pb_reader *reader, enum pb_kind kind, void *to) {
    if (pb_kind_is_number(kind))
        return read_number(reader, kind, to) || fail_as(decoder, reader);
    struct slice bytes;
    if (!pb_read_bytes(reader, &bytes))
        return fail_as(decoder, reader);
    if (kind == PB_STRING && !slice_is_utf8(bytes))
        return fail_at(decoder, (const unsigned char *)bytes.data, "a string that is not valid UTF-8");
    memcpy(to, &bytes, sizeof bytes);
    return true;
}

static bool decode_submessage(struct decoder *decoder, struct pb_reader *reader, const struct pb_field *field,
                              void *message) {
    struct slice bytes;
    if (!pb_read_bytes(reader, &bytes))
        return fail_as(decoder, reader);
    return decode_message(decoder, field->message, bytes, message);
}

/* ---- repeated fields ---- */

static bool reserve(struct decoder *decoder, const struct pb_field *field, struct pb_repeated *repeated, size_t more) {
    return pb_reserve(decoder->arena, repeated, pb_item_size(field), more) || fail_memory(decoder);
}

/* How many values of the same field follow the one whose value stands next. */
static size_t count_run(struct pb_reader reader, uint32_t number, enum pb_wire_type wire) {
    uint32_t next_number;
    enum pb_wire_type next_wire;
    size_t count = 0;
    while (pb_skip(&reader, number, wire, PB_DEPTH_MAX) && !pb_reader_done(&reader)) {
        if (!pb_read_tag(&reader, &next_number, &next_wire) || next_number != number || next_wire != wire)
            break;
        count++;
    }
    return count;
}

static bool give_entry_its_value(struct decoder *decoder, const struct pb_field *map, void *entry) {
    const struct pb_field *value = pb_map_value_field(map->message);
    if (value->kind == PB_SUBMESSAGE && !pb_obtain_message(decoder->arena, value, entry))
        return fail_memory(decoder);
    return true;
}

static bool decode_item(struct decoder *decoder, struct pb_reader *reader, const struct pb_field *field,
                        void *message) {
    struct pb_repeated repeated = pb_load_repeated(field, message);
    size_t item_size = pb_item_size(field);
    if (repeated.count == repeated.capacity &&
        !reserve(decoder, field, &repeated, 1 + count_run(*reader, field->number, wire_of(field->kind))))
        return false;
    void *item = pb_item(repeated, item_size, repeated.count++);
    pb_store_repeated(field, message, repeated);
    if (field->kind != PB_SUBMESSAGE)
        return decode_value(decoder, reader, field->kind, item);
    memset(item, 0, item_size);
    if (!decode_submessage(decoder, reader, field, item))
        return false;
    if (field->label != PB_LABEL_MAP)
        return true;
    decoder->maps_may_repeat |= pb_map_last_may_repeat(field, repeated);
    return give_entry_its_value(decoder, field, item);
}

/* Varints in the bytes, which a reader will find exactly, or fail. */
static size_t count_varints(struct slice bytes) {
    size_t count = 0;
    for (size_t i = 0; i < bytes.size; i++)
        count += (unsigned char)bytes.data[i] < 0x80;
    return count;
}

static bool decode_packed(struct decoder *decoder, struct pb_reader *outer, const struct pb_field *field,
                          void *message) {
    struct slice bytes;
    if (!pb_read_bytes(outer, &bytes))
        return fail_as(decoder, outer);
    size_t item_size = pb_item_size(field);
    bool fixed = field->kind == PB_FLOAT || field->kind == PB_DOUBLE;
    if (fixed && bytes.size % item_size)
        return fail_at(decoder, (const unsigned char *)bytes.data,
                       "packed values whose length is no multiple of theirs");
    size_t count = fixed ? bytes.size / item_size : count_varints(bytes);
    if (count == 0)
        return bytes.size == 0 || fail_at(decoder, (const unsigned char *)bytes.data, "the data ends inside a varint");
    struct pb_repeated repeated = pb_load_repeated(field, message);
    if (!reserve(decoder, field, &repeated, count))
        return false;
    if (fixed && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        memcpy(pb_item(repeated, item_size, repeated.count), bytes.data, bytes.size);
        repeated.count += count;
    } else {
        struct pb_reader reader = pb_reader_on(bytes);
        while (!pb_reader_done(&reader)) {
            if (!read_number(&reader, field->kind, pb_item(repeated, item_size, repeated.count)))
                return fail_as(decoder, &reader);
            repeated.count++;
        }
    }
    pb_store_repeated(field, message, repeated);
    return true;
}

/* ---- messages ---- */

static bool decode_singular(struct decoder *decoder, struct pb_reader *reader, const struct pb_message *type,
                            const struct pb_field *field, void *message) {
    pb_choose(type, field, message);
    if (field->kind != PB_SUBMESSAGE)
        return decode_value(decoder, reader, field->kind, pb_member_mutable(field, message));
    void *inner = pb_obtain_message(decoder->arena, field, message);
    if (!inner)
        return fail_memory(decoder);
    return decode_submessage(decoder, reader, field, inner);
}

/* The value behind a field's tag. One of the wrong wire type is skipped like an unknown field, as protobuf does. */
static bool decode_field(struct decoder *decoder, struct pb_reader *reader, const struct pb_message *type,
                         const struct pb_field *field, enum pb_wire_type wire, void *message) {
    if (wire == wire_of(field->kind)) {
        if (field->label == PB_LABEL_SINGULAR)
            return decode_singular(decoder, reader, type, field, message);
        return decode_item(decoder, reader, field, message);
    }
    if (field->label == PB_LABEL_REPEATED && wire == PB_WIRE_BYTES && pb_kind_is_number(field->kind))
        return decode_packed(decoder, reader, field, message);
    return pb_skip(reader, field->number, wire, PB_DEPTH_MAX - decoder->depth) || fail_as(decoder, reader);
}

static bool decode_message(struct decoder *decoder, const struct pb_message *type, struct slice bytes, void *message) {
    struct pb_reader reader = pb_reader_on(bytes);
    if (decoder->depth == PB_DEPTH_MAX)
        return fail_at(decoder, reader.at, "messages nested too deep");
    while (!pb_reader_done(&reader)) {
        uint32_t number;
        enum pb_wire_type wire;
        if (!pb_read_tag(&reader, &number, &wire))
            return fail_as(decoder, &reader);
        const struct pb_field *field = pb_field_by_number(type, number);
        if (!field) {
            if (!pb_skip(&reader, number, wire, PB_DEPTH_MAX - decoder->depth))
                return fail_as(decoder, &reader);
            continue;
        }
        decoder->trail[decoder->depth++] = field;
        if (!decode_field(decoder, &reader, type, field, wire, message))
            return false;
        decoder->depth--;
    }
    return true;
}

static struct status decode_error(const struct decoder *decoder) {
    if (decoder->out_of_memory)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "%s: decoding it takes more memory than is allowed",
                            decoder->type->name);
    char path[STATUS_MESSAGE_MAX / 2] = "";
    size_t used = 0;
    for (int i = 0; i < decoder->depth && used < sizeof path; i++)
        used += (size_t)snprintf(path + used, sizeof path - used, ".%s", decoder->trail[i]->name);
    return status_error(STATUS_INVALID_ARGUMENT, "%s%s: byte %zu: %s", decoder->type->name, path, decoder->error_offset,
                        decoder->error);
}

struct status pb_decode(const struct pb_message *type, struct slice bytes, struct arena *arena, void *ret) {
    struct decoder decoder; /* its trail is not cleared: there is much of it, and depth tells what counts */
    decoder.arena = arena;
    decoder.type = type;
    decoder.origin = pb_reader_on(bytes).start;
    decoder.error = NULL;
    decoder.error_offset = 0;
    decoder.out_of_memory = decoder.maps_may_repeat = false;
    decoder.depth = 0;
    memset(ret, 0, type->size);
    if (!decode_message(&decoder, type, bytes, ret))
        return decode_error(&decoder);
    if (decoder.maps_may_repeat && !pb_map_make_unique(type, ret))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "%s: out of memory while decoding its maps", type->name);
    return status_ok();
}
