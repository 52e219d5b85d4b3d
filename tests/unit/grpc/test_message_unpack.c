/* What the client hears of a message that does not unpack; what unpacks, and how, is base/inflate's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../base/packed.h"
#include "grpc/message_unpack.h"

enum { SIZE = 100000 };

static bool closed(void *user, size_t bytes) {
    (void)user;
    return bytes == 0;
}

/* Unpacks the message, which it takes over. */
static void expect_error(struct buf message, size_t max_bytes, struct inflate_gate gate, enum status_code code,
                         const char *text) {
    struct status status = message_unpack(GRPC_ENCODING_GZIP, max_bytes, gate, &message);
    assert_int_equal(status.code, code);
    assert_string_equal(status.message, text);
    assert_null(message.data);
}

static void test_both_encodings(void **state) {
    (void)state;
    struct buf zlib = pack(SLICE_LITERAL("hello"), 15), gzip = pack(SLICE_LITERAL("hello"), 31), empty = BUF_EMPTY;
    struct status status = message_unpack(GRPC_ENCODING_DEFLATE, 5, (struct inflate_gate){NULL, NULL}, &zlib);
    assert_string_equal(status.message, "");
    assert_true(slice_equal_text(buf_slice(&zlib), "hello"));
    status = message_unpack(GRPC_ENCODING_GZIP, 5, (struct inflate_gate){NULL, NULL}, &gzip);
    assert_string_equal(status.message, "");
    assert_true(slice_equal_text(buf_slice(&gzip), "hello"));
    status = message_unpack(GRPC_ENCODING_GZIP, 5, (struct inflate_gate){closed, NULL}, &empty);
    assert_string_equal(status.message, "");
    buf_free(&zlib);
    buf_free(&gzip);
}

static void test_members(void **state) {
    (void)state;
    struct buf message = pack(SLICE_LITERAL("hel"), 31), more = pack(SLICE_LITERAL("lo"), 31);
    buf_append_slice(&message, buf_slice(&more));
    struct status status = message_unpack(GRPC_ENCODING_GZIP, 5, (struct inflate_gate){NULL, NULL}, &message);
    assert_string_equal(status.message, "");
    assert_true(slice_equal_text(buf_slice(&message), "hello"));
    buf_free(&message);
    buf_free(&more);
}

static void test_errors(void **state) {
    (void)state;
    const struct inflate_gate open = {NULL, NULL};
    struct buf cut = pack_zeros(SIZE, 31), broken = pack_zeros(SIZE, 31), followed = pack_zeros(SIZE, 31);
    cut.size--;
    broken.data[0]++;
    buf_append_text(&followed, "xyz");
    expect_error(cut, SIZE, open, STATUS_INTERNAL, "a compressed message is broken");
    expect_error(broken, SIZE, open, STATUS_INTERNAL, "a compressed message is broken");
    expect_error(followed, SIZE, open, STATUS_INTERNAL, "a compressed message has 3 bytes behind its end");
    expect_error(pack_zeros(SIZE, 31), SIZE - 1, open, STATUS_RESOURCE_EXHAUSTED,
                 "received message larger than max (99999 when decompressed)");
    expect_error(pack_zeros(SIZE, 31), SIZE, (struct inflate_gate){closed, NULL}, STATUS_UNAVAILABLE,
                 "no room for what a message unpacks to");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_encodings),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
