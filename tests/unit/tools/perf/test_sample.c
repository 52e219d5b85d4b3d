/* Tests of sample: latency from the due time, times inside a request, failures by class, sums of samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "tools/perf/sample.h"

static struct sample_request good(uint64_t due_ns, uint64_t start_ns, uint64_t end_ns) {
    return (struct sample_request){.due_ns = due_ns,
                                   .timing = {start_ns, start_ns + 10, end_ns - 5, end_ns},
                                   .status = {.code = STATUS_OK},
                                   .responses = 1};
}

static void test_latency_counts_from_due(void **state) {
    (void)state;
    struct sample *sample = test_calloc(1, sizeof *sample);
    struct sample_request request = good(1000, 3000, 6000);
    sample_record(sample, &request);
    assert_int_equal(sample->latency.max_ns, 5000);
    assert_int_equal(sample->send_delay.max_ns, 2000);
    assert_true(sample->sent_latency_ns == 3000 && sample->send_ns == 10 && sample->receive_ns == 5);
    test_free(sample);
}

static void test_failures_by_class(void **state) {
    (void)state;
    struct sample *sample = test_calloc(1, sizeof *sample);
    struct sample_request request = good(0, 0, 100);
    sample_record(sample, &request);
    request.status = status_error(STATUS_UNAVAILABLE, "first");
    sample_record(sample, &request);
    request.status = status_error(STATUS_UNAVAILABLE, "second");
    sample_record(sample, &request);
    request.status = status_error(STATUS_DATA_LOSS, "wrong");
    sample_record(sample, &request);
    assert_int_equal(sample->latency.total, 1);
    assert_int_equal(sample->failed, 3);
    assert_int_equal(sample->failures[STATUS_UNAVAILABLE].count, 2);
    assert_string_equal(sample->failures[STATUS_UNAVAILABLE].first.message, "first");
    assert_int_equal(sample->failures[STATUS_DATA_LOSS].count, 1);
    test_free(sample);
}

/* Batches count by their items, and in time only up to the goal. */
static void test_inferences(void **state) {
    (void)state;
    struct sample *sample = test_calloc(1, sizeof *sample), *sum = test_calloc(1, sizeof *sum);
    struct sample_request request = good(0, 0, 100);
    request.inferences = 8;
    sample_record(sample, &request);
    assert_int_equal(sample->timely, 0);
    request.goal_ns = 100;
    sample_record(sample, &request);
    request.goal_ns = 99;
    sample_record(sample, &request);
    sample_add(sum, sample);
    sample_add(sum, sample);
    assert_int_equal(sum->inferences, 48);
    assert_int_equal(sum->timely, 16);
    test_free(sample);
    test_free(sum);
}

/* Mean and deviation of a sum of samples are those of all values together. */
static void test_sum(void **state) {
    (void)state;
    struct sample *parts = test_calloc(2, sizeof *parts), *sum = test_calloc(1, sizeof *sum);
    double mean = 0, squares = 0;
    for (uint64_t i = 0; i < 100; i++) {
        struct sample_request request = good(0, 0, 1000 + i * i);
        sample_record(&parts[i % 3 == 0], &request);
        mean += (double)(1000 + i * i) / 100;
    }
    for (uint64_t i = 0; i < 100; i++)
        squares += ((double)(1000 + i * i) - mean) * ((double)(1000 + i * i) - mean);
    struct sample_request failed = good(0, 0, 1);
    failed.status = status_error(STATUS_INTERNAL, "once");
    sample_record(&parts[1], &failed);
    sample_add(sum, &parts[0]);
    sample_add(sum, &parts[1]);
    assert_int_equal(sum->latency.total, 100);
    assert_true(fabs(sum->mean_ns - mean) < 1e-6);
    assert_true(fabs(sample_deviation_ns(sum) - sqrt(squares / 99)) < 1e-6);
    assert_int_equal(sum->failed, 1);
    assert_string_equal(sum->failures[STATUS_INTERNAL].first.message, "once");
    test_free(parts);
    test_free(sum);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_counts_from_due),
        cmocka_unit_test(test_failures_by_class),
        cmocka_unit_test(test_inferences),
        cmocka_unit_test(test_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
