/* The settings of --metrics-config. The text itself is checked with Prometheus' own parser, by the tests with clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/metrics_text.h"

static void apply(struct metrics_options *options, const char *setting, const char *expected_message) {
    struct status status = metrics_options_apply(options, slice_of(setting));
    assert_string_equal(status.message, expected_message);
    assert_int_equal(status.code, *expected_message ? STATUS_INVALID_ARGUMENT : STATUS_OK);
}

static void settings_are_read(void **state) {
    (void)state;
    struct metrics_options options = metrics_options_default();
    assert_true(options.counter_latencies && options.histogram_latencies);
    apply(&options, "counter_latencies=false", "");
    assert_false(options.counter_latencies);
    assert_true(options.histogram_latencies);
    apply(&options, "histogram_latencies=false", "");
    assert_false(options.histogram_latencies);
    apply(&options, "counter_latencies=true", "");
    assert_true(options.counter_latencies);
}

static void others_are_refused(void **state) {
    (void)state;
    struct metrics_options options = metrics_options_default();
    apply(&options, "summary_latencies=true",
          "unknown setting 'summary_latencies': expected counter_latencies or histogram_latencies");
    apply(&options, "counter_latencies=yes", "counter_latencies: expected true or false, got 'yes'");
    apply(&options, "counter_latencies", "expected name=value, got 'counter_latencies'");
    apply(&options, "", "expected name=value, got ''");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
