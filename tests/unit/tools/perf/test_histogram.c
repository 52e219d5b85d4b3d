/* Tests of histogram: percentiles of known distributions to 1 %, at every size of number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tools/perf/histogram.h"
#include "tools/perf/random.h"

static const double percentiles[] = {1, 50, 90, 95, 99, 99.9, 99.99};

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The nearest-rank percentile of sorted values. */
static uint64_t exact(const uint64_t *sorted, size_t count, double percentile) {
    double rank = percentile / 100 * (double)count;
    size_t at = (size_t)rank;
    at += (double)at < rank ? 1 : 0;
    return sorted[at > 0 ? at - 1 : 0];
}

static void check(uint64_t *values, size_t count) {
    struct histogram *histogram = test_calloc(1, sizeof *histogram);
    for (size_t i = 0; i < count; i++)
        histogram_record(histogram, values[i]);
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        double expected = (double)exact(values, count, percentiles[i]);
        double got = (double)histogram_percentile(histogram, percentiles[i]);
        assert_true(got >= expected * 0.999 - 1 && got <= expected * 1.001 + 1);
    }
    assert_int_equal(histogram_percentile(histogram, 100), values[count - 1]);
    assert_int_equal(histogram->min_ns, values[0]);
    assert_int_equal(histogram->max_ns, values[count - 1]);
    test_free(histogram);
}

static void test_distributions(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    uint64_t *values = test_calloc(COUNT, sizeof *values);
    struct random_source random = random_seeded(7);
    for (uint64_t scale = 10; scale <= 1000000000000; scale *= 10) {
        for (size_t i = 0; i < COUNT; i++)
            values[i] = random_below(&random, scale);
        check(values, COUNT);
    }
    for (size_t i = 0; i < COUNT; i++) /* a steady 5 ms, and a stall of a second for one in fifty */
        values[i] = i % 50 == 0 ? 1000000000 : 5000000 + i;
    check(values, COUNT);
    values[0] = 1234567;
    check(values, 1);
    test_free(values);
}

static void test_empty(void **state) {
    (void)state;
    struct histogram *histogram = test_calloc(1, sizeof *histogram);
    size_t at = 0;
    struct histogram_bucket bucket;
    assert_int_equal(histogram_percentile(histogram, 99), 0);
    assert_false(histogram_next(histogram, &at, &bucket));
    test_free(histogram);
}

static void test_merge_and_walk(void **state) {
    (void)state;
    struct histogram *sum = test_calloc(1, sizeof *sum), *more = test_calloc(1, sizeof *more);
    histogram_record(more, 5000);
    histogram_record(more, UINT64_MAX); /* longer than any bucket: kept in the last one */
    histogram_add(sum, more);
    histogram_record(sum, 10);
    assert_int_equal(sum->total, 3);
    assert_int_equal(sum->min_ns, 10);
    assert_true(sum->max_ns == UINT64_MAX);
    size_t at = 0, count = 0;
    struct histogram_bucket bucket, last = {0};
    while (histogram_next(sum, &at, &bucket)) {
        assert_true(bucket.low_ns <= bucket.high_ns && (count == 0 || bucket.low_ns > last.high_ns));
        last = bucket;
        count++;
    }
    assert_int_equal(count, 3);
    test_free(sum);
    test_free(more);
}

static void test_buckets_cover_everything(void **state) {
    (void)state;
    struct histogram *histogram = test_calloc(1, sizeof *histogram);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] = 1;
    histogram->total = HISTOGRAM_BUCKETS;
    size_t at = 0;
    struct histogram_bucket bucket;
    uint64_t next = 0;
    while (histogram_next(histogram, &at, &bucket)) {
        assert_true(bucket.low_ns == next);
        assert_true((double)(bucket.high_ns - bucket.low_ns) <= (double)bucket.low_ns / 1024);
        next = bucket.high_ns + 1;
    }
    assert_true(next == (uint64_t)1 << HISTOGRAM_VALUE_BITS);
    test_free(histogram);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distributions),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_merge_and_walk),
        cmocka_unit_test(test_buckets_cover_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
