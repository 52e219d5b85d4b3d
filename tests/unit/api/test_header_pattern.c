/* Which names a pattern matches, and which expressions are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/header_pattern.h"

static bool matches(const char *expression, const char *name) {
    struct header_pattern *pattern = NULL;
    struct status status = header_pattern_create(expression, &pattern);
    assert_string_equal(status.message, "");
    bool matched = header_pattern_matches(pattern, slice_of(name));
    header_pattern_destroy(pattern);
    return matched;
}

static void whole_names_match(void **state) {
    (void)state;
    assert_true(matches("x-user", "x-user"));
    assert_false(matches("x-user", "x-user-id"));
    assert_false(matches("x-user", "my-x-user"));
    assert_true(matches("PREFIX_.*", "prefix_a"));
    assert_true(matches("a|b", "b"));
    assert_false(matches("a|b", "ab")); /* the bars do not reach over the ends */
    assert_true(matches("(nvcf-.*|x)", "nvcf-1"));
    assert_true(matches(".*", "anything"));
    assert_true(matches("[a-c]{2}", "ab"));
    assert_false(matches("[a-c]{2}", "abc"));
    assert_false(header_pattern_matches(NULL, slice_of("a")));
    header_pattern_destroy(NULL);
}

static void long_names_match_nothing(void **state) {
    (void)state;
    char name[HEADER_NAME_MAX + 2];
    memset(name, 'a', sizeof name);
    name[HEADER_NAME_MAX] = '\0';
    assert_true(matches("a*", name));
    name[HEADER_NAME_MAX] = 'a';
    name[HEADER_NAME_MAX + 1] = '\0';
    assert_false(matches("a*", name));
}

static void broken_expressions_are_refused(void **state) {
    (void)state;
    const char *const broken[] = {"(", "a)(b", "[a", "a{2,1}", "(?-i)x", "*x)", "a\\"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct header_pattern *pattern = NULL;
        struct status status = header_pattern_create(broken[i], &pattern);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_null(pattern);
        assert_non_null(strstr(status.message, broken[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_names_match),
        cmocka_unit_test(long_names_match_nothing),
        cmocka_unit_test(broken_expressions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
