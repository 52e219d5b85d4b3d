/* Tests of doubt: which points are marked, and what is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/figures/doubt.h"

static void test_no_doubt(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct buf out = BUF_EMPTY;
    doubt_write_data(&out, 0);
    assert_int_equal(out.size, 0);
    assert_string_equal(doubt_text(0), "");
    assert_string_equal(doubt_tooltip(0), "");
    assert_string_equal(doubt_caption(arena, "machine", 0), "machine");
    buf_free(&out);
    arena_destroy(arena);
}

/* The mark carries all of them, its few words the gravest. */
static void test_several(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    doubt_write_data(&out, DOUBT_UNSTABLE | DOUBT_FAILED);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, " data-failed=\"1.0\" data-unstable=\"1.0\"");
    assert_string_equal(doubt_text(DOUBT_UNSTABLE | DOUBT_FAILED), "requests failed");
    assert_string_equal(doubt_tooltip(DOUBT_UNSTABLE), " (unstable)");
    assert_string_equal(doubt_tooltip(DOUBT_UNSTABLE | DOUBT_LIMITED), " (limited by the generator)");
    buf_free(&out);
}

static void test_caption(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    assert_string_equal(doubt_caption(arena, "machine", DOUBT_LIMITED),
                        "Hollow marks: the load generator was the bottleneck, not the server. machine");
    assert_string_equal(doubt_caption(arena, "", DOUBT_FAILED | DOUBT_UNSTABLE),
                        "Hollow marks: requests failed; or measured in windows that are too few or too different to be "
                        "sure.");
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_doubt),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_caption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
