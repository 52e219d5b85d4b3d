/* wire_tree.h: looking things up in a serialized protobuf message without its descriptor, for tests of hand-written
 * ones. */
#ifndef INFERD_TESTS_EXPORT_WIRE_TREE_H
#define INFERD_TESTS_EXPORT_WIRE_TREE_H

#include "../../checkpoint/scratch.h"
#include "codec/pb_wire.h"

/* The next field with this number in `message`, which is moved past it: its bytes, or its number in *ret_value. Fails
 * the test on malformed bytes. False at the end. */
static inline bool next_field(struct slice *message, uint32_t number, struct slice *ret_bytes, uint64_t *ret_value) {
    struct pb_reader reader = pb_reader_on(*message);
    while (!pb_reader_done(&reader)) {
        uint32_t found, fixed;
        enum pb_wire_type wire;
        struct slice bytes = {NULL, 0};
        uint64_t value = 0;
        assert_true(pb_read_tag(&reader, &found, &wire));
        if (wire == PB_WIRE_BYTES) {
            assert_true(pb_read_bytes(&reader, &bytes));
        } else if (wire == PB_WIRE_FIXED32) {
            assert_true(pb_read_fixed32(&reader, &fixed));
            value = fixed;
        } else {
            assert_int_equal(wire, PB_WIRE_VARINT); /* nothing else is written */
            assert_true(pb_read_varint(&reader, &value));
        }
        if (found != number)
            continue;
        size_t done = pb_reader_offset(&reader);
        *message = (struct slice){message->data + done, message->size - done};
        if (ret_bytes)
            *ret_bytes = bytes;
        if (ret_value)
            *ret_value = value;
        return true;
    }
    return false;
}

/* The first field with this number. */
static inline struct slice field_bytes(struct slice message, uint32_t number) {
    struct slice bytes = {NULL, 0};
    assert_true(next_field(&message, number, &bytes, NULL));
    return bytes;
}

static inline uint64_t field_value(struct slice message, uint32_t number) {
    uint64_t value = 0;
    assert_true(next_field(&message, number, NULL, &value));
    return value;
}

/* A set of names. */
struct names {
    struct slice items[4096];
    size_t count;
};

static inline bool names_has(const struct names *names, struct slice name) {
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal(names->items[i], name))
            return true;
    return false;
}

static inline void names_add(struct names *names, struct slice name) {
    if (names_has(names, name))
        print_error("defined twice: %.*s\n", SLICE_ARGS(name));
    assert_false(names_has(names, name));
    assert_true(names->count < 4096);
    names->items[names->count++] = name;
}

#endif
