/* The evaluator's normal form (tests/text compares it with Python on every code point). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/squad/squad_normalize.h"

static void test_normal_form(void **state) {
    (void)state;
    const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"", ""},
        {"The Cat", "cat"},
        {"  a  an\tthe \n", ""},
        {"the", ""},
        {"Theatre an-apple a.b", "theatre anapple ab"},
        {"U.S.A.", "usa"},
        {"what a (the) day!", "what day"},
        {"the\xc2\xa0old", "old"},                    /* no-break space is white space */
        {"\xc2\xabthe\xc2\xbb", "\xc2\xab \xc2\xbb"}, /* quotation marks end the word, and stay */
        {"a\xcc\x81x", "\xcc\x81x"},                  /* a combining accent is no word character */
        {"_the_ an_d", "and"},                        /* the underscore is punctuation and goes first */
        {"\xc3\x89T\xc3\x89", "\xc3\xa9t\xc3\xa9"},
        {"\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82"}, /* a final sigma */
        {"\xce\x9f\xce\xa3.\xce\x9f", "\xce\xbf\xcf\x83\xce\xbf"},                /* not final */
        {"\xc4\xb0", "i\xcc\x87"},
        {"a1 2a", "a1 2a"},
        {"a \xe4\xb8\xad", "\xe4\xb8\xad"},
        {"a\xe4\xb8\xad", "a\xe4\xb8\xad"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = BUF_EMPTY;
        squad_normalize_answer(slice_of(rows[i].text), &out);
        buf_append_char(&out, '\0');
        assert_string_equal(out.data, rows[i].want);
        buf_free(&out);
    }
}

static void test_appends(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    buf_append_text(&out, "the");
    squad_normalize_answer(SLICE_LITERAL(" The end "), &out);
    squad_normalize_answer(SLICE_LITERAL("the"), &out);
    squad_normalize_answer(SLICE_LITERAL("\xff"
                                         "b"),
                           &out);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "theend\xef\xbf\xbd"
                                  "b");
    buf_free(&out);
}

static void test_failed_buffer(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    out.failed = true; /* as after a failed growth: everything is dropped */
    squad_normalize_answer(SLICE_LITERAL("the a an end"), &out);
    assert_true(buf_failed(&out));
    assert_int_equal(out.size, 0);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_form),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_failed_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
