/* Tests of profile: latencies of single requests, and percentiles by nearest rank. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/figures/profile.h"

static struct arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_create(0);
    return arena == NULL;
}

static int tear_down(void **state) {
    (void)state;
    arena_destroy(arena);
    return 0;
}

static void test_experiments(void **state) {
    (void)state;
    struct profile profile;
    struct status status =
        profile_parse(arena,
                      SLICE_LITERAL("{\"experiments\":["
                                    "{\"experiment\":{\"mode\":\"request_rate\",\"value\":2.5},\"requests\":[]},"
                                    "{\"experiment\":{\"mode\":\"concurrency\",\"value\":1},\"requests\":["
                                    "{\"timestamp\":1000,\"response_timestamps\":[2000,5000]},"
                                    "{\"timestamp\":3000,\"response_timestamps\":[4500]},"
                                    "{\"timestamp\":3000,\"response_timestamps\":[]},"
                                    "{\"timestamp\":3000,\"response_timestamps\":[2999]}]}]}"),
                      "p.json", &profile);
    assert_string_equal(status.message, "");
    assert_int_equal(profile.experiment_count, 2);
    const struct profile_experiment *first = &profile.experiments[0];
    assert_true(first->load == 1 && !first->is_rate);
    assert_int_equal(first->count, 2); /* unanswered ones, and answers from before, do not count */
    assert_true(first->latencies_us[0] == 1.5 && first->latencies_us[1] == 4);
    assert_true(profile.experiments[1].load == 2.5 && profile.experiments[1].is_rate);
    assert_int_equal(profile.experiments[1].count, 0);
}

static void test_percentiles(void **state) {
    (void)state;
    double latencies[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct profile_experiment experiment = {.latencies_us = latencies, .count = 10};
    assert_true(profile_percentile_us(&experiment, 0) == 1);
    assert_true(profile_percentile_us(&experiment, 50) == 5);
    assert_true(profile_percentile_us(&experiment, 90) == 9);
    assert_true(profile_percentile_us(&experiment, 90.1) == 10);
    assert_true(profile_percentile_us(&experiment, 100) == 10);
}

static void refuse(const char *json, const char *message) {
    struct profile profile;
    struct status status = profile_parse(arena, slice_of(json), "p.json", &profile);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, message));
}

static void test_refusals(void **state) {
    (void)state;
    refuse("{", "no JSON: ");
    refuse("[]", "expected \"experiments\" with 1 to 1024 elements, got 0");
    refuse("{\"experiments\":[{}]}", "experiments[0]: expected an object with experiment.mode");
    refuse("{\"experiments\":[{\"experiment\":{\"mode\":\"concurrency\",\"value\":-1},\"requests\":[]}]}",
           "value (0 to 1e+15)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_experiments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_percentiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
