/* The wire primitives: every form of number, and bytes that end or lie in every place. */
#include "codec_test.h"

#include "codec/pb_wire.h"

static void varints_keep_their_value(void **state) {
    (void)state;
    static const uint64_t values[] = {0,         1,         127, 128, 16383, 16384, UINT32_MAX, (uint64_t)1 << 35,
                                      INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf out = BUF_EMPTY;
        uint64_t value = 0;
        pb_write_varint(&out, values[i]);
        assert_int_equal(out.size, pb_varint_size(values[i]));
        struct pb_reader reader = pb_reader_on(buf_slice(&out));
        assert_true(pb_read_varint(&reader, &value));
        assert_true(value == values[i]);
        assert_true(pb_reader_done(&reader));
        buf_free(&out);
    }
}

static void varint_faults_are_seen(void **state) {
    (void)state;
    uint64_t value;
    for (size_t size = 0; size < 10; size++) { /* cut off */
        struct slice bytes = exact_copy((struct slice){"\x80\x80\x80\x80\x80\x80\x80\x80\x80", size});
        struct pb_reader reader = pb_reader_on(bytes);
        assert_false(pb_read_varint(&reader, &value));
        assert_non_null(strstr(reader.error, "ends inside a varint"));
        free_copy(bytes);
    }
    struct pb_reader longer = pb_reader_on(SLICE_LITERAL("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"));
    assert_false(pb_read_varint(&longer, &value));
    assert_non_null(strstr(longer.error, "more than 10 bytes"));
    struct pb_reader surplus = pb_reader_on(SLICE_LITERAL("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x7F"));
    assert_true(pb_read_varint(&surplus, &value));
    assert_true(value == (((uint64_t)1 << 63) | 1)); /* bits past the 64th are dropped */
}

static void tags_are_checked(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        const char *error;
    } bad[] = {
        {{"\x00", 1}, "field number"},                 /* number 0 */
        {{"\x07", 1}, "wire type"},                    /* wire type 7 */
        {{"\x0E", 1}, "wire type"},                    /* wire type 6 */
        {{"\x80\x80\x80\x80\x10", 5}, "field number"}, /* 2^29 */
        {{"\x80", 1}, "ends inside"},
    };
    uint32_t number;
    enum pb_wire_type wire;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pb_reader reader = pb_reader_on(bad[i].bytes);
        assert_false(pb_read_tag(&reader, &number, &wire));
        assert_non_null(strstr(reader.error, bad[i].error));
        assert_int_equal(pb_reader_offset(&reader), 0);
    }
    struct pb_reader last = pb_reader_on(SLICE_LITERAL("\xFA\xFF\xFF\xFF\x0F"));
    assert_true(pb_read_tag(&last, &number, &wire));
    assert_int_equal(number, (1 << 29) - 1);
    assert_int_equal(wire, PB_WIRE_BYTES);
}

static void fixed_and_lengths_are_checked(void **state) {
    (void)state;
    uint32_t narrow;
    uint64_t wide;
    struct slice inner;
    struct pb_reader three = pb_reader_on(SLICE_LITERAL("\x01\x02\x03"));
    assert_false(pb_read_fixed32(&three, &narrow));
    struct pb_reader seven = pb_reader_on(SLICE_LITERAL("\x01\x02\x03\x04\x05\x06\x07"));
    assert_false(pb_read_fixed64(&seven, &wide));
    struct pb_reader eight = pb_reader_on(SLICE_LITERAL("\x01\x02\x03\x04\x05\x06\x07\x88"));
    assert_true(pb_read_fixed64(&eight, &wide));
    assert_true(wide == 0x8807060504030201u);
    struct pb_reader past = pb_reader_on(SLICE_LITERAL("\x04"
                                                       "abc"));
    assert_false(pb_read_bytes(&past, &inner));
    assert_non_null(strstr(past.error, "past the end"));
    struct pb_reader huge = pb_reader_on(SLICE_LITERAL("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
                                                       "abc"));
    assert_false(pb_read_bytes(&huge, &inner));
    struct pb_reader good = pb_reader_on(SLICE_LITERAL("\x03"
                                                       "abc"));
    assert_true(pb_read_bytes(&good, &inner));
    assert_slice(inner, "abc");
    struct pb_reader nothing = pb_reader_on((struct slice){NULL, 0});
    assert_true(pb_reader_done(&nothing));
}

