#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc/metadata.h"

static void test_timeouts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"1n", 1},
        {"0n", 0},
        {"20u", 20000},
        {"300m", 300 * NS_PER_MS},
        {"5S", 5 * NS_PER_S},
        {"007M", 7 * 60 * NS_PER_S},
        {"2H", 7200 * NS_PER_S},
        {"99999999S", 99999999 * NS_PER_S},
        {"99999999H", UINT64_MAX}, /* longer than can be told: for ever */
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t ns = 42;
        assert_true(grpc_parse_timeout(slice_of(good[i].text), &ns));
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"",    "S",    "1",          "1s",  "1 S", "-1S",
                                      "+1S", "1.5S", "100000000S", "1SS", " 1S", "0x1S"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t ns = 42;
        assert_false(grpc_parse_timeout(slice_of(bad[i]), &ns));
        assert_int_equal(ns, 42);
    }
}

static void test_content_types(void **state) {
    (void)state;
    static const char *const good[] = {"application/grpc", "application/grpc+proto", "Application/GRPC",
                                       "application/grpc;charset=utf-8", "application/grpc+proto ; a=b"};
    static const char *const bad[] = {"",
                                      "application/json",
                                      "application/grpc-web",
                                      "application/grpc+json",
                                      "application/grpcx",
                                      "application/grp",
                                      "text/application/grpc"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(grpc_is_content_type(slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(grpc_is_content_type(slice_of(bad[i])));
}

static void test_encodings(void **state) {
    (void)state;
    enum grpc_encoding encoding;
    assert_true(grpc_parse_encoding(SLICE_LITERAL("gzip"), &encoding));
    assert_int_equal(encoding, GRPC_ENCODING_GZIP);
    assert_false(grpc_parse_encoding(SLICE_LITERAL("br"), &encoding));
    assert_false(grpc_parse_encoding(SLICE_LITERAL(""), &encoding));
    /* All that is announced is understood. */
    struct slice name, rest = grpc_accepted_encodings();
    size_t count = 0;
    while (rest.size > 0) {
        slice_split(rest, ',', &name, &rest);
        assert_true(grpc_parse_encoding(name, &encoding));
        count++;
    }
    assert_int_equal(count, 3);
}

static void test_messages(void **state) {
    (void)state;
    static const struct {
        struct slice text;
        const char *encoded;
    } rows[] = {
        {{"plain text, no change", 21}, "plain text, no change"},
        {{"", 0}, ""},
        {{"100%", 4}, "100%25"},
        {{"a\r\nb\0c\x7f", 7}, "a%0D%0Ab%00c%7F"},
        {{"gr\xc3\xbcn", 5}, "gr%C3%BCn"},
        {{"~ !", 3}, "~ !"},
    };
    struct arena *arena = arena_create(0);
    assert_non_null(arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(slice_equal_text(grpc_encode_message(arena, rows[i].text), rows[i].encoded));
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
