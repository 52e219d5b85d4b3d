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

static const struct normalizer_options uncased = {true, true, true}, cased = {false, false, true};
static const struct normalizer_options stripped = {false, true, true}, lowered = {true, false, true};

/* "word@begin-end word@begin-end ..." */
static void check(const char *text, struct normalizer_options options, const char *want) {
    struct normalizer normalizer;
    struct normalized_word word;
    struct buf got = BUF_EMPTY;
    normalizer_init(&normalizer, slice_of(text), options);
    while (normalizer_next_word(&normalizer, &word))
        buf_printf(&got, "%s%.*s@%u-%u", got.size ? " " : "", (int)word.text_size, word.text, word.begin, word.end);
    buf_append_char(&got, '\0');
    assert_string_equal(got.data, want);
    buf_free(&got);
}

static void test_words(void **state) {
    (void)state;
    check("", uncased, "");
    check(" \t\r\n", uncased, "");
    check("Hello World", uncased, "hello@0-5 world@6-11");
    check("Hello World", cased, "Hello@0-5 World@6-11");
    check("don't!?", uncased, "don@0-3 '@3-4 t@4-5 !@5-6 ?@6-7");
    check("a$b`c", uncased, "a@0-1 $@1-2 b@2-3 `@3-4 c@4-5");
    check("Caf\xc3\x89 \xc3\x89", uncased, "cafe@0-5 e@6-8");
    check("Caf\xc3\x89", cased, "Caf\xc3\x89@0-5");
    check("x\xe4\xb8\xad\xe6\x96\x87y", cased, "x@0-1 \xe4\xb8\xad@1-4 \xe6\x96\x87@4-7 y@7-8");
    check("a\xc2\xa0"
          "b\xe3\x80\x80"
          "c",
          uncased, "a@0-1 b@3-4 c@7-8"); /* no-break and ideographic space */
}

static void test_dropped_characters(void **state) {
    (void)state;
    check("a\xc2\xad"
          "b",
          uncased, "ab@0-4"); /* soft hyphen: the word goes on */
    check("a\x01"
          "b\x7f",
          uncased, "ab@0-3"); /* controls at the end are outside */
    check("\xef\xbb\xbf"
          "a",
          uncased, "a@3-4"); /* byte order mark */
    check("a\xef\xbf\xbd"
          "b",
          uncased, "ab@0-5"); /* U+FFFD */
    check("a\xff\xfe"
          "b",
          uncased, "ab@0-4");               /* bytes that are no UTF-8 */
    check("\xe4\xb8", uncased, "");         /* a cut-off character */
    check("e\xcc\x81g", uncased, "eg@0-4"); /* a combining accent is stripped */
    check("e\xcc\x81g", cased, "e\xcc\x81g@0-4");
}

static void test_marks_in_canonical_order(void **state) {
    (void)state;
    /* U+1E944 (class 230) then U+1E94A (class 7): both survive the stripping, in the other order. */
    check("a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a", uncased, "a\xf0\x9e\xa5\x8a\xf0\x9e\xa5\x84@0-9");
    /* A stripped mark of class 0 (U+0B56) between them holds them apart; one of class 230 (U+0301) does not. */
    check("a\xf0\x9e\xa5\x84\xe0\xad\x96\xf0\x9e\xa5\x8a", uncased, "a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a@0-12");
    check("a\xf0\x9e\xa5\x84\xcc\x81\xf0\x9e\xa5\x8a", uncased, "a\xf0\x9e\xa5\x8a\xf0\x9e\xa5\x84@0-11");
    check("a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a", cased, "a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a@0-9");
}