static void groups_are_skipped(void **state) {
    (void)state;
    uint32_t number;
    enum pb_wire_type wire;
    /* group 1 { 2: varint 5, group 3 { 4: "x" } } then 5: 7 */
    struct pb_reader reader = pb_reader_on(SLICE_LITERAL("\x0B\x10\x05\x1B\x22\x01x\x1C\x0C\x28\x07"));
    assert_true(pb_read_tag(&reader, &number, &wire));
    assert_true(pb_skip(&reader, number, wire, 10));
    assert_true(pb_read_tag(&reader, &number, &wire));
    assert_int_equal(number, 5);
    static const struct {
        struct slice bytes;
        const char *error;
    } bad[] = {
        {{"\x0B\x10\x05", 3}, "ends inside a group"},
        {{"\x0B\x14", 2}, "another group"},
        {{"\x0C", 1}, "not begun"},
        {{"\x0B\x10", 2}, "ends inside a varint"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reader = pb_reader_on(bad[i].bytes);
        assert_true(pb_read_tag(&reader, &number, &wire));
        assert_false(pb_skip(&reader, number, wire, 10));
        assert_non_null(strstr(reader.error, bad[i].error));
    }
    char deep[1000]; /* 1000 groups within each other must not recurse 1000 times */
    memset(deep, 0x0B, sizeof deep);
    reader = pb_reader_on((struct slice){deep, sizeof deep});
    assert_true(pb_read_tag(&reader, &number, &wire));
    assert_false(pb_skip(&reader, number, wire, 100));
    assert_non_null(strstr(reader.error, "too deep"));
}

static void fields_are_written(void **state) {
    (void)state;
    static const int64_t packed[] = {1, -1, 300};
    struct buf out = BUF_EMPTY;
    pb_write_uint64(&out, 1, 300);
    pb_write_int64(&out, 2, -1);
    pb_write_float(&out, 3, 1.0f);
    pb_write_double(&out, 4, -2.0);
    pb_write_text(&out, 5, "hi");
    pb_write_packed_int64(&out, 16, packed, 3);
    static const char expected[] = "\x08\xAC\x02"
                                   "\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
                                   "\x1D\x00\x00\x80\x3F"
                                   "\x21\x00\x00\x00\x00\x00\x00\x00\xC0"
                                   "\x2A\x02hi"
                                   "\x82\x01\x0D\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\xAC\x02";
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.size);
    buf_free(&out);
}

static void submessages_of_any_length_are_written(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buf out = BUF_EMPTY;
        char *content = calloc(1, sizes[i] + 1);
        memset(content, 'c', sizes[i]);
        size_t outer = pb_write_begin(&out, 1);
        size_t mark = pb_write_begin(&out, 2);
        buf_append(&out, content, sizes[i]);
        pb_write_end(&out, mark);
        pb_write_uint64(&out, 3, 9);
        pb_write_end(&out, outer);
        struct pb_reader reader = pb_reader_on(buf_slice(&out)), inner;
        uint32_t number;
        enum pb_wire_type wire;
        struct slice bytes = {NULL, 0};
        uint64_t value = 0;
        assert_int_equal(out.size, pb_bytes_field_size(1, pb_bytes_field_size(2, sizes[i]) + 2));
        assert_true(pb_read_tag(&reader, &number, &wire) && pb_read_bytes(&reader, &bytes) && pb_reader_done(&reader));
        inner = pb_reader_on(bytes);
        assert_true(pb_read_tag(&inner, &number, &wire) && pb_read_bytes(&inner, &bytes));
        assert_int_equal(bytes.size, sizes[i]);
        assert_memory_equal(bytes.data, content, sizes[i]);
        assert_true(pb_read_tag(&inner, &number, &wire) && pb_read_varint(&inner, &value) && pb_reader_done(&inner));
        assert_int_equal(value, 9);
        free(content);
        buf_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_keep_their_value),
        cmocka_unit_test(varint_faults_are_seen),
        cmocka_unit_test(tags_are_checked),
        cmocka_unit_test(fixed_and_lengths_are_checked),
        cmocka_unit_test(groups_are_skipped),
        cmocka_unit_test(fields_are_written),
        cmocka_unit_test(submessages_of_any_length_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
