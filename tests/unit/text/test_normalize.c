/* Cleaning and splitting: which words come out, and where in the text they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/normalize.h"

/* "word@begin-end word@begin-end ..." */
static void check(const char *text, bool lowercase, const char *want) {
    struct normalizer normalizer;
    struct normalized_word word;
    struct buf got = BUF_EMPTY;
    normalizer_init(&normalizer, slice_of(text), lowercase);
    while (normalizer_next_word(&normalizer, &word))
        buf_printf(&got, "%s%.*s@%u-%u", got.size ? " " : "", (int)word.text_size, word.text, word.begin, word.end);
    buf_append_char(&got, '\0');
    assert_string_equal(got.data, want);
    buf_free(&got);
}

static void test_words(void **state) {
    (void)state;
    check("", true, "");
    check(" \t\r\n", true, "");
    check("Hello World", true, "hello@0-5 world@6-11");
    check("Hello World", false, "Hello@0-5 World@6-11");
    check("don't!?", true, "don@0-3 '@3-4 t@4-5 !@5-6 ?@6-7");
    check("a$b`c", true, "a@0-1 $@1-2 b@2-3 `@3-4 c@4-5");
    check("Caf\xc3\x89 \xc3\x89", true, "cafe@0-5 e@6-8");
    check("Caf\xc3\x89", false, "Caf\xc3\x89@0-5");
    check("x\xe4\xb8\xad\xe6\x96\x87y", false, "x@0-1 \xe4\xb8\xad@1-4 \xe6\x96\x87@4-7 y@7-8");
    check("a\xc2\xa0"
          "b\xe3\x80\x80"
          "c",
          true, "a@0-1 b@3-4 c@7-8"); /* no-break and ideographic space */
}

static void test_dropped_characters(void **state) {
    (void)state;
    check("a\xc2\xad"
          "b",
          true, "ab@0-4"); /* soft hyphen: the word goes on */
    check("a\x01"
          "b\x7f",
          true, "ab@0-3"); /* controls at the end are outside */
    check("\xef\xbb\xbf"
          "a",
          true, "a@3-4"); /* byte order mark */
    check("a\xef\xbf\xbd"
          "b",
          true, "ab@0-5"); /* U+FFFD */
    check("a\xff\xfe"
          "b",
          true, "ab@0-4");               /* bytes that are no UTF-8 */
    check("\xe4\xb8", true, "");         /* a cut-off character */
    check("e\xcc\x81g", true, "eg@0-4"); /* a combining accent is stripped */
    check("e\xcc\x81g", false, "e\xcc\x81g@0-4");
}

static void test_marks_in_canonical_order(void **state) {
    (void)state;
    /* U+1E944 (class 230) then U+1E94A (class 7): both survive the stripping, in the other order. */
    check("a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a", true, "a\xf0\x9e\xa5\x8a\xf0\x9e\xa5\x84@0-9");
    /* A stripped mark of class 0 (U+0B56) between them holds them apart; one of class 230 (U+0301) does not. */
    check("a\xf0\x9e\xa5\x84\xe0\xad\x96\xf0\x9e\xa5\x8a", true, "a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a@0-12");
    check("a\xf0\x9e\xa5\x84\xcc\x81\xf0\x9e\xa5\x8a", true, "a\xf0\x9e\xa5\x8a\xf0\x9e\xa5\x84@0-11");
    check("a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a", false, "a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a@0-9");
}

static void test_long_words_are_counted(void **state) {
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof text);
    const size_t lengths[] = {99, 100, 101, 1000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct normalizer normalizer;
        struct normalized_word word;
        normalizer_init(&normalizer, (struct slice){text, lengths[i]}, true);
        assert_true(normalizer_next_word(&normalizer, &word));
        assert_int_equal(word.char_count, lengths[i]);
        assert_int_equal(word.text_size, lengths[i] < 100 ? lengths[i] : 100);
        assert_int_equal(word.end, lengths[i]);
        assert_false(normalizer_next_word(&normalizer, &word));
        assert_false(normalizer_next_word(&normalizer, &word));
    }
}

static void test_random_bytes(void **state) {
    (void)state;
    uint32_t seed = 1;
    char text[64];
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t)(round % 64);
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = (char)(seed >> 24 | (seed >> 12 & 0x80));
        }
        char *exact = malloc(size ? size : 1); /* of just this size, so that overruns are seen */
        memcpy(exact, text, size);
        struct normalizer normalizer;
        struct normalized_word word;
        normalizer_init(&normalizer, (struct slice){exact, size}, round & 1);
        for (uint32_t last = 0; normalizer_next_word(&normalizer, &word); last = word.begin) {
            assert_true(word.begin >= last && word.begin < word.end && word.end <= size);
            assert_true(slice_is_utf8((struct slice){word.text, word.text_size}));
        }
        free(exact);
    }
}

/* A text, and the same behind a byte order mark, which keeps the first word off the short way for ASCII. */
static void words_agree(const char *text, bool lowercase) {
    char marked[256];
    struct normalizer quick, general;
    struct normalized_word word, expected;
    snprintf(marked, sizeof marked, "\xef\xbb\xbf%s", text);
    normalizer_init(&quick, slice_of(text), lowercase);
    normalizer_init(&general, slice_of(marked), lowercase);
    while (normalizer_next_word(&quick, &word)) {
        assert_true(normalizer_next_word(&general, &expected));
        assert_int_equal(word.char_count, expected.char_count);
        assert_int_equal(word.text_size, expected.text_size);
        assert_memory_equal(word.text, expected.text, word.text_size);
        assert_int_equal(word.begin + 3, expected.begin);
        assert_int_equal(word.end + 3, expected.end);
        for (size_t i = 0; i < word.char_count && i < NORMALIZE_MAX_WORD_CHARS; i++) {
            assert_int_equal(word.chars[i].code_point, expected.chars[i].code_point);
            assert_int_equal(word.chars[i].begin + 3, expected.chars[i].begin);
            assert_int_equal(word.chars[i].end + 3, expected.chars[i].end);
            assert_int_equal(word.chars[i].isolated, expected.chars[i].isolated);
        }
    }
    assert_false(normalizer_next_word(&general, &expected));
}

static void test_the_short_way_for_ascii(void **state) {
    (void)state;
    char text[256];
    static const char *const tails[] = {"", "c", " c", "\xcc\x81\xcc\xa7z", "\xe4\xb8\xad", "\xff", "-"};
    for (int c = 1; c < 128; c++)
        for (size_t t = 0; t < sizeof tails / sizeof tails[0]; t++)
            for (int lowercase = 0; lowercase < 2; lowercase++) {
                snprintf(text, sizeof text, "aB%c%s", c, tails[t]);
                words_agree(text, lowercase);
                words_agree(text + 2, lowercase);
            }
    for (size_t length = 98; length < 103; length++)
        for (size_t t = 0; t < sizeof tails / sizeof tails[0]; t++) {
            memset(text, 'X', length);
            snprintf(text + length, sizeof text - length, "%s", tails[t]);
            words_agree(text, true);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_dropped_characters),
        cmocka_unit_test(test_marks_in_canonical_order),
        cmocka_unit_test(test_long_words_are_counted),
        cmocka_unit_test(test_the_short_way_for_ascii),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