/* Accents and case, each without the other. */
static void test_accents_apart_from_case(void **state) {
    (void)state;
    check("Caf\xc3\x89", stripped, "CafE@0-5");
    check("Caf\xc3\x89", lowered, "caf\xc3\xa9@0-5");
    check("E\xcc\x81g", stripped, "Eg@0-4");
    check("E\xcc\x81g", lowered, "e\xcc\x81g@0-4");
    check("STRA\xc3\x9f"
          "E \xc3\x84rger",
          lowered,
          "stra\xc3\x9f"
          "e@0-7 \xc3\xa4rger@8-14");
    check("\xc4\xb0zmir", lowered, "i\xcc\x87zmir@0-6"); /* U+0130 becomes two characters */
    check("\xc4\xb0zmir", stripped, "Izmir@0-6");
    check("\xea\xb0\x80", stripped, "\xe1\x84\x80\xe1\x85\xa1@0-3"); /* Hangul in letters */
    check("\xea\xb0\x80", lowered, "\xea\xb0\x80@0-3");
    /* U+1FEF decomposes to a grave accent of ASCII, which is punctuation; it is none itself. */
    check("a\xe1\xbf\xaf"
          "b",
          stripped, "a@0-1 `@1-4 b@4-5");
    check("a\xe1\xbf\xaf"
          "b",
          lowered,
          "a\xe1\xbf\xaf"
          "b@0-5");
    /* Marks are put in order where they are stripped, and only there. */
    check("a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a", stripped, "a\xf0\x9e\xa5\x8a\xf0\x9e\xa5\x84@0-9");
    check("a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a", lowered, "a\xf0\x9e\xa5\x84\xf0\x9e\xa5\x8a@0-9");
}

static void test_cjk_as_other_letters(void **state) {
    (void)state;
    static const struct normalizer_options joined = {true, true, false};
    check("x\xe4\xb8\xad\xe6\x96\x87Y", joined, "x\xe4\xb8\xad\xe6\x96\x87y@0-8");
    check("\xe4\xb8\xad\xe3\x80\x82\xe6\x96\x87", joined, "\xe4\xb8\xad@0-3 \xe3\x80\x82@3-6 \xe6\x96\x87@6-9");
    /* U+F900 decomposes to U+8C48 in the word. */
    check("a\xef\xa4\x80"
          "b",
          joined,
          "a\xe8\xb1\x88"
          "b@0-5");
    check("a\xef\xa4\x80"
          "b",
          cased, "a@0-1 \xef\xa4\x80@1-4 b@4-5");
}

static void test_long_words_are_counted(void **state) {
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof text);
    const size_t lengths[] = {99, 100, 101, 1000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct normalizer normalizer;
        struct normalized_word word;
        normalizer_init(&normalizer, (struct slice){text, lengths[i]}, uncased);
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
        normalizer_init(&normalizer, (struct slice){exact, size},
                        (struct normalizer_options){round & 1, round & 2, round & 4});
        for (uint32_t last = 0; normalizer_next_word(&normalizer, &word); last = word.begin) {
            assert_true(word.begin >= last && word.begin < word.end && word.end <= size);
            assert_true(slice_is_utf8((struct slice){word.text, word.text_size}));
        }
        free(exact);
    }
}

/* A text, and the same behind a byte order mark, which keeps the first word off the short way for ASCII. */
static void words_agree(const char *text, struct normalizer_options options) {
    char marked[256];
    struct normalizer quick, general;
    struct normalized_word word, expected;
    snprintf(marked, sizeof marked, "\xef\xbb\xbf%s", text);
    normalizer_init(&quick, slice_of(text), options);
    normalizer_init(&general, slice_of(marked), options);
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
            for (int bits = 0; bits < 8; bits++) {
                const struct normalizer_options options = {bits & 1, bits & 2, bits & 4};
                snprintf(text, sizeof text, "aB%c%s", c, tails[t]);
                words_agree(text, options);
                words_agree(text + 2, options);
            }
    for (size_t length = 98; length < 103; length++)
        for (size_t t = 0; t < sizeof tails / sizeof tails[0]; t++) {
            memset(text, 'X', length);
            snprintf(text + length, sizeof text - length, "%s", tails[t]);
            words_agree(text, uncased);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_dropped_characters),
        cmocka_unit_test(test_marks_in_canonical_order),
        cmocka_unit_test(test_accents_apart_from_case),
        cmocka_unit_test(test_cjk_as_other_letters),
        cmocka_unit_test(test_long_words_are_counted),
        cmocka_unit_test(test_the_short_way_for_ascii),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
