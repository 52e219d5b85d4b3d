#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/h2_frame.h"

static void assert_bytes(struct buf *out, const char *bytes, size_t size) {
    assert_int_equal(out->size, size);
    assert_memory_equal(out->data, bytes, size);
    buf_free(out);
}

/* The layouts of RFC 9113, byte by byte. */
static void test_layouts(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    h2_frame_append(&out, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 0x01020304, SLICE_LITERAL("ab"));
    assert_bytes(&out, "\0\0\2\1\5\1\2\3\4ab", 11);
    h2_frame_append_u32(&out, H2_FRAME_WINDOW_UPDATE, 3, 0x7ffffffe);
    assert_bytes(&out, "\0\0\4\x08\0\0\0\0\3\x7f\xff\xff\xfe", 13);
    h2_frame_append_goaway(&out, 5, H2_ERROR_ENHANCE_YOUR_CALM);
    assert_bytes(&out, "\0\0\x08\7\0\0\0\0\0\0\0\0\5\0\0\0\x0b", 17);
    h2_frame_append(&out, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, (struct slice){NULL, 0});
    assert_bytes(&out, "\0\0\0\4\1\0\0\0\0", 9);
}

static void test_reserved_bit_is_ignored(void **state) {
    (void)state;
    struct h2_frame frame = h2_frame_parse((const unsigned char *)"\xff\xff\xff\xfe\xfd\xff\xff\xff\xfc");
    assert_int_equal(frame.length, H2_FRAME_SIZE_LAST);
    assert_int_equal(frame.type, 0xfe);
    assert_int_equal(frame.flags, 0xfd);
    assert_int_equal(frame.stream_id, 0x7ffffffc);
}

/* What is written is read as the same. */
static void test_there_and_back(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (int i = 0; i < 10000; i++) {
        seed = seed * 1664525u + 1013904223u;
        const struct h2_frame frame = {
            .length = seed >> 8, .type = (uint8_t)seed, .flags = (uint8_t)(seed >> 5), .stream_id = (seed * 7) >> 1};
        unsigned char bytes[H2_FRAME_HEAD_SIZE];
        h2_frame_write(&frame, (char *)bytes);
        struct h2_frame read = h2_frame_parse(bytes);
        assert_int_equal(read.length, frame.length);
        assert_int_equal(read.type, frame.type);
        assert_int_equal(read.flags, frame.flags);
        assert_int_equal(read.stream_id, frame.stream_id);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_reserved_bit_is_ignored),
        cmocka_unit_test(test_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
