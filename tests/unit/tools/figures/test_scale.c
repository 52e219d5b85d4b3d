/* Tests of scale: ticks are round, cover the data and are told apart by their labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tools/figures/scale.h"

static void check_labels(double max, int wanted, const char *const *expected, size_t count) {
    struct ticks ticks;
    char text[TICK_TEXT_MAX];
    struct scale scale = scale_from_zero(max, wanted, &ticks);
    assert_true(scale.to >= max * (1 - 1e-9));
    assert_int_equal(ticks.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(tick_text(&ticks, i, text), expected[i]);
}

static void test_labels(void **state) {
    (void)state;
    check_labels(15.9, 6, (const char *[]){"0", "4", "8", "12", "16"}, 5);
    check_labels(1, 4, (const char *[]){"0", "0.25", "0.50", "0.75", "1.00"}, 5);
    check_labels(48000, 4, (const char *[]){"0", "8k", "16k", "24k", "32k", "40k", "48k"}, 7);
    check_labels(2e6, 4, (const char *[]){"0", "0.5M", "1.0M", "1.5M", "2.0M"}, 5);
    check_labels(2e7, 5, (const char *[]){"0", "4M", "8M", "12M", "16M", "20M"}, 6);
}

/* Whatever the data: between 3 and wanted + 2 steps, ascending, no two labels alike, and at least half the axis used.
 */
static void test_any_size(void **state) {
    (void)state;
    for (double max = 3e-9; max < 1e15; max *= 1.37)
        for (int wanted = 4; wanted <= 8; wanted++) {
            struct ticks ticks;
            char text[TICK_TEXT_MAX], before[TICK_TEXT_MAX] = "";
            struct scale scale = scale_from_zero(max, wanted, &ticks);
            assert_in_range(ticks.count, 4, (size_t)wanted + 3);
            assert_true(scale.to >= max * (1 - 1e-9) && scale.to <= max * 2);
            for (size_t i = 0; i < ticks.count; i++) {
                tick_text(&ticks, i, text);
                assert_true(i == 0 || strcmp(text, before) != 0);
                strcpy(before, text);
            }
        }
}

static void test_nothing_measured(void **state) {
    (void)state;
    struct ticks ticks;
    struct scale scale = scale_from_zero(0, 5, &ticks);
    assert_true(scale.from == 0 && scale.to >= 1 && ticks.count >= 3);
}

static void test_pairs_share_their_grid(void **state) {
    (void)state;
    struct scale a, b;
    struct ticks ticks_a, ticks_b;
    for (double max = 0.01; max < 1e7; max *= 3.1) {
        scale_pair_from_zero(max, 1558, 6, &a, &ticks_a, &b, &ticks_b);
        assert_int_equal(ticks_a.count, ticks_b.count);
        assert_true(a.to >= max * (1 - 1e-9) && b.to >= 1558);
    }
}

static void test_logarithmic(void **state) {
    (void)state;
    struct ticks ticks;
    char text[TICK_TEXT_MAX];
    struct scale scale = scale_logarithmic(0.7, 30, &ticks);
    assert_true(scale.logarithmic && fabs(scale.from - 0.5) < 1e-9 && fabs(scale.to - 50) < 1e-9);
    assert_int_equal(ticks.count, 7);
    assert_string_equal(tick_text(&ticks, 0, text), "0.5");
    assert_string_equal(tick_text(&ticks, 6, text), "50");
    scale = scale_logarithmic(1e-300, 1e9, &ticks);
    assert_in_range(ticks.count, 3, 13);
    assert_true(fabs(scale.from - 1e3) < 1e-3 && scale_at(&scale, 1e-5) <= 0);
    scale = scale_logarithmic(5, 5, &ticks);
    assert_true(scale.to > scale.from && ticks.count >= 2);
}

static void test_places(void **state) {
    (void)state;
    struct scale linear = {0, 10, 100, 0, false};
    assert_true(scale_at(&linear, 0) == 100 && scale_at(&linear, 10) == 0 && scale_at(&linear, 2.5) == 75);
    struct scale logarithmic = {1, 100, 0, 200, true};
    assert_true(fabs(scale_at(&logarithmic, 10) - 100) < 1e-9);
    assert_true(scale_at(&logarithmic, 0) == 0); /* what has no logarithm lies at the edge */
}

static void test_numbers(void **state) {
    (void)state;
    char text[TICK_TEXT_MAX];
    assert_string_equal(number_text(0, text), "0");
    assert_string_equal(number_text(0.12345, text), "0.123");
    assert_string_equal(number_text(9.996, text), "10.0");
    assert_string_equal(number_text(99.96, text), "100");
    assert_string_equal(number_text(1551.2, text), "1551");
    assert_string_equal(number_text(1e-5, text), "1e-05");
    assert_string_equal(load_text(20, text), "20");
    assert_string_equal(load_text(12.5, text), "12.5");
}

static void test_units(void **state) {
    (void)state;
    assert_string_equal(time_unit_for(999).name, "\xC2\xB5s");
    assert_string_equal(time_unit_for(1000).name, "ms");
    assert_string_equal(time_unit_for(1e7).name, "s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),           cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_nothing_measured), cmocka_unit_test(test_pairs_share_their_grid),
        cmocka_unit_test(test_logarithmic),      cmocka_unit_test(test_places),
        cmocka_unit_test(test_numbers),          cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
