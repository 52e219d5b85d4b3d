/* Tests of text_width: lines that fit, and cuts at characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/figures/text_width.h"

static void test_widths(void **state) {
    (void)state;
    assert_true(text_width(SLICE_LITERAL(""), 12, false) == 0);
    assert_true(text_width(SLICE_LITERAL("WWW"), 12, false) > text_width(SLICE_LITERAL("iii"), 12, false));
    assert_true(text_width(SLICE_LITERAL("abc"), 12, true) > text_width(SLICE_LITERAL("abc"), 12, false));
    assert_true(text_width(SLICE_LITERAL("abc"), 24, false) == 2 * text_width(SLICE_LITERAL("abc"), 12, false));
    assert_true(text_width(SLICE_LITERAL("\xE6\x97\xA5"), 10, false) == 10); /* as wide as high */
    assert_true(text_width(SLICE_LITERAL("\xFF\x80"), 10, false) > 0);
}

/* Every line fits, and together they are the text without the blanks at which it was broken. */
static void test_lines(void **state) {
    (void)state;
    struct slice text = SLICE_LITERAL("a caption of several words, one\xE2\x80\x94of\xE2\x80\x94them\xE2\x80\x94long");
    for (double width = 1; width < 600; width += 7) {
        struct slice rest = text;
        size_t lines = 0, bytes = 0;
        while (rest.size > 0) {
            size_t next = 0, length = text_width_break(rest, 12, width, &next);
            struct slice line = {rest.data, length};
            assert_in_range(next, 1, rest.size);
            assert_true(slice_is_utf8(line));
            assert_true(text_width(line, 12, false) <= width || slice_utf8_length(line) == line.size);
            bytes += next;
            rest = (struct slice){rest.data + next, rest.size - next};
            lines++;
        }
        assert_int_equal(bytes, text.size);
        assert_true(lines >= 1 && (width < 400 || lines == 1));
    }
}

static void test_shortening(void **state) {
    (void)state;
    char room[16];
    assert_string_equal(text_width_shorten("short", 12, 100, false, room, sizeof room), "short");
    assert_string_equal(text_width_shorten("a rather long label", 10, 40, false, room, sizeof room),
                        "a rath\xE2\x80\xA6");
    assert_string_equal(text_width_shorten("a rather long label", 10, 1e6, false, room, sizeof room),
                        "a rather lon\xE2\x80\xA6");
    assert_string_equal(text_width_shorten("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 10, 1e6,
                                           false, room, sizeof room),
                        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xE2\x80\xA6");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_widths), cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_shortening)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
