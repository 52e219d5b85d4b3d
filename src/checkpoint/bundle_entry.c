#include "checkpoint/bundle_entry.h"

#include "codec/pb_wire.h"

/* One field of a message: a number (varints and fixed ones) or bytes. */
struct field {
    uint32_t number;
    enum pb_wire_type wire;
    uint64_t value;
    struct slice bytes;
};

static bool take_field(struct pb_reader *reader, struct field *ret) {
    uint32_t fixed = 0;
    *ret = (struct field){0};
    if (!pb_read_tag(reader, &ret->number, &ret->wire))
        return false;
    switch (ret->wire) {
    case PB_WIRE_VARINT:
        return pb_read_varint(reader, &ret->value);
    case PB_WIRE_FIXED64:
        return pb_read_fixed64(reader, &ret->value);
    case PB_WIRE_FIXED32:
        if (!pb_read_fixed32(reader, &fixed))
            return false;
        ret->value = fixed;
        return true;
    case PB_WIRE_BYTES:
        return pb_read_bytes(reader, &ret->bytes);
    case PB_WIRE_GROUP:
    case PB_WIRE_GROUP_END:
        break; /* these messages have none */
    }
    return false;
}

bool bundle_header_decode(struct slice message, struct bundle_header *ret) {
    enum { NUM_SHARDS = 1, ENDIANNESS = 2 };
    struct bundle_header header = {0};
    struct pb_reader reader = pb_reader_on(message);
    while (!pb_reader_done(&reader)) {
        struct field field;
        if (!take_field(&reader, &field))
            return false;
        if (field.number == NUM_SHARDS && field.wire == PB_WIRE_VARINT)
            header.shard_count = (int64_t)field.value;
        if (field.number == ENDIANNESS && field.wire == PB_WIRE_VARINT)
            header.big_endian = field.value != 0;
    }
    *ret = header;
    return true;
}

/* TensorShapeProto.Dim */
static bool decode_dimension(struct slice message, int64_t *ret) {
    enum { SIZE = 1 };
    *ret = 0;
    struct pb_reader reader = pb_reader_on(message);
    while (!pb_reader_done(&reader)) {
        struct field field;
        if (!take_field(&reader, &field))
            return false;
        if (field.number == SIZE && field.wire == PB_WIRE_VARINT)
            *ret = (int64_t)field.value;
    }
    return true;
}

/* TensorShapeProto */
static bool decode_shape(struct slice message, struct bundle_entry *entry) {
    enum { DIM = 2 };
    struct pb_reader reader = pb_reader_on(message);
    while (!pb_reader_done(&reader)) {
        struct field field;
        int64_t dimension;
        if (!take_field(&reader, &field))
            return false;
        if (field.number != DIM || field.wire != PB_WIRE_BYTES)
            continue;
        if (!decode_dimension(field.bytes, &dimension))
            return false;
        if (entry->rank == WEIGHT_RANK_MAX)
            entry->rank_too_high = true;
        else
            entry->dims[entry->rank++] = dimension;
    }
    return true;
}

bool bundle_entry_decode(struct slice message, struct bundle_entry *ret) {
    enum { DTYPE = 1, SHAPE = 2, SHARD_ID = 3, OFFSET = 4, SIZE = 5, CRC32C = 6, SLICES = 7 };
    struct bundle_entry entry = {0};
    struct pb_reader reader = pb_reader_on(message);
    while (!pb_reader_done(&reader)) {
        struct field field;
        if (!take_field(&reader, &field))
            return false;
        if (field.wire == PB_WIRE_VARINT) {
            int64_t ignored, *to = field.number == DTYPE      ? &entry.type
                                   : field.number == SHARD_ID ? &entry.shard
                                   : field.number == OFFSET   ? &entry.offset
                                   : field.number == SIZE     ? &entry.size
                                                              : &ignored;
            *to = (int64_t)field.value;
        } else if (field.number == CRC32C && field.wire == PB_WIRE_FIXED32) {
            entry.masked_crc32c = (uint32_t)field.value;
        } else if (field.number == SLICES && field.wire == PB_WIRE_BYTES) {
            entry.sliced = true;
        } else if (field.number == SHAPE && field.wire == PB_WIRE_BYTES && !decode_shape(field.bytes, &entry)) {
            return false;
        }
    }
    *ret = entry;
    return true;
}

const char *bundle_type_name(int64_t type, enum weight_type *ret_type, size_t *ret_size) {
    static const struct {
        int64_t number;
        const char *name;
        enum weight_type type;
        size_t size;
    } rows[] = {
        {1, "DT_FLOAT", WEIGHT_F32, 4},      {2, "DT_DOUBLE", WEIGHT_OTHER, 8}, {3, "DT_INT32", WEIGHT_OTHER, 4},
        {7, "DT_STRING", WEIGHT_OTHER, 0},   {9, "DT_INT64", WEIGHT_OTHER, 8},  {10, "DT_BOOL", WEIGHT_OTHER, 1},
        {14, "DT_BFLOAT16", WEIGHT_BF16, 2}, {19, "DT_HALF", WEIGHT_F16, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].number == type) {
            *ret_type = rows[i].type;
            *ret_size = rows[i].size;
            return rows[i].name;
        }
    *ret_type = WEIGHT_OTHER;
    *ret_size = 0;
    return "another DataType";
}
