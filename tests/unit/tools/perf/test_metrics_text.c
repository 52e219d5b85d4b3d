/* Tests of metrics_text: Prometheus' text form, as servers write it and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/perf/metrics_text.h"

static void expect(struct slice *rest, const char *name, const char *labels, double value) {
    struct metrics_sample sample;
    assert_true(metrics_text_next(rest, &sample));
    assert_true(slice_equal_text(sample.name, name));
    assert_true(slice_equal_text(sample.labels, labels));
    assert_true(sample.value >= value && sample.value <= value);
}

static void test_good_text(void **state) {
    (void)state;
    struct slice rest = slice_of("# HELP a b c\n# TYPE a gauge\na 1\n\nb{} 2.5 1700000000\r\n c{x=\"1\"} 1e3\n"
                                 "d{x=\"}\",y=\"a\\\"b\"} -4\ne 5");
    struct metrics_sample sample;
    expect(&rest, "a", "", 1);
    expect(&rest, "b", "", 2.5);
    expect(&rest, "c", "x=\"1\"", 1000);
    expect(&rest, "d", "x=\"}\",y=\"a\\\"b\"", -4);
    expect(&rest, "e", "", 5);
    assert_false(metrics_text_next(&rest, &sample));
}

static void test_what_is_passed_over(void **state) {
    (void)state;
    struct slice rest = slice_of("a\nb{ 1\nc{x=\"1} 2\nd nan\ne +Inf\nf x\n{x=\"1\"} 3\n   \n\\\n=\ng 6\n");
    struct metrics_sample sample;
    expect(&rest, "g", "", 6);
    assert_false(metrics_text_next(&rest, &sample));
}

static void test_labels(void **state) {
    (void)state;
    struct slice rest = slice_of("a{gpu_uuid=\"GPU-1\", model=\"m,n\",bad,z=\"1\"} 1\n");
    struct metrics_sample sample;
    assert_true(metrics_text_next(&rest, &sample));
    assert_true(slice_equal_text(metrics_text_label(&sample, "gpu_uuid"), "GPU-1"));
    assert_true(slice_equal_text(metrics_text_label(&sample, "model"), "m,n"));
    assert_int_equal(metrics_text_label(&sample, "z").size, 0); /* behind what is malformed */
    assert_int_equal(metrics_text_label(&sample, "uuid").size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_text),
        cmocka_unit_test(test_what_is_passed_over),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
