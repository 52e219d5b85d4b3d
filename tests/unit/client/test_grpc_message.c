/* Tests of grpc_message: messages that are compressed behind their prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "client/grpc_message.h"

enum { PREFIX = 5, GZIP_OR_ZLIB = 15 + 32 };

static size_t inflated(struct slice packed, unsigned char *to, size_t room) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.data, .avail_in = (uInt)packed.size};
    assert_int_equal(inflateInit2(&stream, GZIP_OR_ZLIB), Z_OK);
    stream.next_out = to;
    stream.avail_out = (uInt)room;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    return room - stream.avail_out;
}

static void test_pack(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 100000};
    static unsigned char got[100001];
    for (int encoding = INFER_ENCODING_GZIP; encoding <= INFER_ENCODING_DEFLATE; encoding++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct buf message = BUF_EMPTY;
            buf_append(&message, "\0\0\0\0\0", PREFIX);
            for (size_t at = 0; at < sizes[i]; at++)
                buf_append_char(&message, (char)(at * at * 7 >> 3)); /* some of it repeats, some does not */
            char *before = malloc(message.size);
            memcpy(before, message.data, message.size);
            struct status status = grpc_message_pack(&message, (enum infer_encoding)encoding);
            assert_string_equal(status.message, "");
            const unsigned char *head = (const unsigned char *)message.data;
            assert_int_equal(head[0], 1);
            assert_int_equal((size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4],
                             message.size - PREFIX);
            const bool gzip = head[PREFIX] == 0x1f;
            assert_int_equal(gzip, encoding == INFER_ENCODING_GZIP);
            size_t size = inflated((struct slice){message.data + PREFIX, message.size - PREFIX}, got, sizeof got);
            assert_int_equal(size, sizes[i]);
            assert_memory_equal(got, before + PREFIX, size);
            free(before);
            buf_free(&message);
        }
    }
}

static void test_none(void **state) {
    (void)state;
    struct buf message = BUF_EMPTY;
    struct status status = grpc_message_pack(&message, INFER_ENCODING_NONE);
    assert_string_equal(status.message, "");
    assert_int_equal(message.size, 0);
    assert_null(grpc_message_encoding_name(INFER_ENCODING_NONE));
    assert_string_equal(grpc_message_encoding_name(INFER_ENCODING_GZIP), "gzip");
    assert_string_equal(grpc_message_encoding_name(INFER_ENCODING_DEFLATE), "deflate");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pack), cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
