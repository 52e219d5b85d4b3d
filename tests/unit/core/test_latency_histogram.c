/* Which bucket a duration falls into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/latency_histogram.h"

static int bucket_of(uint64_t ns) {
    struct latency_histogram histogram = {0};
    latency_histogram_add(&histogram, ns);
    assert_int_equal(histogram.sum_ns, ns);
    int found = -1, total = 0;
    for (int i = 0; i <= LATENCY_BOUND_COUNT; i++) {
        total += (int)histogram.counts[i];
        if (histogram.counts[i])
            found = i;
    }
    assert_int_equal(total, 1);
    return found;
}

static void bounds_ascend(void **state) {
    (void)state;
    assert_int_equal(latency_bounds_ns[0], 50 * NS_PER_US);
    assert_int_equal(latency_bounds_ns[LATENCY_BOUND_COUNT - 1], 60 * NS_PER_S);
    for (int i = 1; i < LATENCY_BOUND_COUNT; i++)
        assert_true(latency_bounds_ns[i] > latency_bounds_ns[i - 1]);
}

/* A bound belongs to its own bucket: "le" is less or equal. */
static void every_bound_and_its_neighbours(void **state) {
    (void)state;
    assert_int_equal(bucket_of(0), 0);
    for (int i = 0; i < LATENCY_BOUND_COUNT; i++) {
        assert_int_equal(bucket_of(latency_bounds_ns[i] - 1), i);
        assert_int_equal(bucket_of(latency_bounds_ns[i]), i);
        assert_int_equal(bucket_of(latency_bounds_ns[i] + 1), i + 1);
    }
    assert_int_equal(bucket_of(UINT64_MAX), LATENCY_BOUND_COUNT);
}

static void sums_add_up(void **state) {
    (void)state;
    struct latency_histogram histogram = {0};
    for (uint64_t i = 1; i <= 100; i++)
        latency_histogram_add(&histogram, i * NS_PER_US);
    assert_int_equal(histogram.counts[0], 50);
    assert_int_equal(histogram.counts[1], 50);
    assert_int_equal(histogram.sum_ns, 5050 * NS_PER_US);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_ascend),
        cmocka_unit_test(every_bound_and_its_neighbours),
        cmocka_unit_test(sums_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
