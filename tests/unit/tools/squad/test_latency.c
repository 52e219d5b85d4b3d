/* Tests of latency: nearest-rank percentiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tools/squad/latency.h"

static void test_none(void **state) {
    (void)state;
    struct latency_summary summary = latency_summarize(NULL, 0);
    assert_true(summary.average == 0 && summary.p50 == 0 && summary.max == 0);
}

static void test_one(void **state) {
    (void)state;
    uint64_t samples[] = {3 * NS_PER_MS / 2};
    struct latency_summary summary = latency_summarize(samples, 1);
    assert_true(summary.average == 1.5 && summary.p50 == 1.5 && summary.p95 == 1.5 && summary.p99 == 1.5);
    assert_true(summary.max == 1.5);
}

static void test_hundred_and_ten(void **state) {
    (void)state;
    uint64_t samples[110];
    for (size_t i = 0; i < 110; i++)
        samples[i] = (uint64_t)((i * 37) % 110 + 1) * NS_PER_MS; /* 1 .. 110 in another order */
    struct latency_summary summary = latency_summarize(samples, 110);
    assert_true(summary.average == 55.5);
    assert_true(summary.p50 == 55);
    assert_true(summary.p95 == 105); /* 104.5 rounded up */
    assert_true(summary.p99 == 109); /* 108.9 rounded up */
    assert_true(summary.max == 110);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_hundred_and_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
