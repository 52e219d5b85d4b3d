#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "http/http_text.h"

/* The class table against the grammars, written the slow way. */
static void test_character_classes(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool visible = c > 0x20 && c < 0x7f;
        bool token = letter || (c && strchr("!#$%&'*+-.^_`|~", c));
        assert_int_equal((http_char_class[c] & HTTP_CHAR_TOKEN) != 0, token);
        assert_int_equal((http_char_class[c] & HTTP_CHAR_VALUE) != 0, visible || c == ' ' || c == '\t' || c >= 0x80);
        assert_int_equal((http_char_class[c] & HTTP_CHAR_TARGET) != 0, visible && c != '#');
        assert_int_equal((http_char_class[c] & HTTP_CHAR_HOST) != 0, visible && !strchr("/?#@\\,\"<>^`{|}", c));
    }
}

static void test_date(void **state) {
    (void)state;
    struct http_date date = {0, ""};
    time_t before = time(NULL);
    struct slice text = http_date_now(&date);
    struct tm tm = {0};
    char copy[40];
    assert_int_equal(text.size, strlen("Sun, 06 Nov 1994 08:49:37 GMT"));
    memcpy(copy, text.data, text.size + 1);
    assert_ptr_equal(strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm), copy + text.size);
    int weekday = tm.tm_wday;
    time_t told = timegm(&tm);
    assert_int_equal(tm.tm_wday, weekday);
    assert_true(told >= before && told <= time(NULL));
}

static void test_reasons(void **state) {
    (void)state;
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_reason(299), "");
}

static void test_session_fields(void **state) {
    (void)state;
    assert_true(http_is_session_field(SLICE_LITERAL("Content-LENGTH")));
    assert_true(http_is_session_field(SLICE_LITERAL("date")));
    assert_false(http_is_session_field(SLICE_LITERAL("content-type")));
    assert_false(http_is_session_field(SLICE_LITERAL("")));
}

/* Values are judged eight bytes at a time, to the same effect as byte by byte: of all sizes, with none, some or only
 * bytes that are not fine, each of them in each place. */
static void test_values(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 200000; round++) {
        char text[40];
        seed = seed * 1664525u + 1013904223u;
        size_t size = (seed >> 8) % (sizeof text + 1), kind = (seed >> 16) % 4;
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = (char)(kind == 0 ? seed >> 24 : ' ' + (seed >> 24) % ('~' - ' ' + 1));
        }
        if (kind > 1 && size > 0)
            text[(seed >> 8) % size] = (char)(kind == 2 ? (seed >> 16) % 34 : 0x7e + (seed >> 16) % 4);
        char *copy = malloc(size + 1); /* of just that size, for a sanitizer */
        assert_non_null(copy);
        memcpy(copy + 1, text, size);
        struct slice value = {copy + 1, size};
        assert_int_equal(http_is_value(value), http_all_chars(value, HTTP_CHAR_VALUE));
        free(copy);
    }
}

static void test_joined_values(void **state) {
    (void)state;
    struct http_header headers[] = {{SLICE_LITERAL("a"), SLICE_LITERAL("1")},
                                    {SLICE_LITERAL("b"), SLICE_LITERAL("x")},
                                    {SLICE_LITERAL("a"), {NULL, 0}},
                                    {SLICE_LITERAL("a"), SLICE_LITERAL("3, 4")}};
    struct http_request request = {.headers = headers, .header_count = sizeof headers / sizeof headers[0]};
    static const char *const rows[][2] = {{"a", "1, , 3, 4"}, {"b", "x"}, {"c", ""}};
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice value;
        struct status status = http_join_values(&request, slice_of(rows[i][0]), arena, &value);
        assert_true(status_is_ok(&status));
        assert_non_null(value.data);
        assert_true(slice_equal_text(value, rows[i][1]));
    }
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_character_classes), cmocka_unit_test(test_date),
        cmocka_unit_test(test_reasons), cmocka_unit_test(test_session_fields),    cmocka_unit_test(test_joined_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
