/* Files of tokens: what counts as one, and errors that name the line but not what is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/token_file.h"
#include "base/buf.h"

static struct status note(void *user, struct slice token) {
    struct buf *out = user;
    buf_append_slice(out, token);
    buf_append_char(out, '|');
    return status_ok();
}

static struct status refuse(void *user, struct slice token) {
    (void)user, (void)token;
    return status_error(STATUS_TOO_LARGE, "enough");
}

static void lines_are_tokens(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    struct status status = token_file_parse(
        "f", SLICE_LITERAL("# ours\n\n  0123456789abcdef \r\n\tAZaz09-._~+/AZaz==\n#0\nlast-one-without-end"), note,
        &out);
    assert_string_equal(status.message, "");
    assert_int_equal(out.size, strlen("0123456789abcdef|AZaz09-._~+/AZaz==|last-one-without-end|"));
    assert_memory_equal(out.data, "0123456789abcdef|AZaz09-._~+/AZaz==|last-one-without-end|", out.size);
    buf_clear(&out);
    status = token_file_parse("f", SLICE_LITERAL(""), note, &out);
    assert_true(status_is_ok(&status));
    assert_int_equal(out.size, 0);
    buf_free(&out);
}

static void mistakes_are_named_by_their_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"0123456789abcde", "f:1: expected a token of 16 to 1024 characters, got 15"},
        {"# x\n\n0123456789 abcdef\n", "f:3: expected a token of letters"},
        {"0123456789abcdef\n0123456789abcde\xc3\xa9\n", "f:2: expected a token of letters"},
        {"0123456789=abcdef\n", "f:1: expected a token of letters"},
        {"================\n", "f:1: expected a token of letters"},
        {"\"0123456789abcdef\"\n", "f:1: expected a token of letters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_EMPTY;
        struct status status = token_file_parse("f", slice_of(cases[i].text), note, &out);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        if (strstr(status.message, cases[i].expected) != status.message)
            fail_msg("\"%s\" does not begin with \"%s\"", status.message, cases[i].expected);
        assert_null(strstr(status.message, "0123456789"));
        buf_free(&out);
    }
    char longest[TOKEN_MAX + 1];
    memset(longest, 'x', sizeof longest);
    struct buf out = BUF_EMPTY;
    struct status status = token_file_parse("f", (struct slice){longest, TOKEN_MAX}, note, &out);
    assert_true(status_is_ok(&status));
    status = token_file_parse("f", (struct slice){longest, TOKEN_MAX + 1}, note, &out);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    buf_free(&out);
}

static void bytes_of_all_values_are_no_tokens(void **state) {
    (void)state;
    assert_false(token_is_well_formed(SLICE_LITERAL("")));
    assert_false(token_is_well_formed(SLICE_LITERAL("a\0b")));
    for (int c = 0; c < 256; c++) {
        char text[2] = {(char)c, 'x'};
        bool expected = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c && c < 128 && strchr("-._~+/", c));
        assert_int_equal(token_is_well_formed((struct slice){text, 2}), expected);
    }
}

static void the_reader_may_stop(void **state) {
    (void)state;
    struct status status = token_file_parse("f", SLICE_LITERAL("0123456789abcdef\nbad"), refuse, NULL);
    assert_string_equal(status.message, "enough");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_tokens),
        cmocka_unit_test(mistakes_are_named_by_their_line),
        cmocka_unit_test(bytes_of_all_values_are_no_tokens),
        cmocka_unit_test(the_reader_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
