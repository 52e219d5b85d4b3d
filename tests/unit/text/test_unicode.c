/* UTF-8, and spot checks of the tables (tests/text compares every code point with the oracles). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/unicode.h"

static void test_utf8_round_trip(void **state) {
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        char bytes[UTF8_MAX_BYTES];
        uint32_t back = 0;
        size_t size = utf8_encode(code_point, bytes);
        bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        assert_int_equal(slice_is_utf8((struct slice){bytes, size}), !surrogate);
        size_t read = utf8_decode((struct slice){bytes, size}, &back);
        assert_int_equal(back, surrogate ? UNICODE_REPLACEMENT : code_point);
        assert_int_equal(read, surrogate ? 1 : size);
        assert_int_equal(utf8_count((struct slice){bytes, size}), 1);
        for (size_t cut = 1; cut < size; cut++) { /* cut off: the first byte alone is bad */
            assert_int_equal(utf8_decode((struct slice){bytes, cut}, &back), 1);
            assert_int_equal(back, UNICODE_REPLACEMENT);
        }
    }
}

static void test_invalid_bytes(void **state) {
    (void)state;
    const char *const bad[] = {
        "\x80",         "\xBF\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "\xE2\x28\xA1", "\xE2\x82\x28",     "\xF0\x9F\x98\x28"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t code_point = 0;
        assert_int_equal(utf8_decode(slice_of(bad[i]), &code_point), 1);
        assert_int_equal(code_point, UNICODE_REPLACEMENT);
    }
}

static void test_flags(void **state) {
    (void)state;
    assert_int_equal(unicode_flags('a'), UNICODE_PY_ALNUM | UNICODE_PY_CASED);
    assert_int_equal(unicode_flags(' '), UNICODE_SPACE | UNICODE_PY_SPACE);
    assert_int_equal(unicode_flags('\t'), UNICODE_SPACE | UNICODE_PY_SPACE);
    assert_int_equal(unicode_flags('\v'), UNICODE_DROPPED | UNICODE_PY_SPACE);
    assert_int_equal(unicode_flags('.'), UNICODE_PUNCTUATION | UNICODE_PY_CASE_IGNORABLE);
    assert_int_equal(unicode_flags('$'), UNICODE_PUNCTUATION);
    assert_int_equal(unicode_flags(0), UNICODE_DROPPED);
    assert_int_equal(unicode_flags(0xAD) & UNICODE_DROPPED, UNICODE_DROPPED); /* soft hyphen */
    assert_int_equal(unicode_flags(0x4E2D), UNICODE_CJK | UNICODE_PY_ALNUM);
    assert_int_equal(unicode_flags(0x3042) & UNICODE_CJK, 0); /* kana are no ideographs */
    assert_int_equal(unicode_flags(0x110000), unicode_flags(UNICODE_REPLACEMENT));
    assert_int_equal(unicode_flags(UINT32_MAX), unicode_flags(UNICODE_REPLACEMENT));
}

static void test_fold(void **state) {
    (void)state;
    const struct {
        uint32_t from;
        size_t count;
        uint32_t to[3];
    } rows[] = {
        {'A', 1, {'a'}},
        {'a', 1, {'a'}},
        {0xC9, 1, {'e'}},
        {0x301, 0, {0}},
        {0x1E69, 1, {'s'}},
        {0x130, 1, {'i'}},
        {0xDF, 1, {0xDF}},
        {0x9CB, 2, {0x9C7, 0x9BE}},
        {0xAC00, 2, {0x1100, 0x1161}},
        {0xD7A3, 3, {0x1112, 0x1175, 0x11C2}},
        {0x37E, 1, {';'}},
        {0xF900, 1, {0x8C48}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t folded[UNICODE_MAX_MAPPING];
        assert_int_equal(unicode_bert_fold(rows[i].from, UNICODE_STRIP | UNICODE_LOWER, folded), rows[i].count);
        for (size_t k = 0; k < rows[i].count; k++)
            assert_int_equal(folded[k], rows[i].to[k]);
    }
}

/* How many, and the first, of each way. */
static void test_fold_of_one_kind(void **state) {
    (void)state;
    const struct {
        uint32_t from;
        size_t strip_count, lower_count;
        uint32_t strip, lower;
    } rows[] = {
        {'A', 1, 1, 'A', 'a'},         {0xC9, 1, 1, 'E', 0xE9},        {0x301, 0, 1, 0, 0x301},
        {0x130, 1, 2, 'I', 'i'},       {0x1E9E, 1, 1, 0x1E9E, 0xDF},   {0xAC00, 2, 1, 0x1100, 0xAC00},
        {0x212B, 1, 1, 'A', 0xE5},     {0xF900, 1, 1, 0x8C48, 0xF900}, {0x1FEF, 1, 1, '`', 0x1FEF},
        {0x1F88, 1, 1, 0x391, 0x1F80},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t folded[UNICODE_MAX_MAPPING] = {0};
        assert_int_equal(unicode_bert_fold(rows[i].from, UNICODE_STRIP, folded), rows[i].strip_count);
        assert_int_equal(folded[0], rows[i].strip);
        assert_int_equal(unicode_bert_fold(rows[i].from, UNICODE_LOWER, folded), rows[i].lower_count);
        assert_int_equal(folded[0], rows[i].lower);
        assert_int_equal(unicode_bert_fold(rows[i].from, 0, folded), 1);
        assert_int_equal(folded[0], rows[i].from);
    }
}

static void test_python_lower(void **state) {
    (void)state;
    uint32_t lowered[UNICODE_MAX_MAPPING];
    assert_int_equal(unicode_python_lower(0x130, lowered), 2);
    assert_int_equal(lowered[0], 'i');
    assert_int_equal(lowered[1], 0x307);
    assert_int_equal(unicode_python_lower(0xC9, lowered), 1);
    assert_int_equal(lowered[0], 0xE9);
    assert_int_equal(unicode_python_lower(0x3A3, lowered), 1);
    assert_int_equal(lowered[0], 0x3C3);
}

static void test_combining_class(void **state) {
    (void)state;
    assert_int_equal(unicode_combining_class('a'), 0);
    assert_int_equal(unicode_combining_class(0x301), 230);
    assert_int_equal(unicode_combining_class(0x323), 220);
    assert_int_equal(unicode_combining_class(0x1E94A), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_round_trip),
        cmocka_unit_test(test_invalid_bytes),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_fold_of_one_kind),
        cmocka_unit_test(test_python_lower),
        cmocka_unit_test(test_combining_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
