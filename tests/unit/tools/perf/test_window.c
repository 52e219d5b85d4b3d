/* Tests of window: throughput, stability, confidence intervals, sums of windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/clock.h"
#include "tools/perf/random.h"
#include "tools/perf/window.h"

static void test_agreement(void **state) {
    (void)state;
    const double close[] = {100, 109, 105}, far[] = {100, 111, 105}, dead[] = {0, 0, 0};
    assert_true(window_values_agree(close, 3, 10));
    assert_false(window_values_agree(far, 3, 10));
    assert_false(window_values_agree(dead, 3, 10));
}

/* Of many samples from a known distribution about 95 % of the intervals hold its mean. */
static void test_confidence(void **state) {
    (void)state;
    enum { TRIALS = 4000, BATCHES = 12 };
    struct random_source random = random_seeded(3);
    int held = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        double batches[BATCHES], mean = 0;
        for (size_t i = 0; i < BATCHES; i++) {
            batches[i] = 0;
            for (int k = 0; k < 16; k++) /* nearly normal, of mean 8 */
                batches[i] += random_double(&random);
            mean += batches[i] / BATCHES;
        }
        held += fabs(mean - 8) <= window_confidence(batches, BATCHES);
    }
    assert_in_range(held, TRIALS * 93 / 100, TRIALS * 97 / 100);
    assert_true(isnan(window_confidence((const double[]){1}, 1)));
    assert_true(fabs(window_confidence((const double[]){1, 3}, 2) - 12.71) < 1e-9);
}

static struct window *window_of(uint64_t start_ns, uint64_t count, uint64_t batch, uint64_t latency_ns) {
    struct window *window = test_calloc(1, sizeof *window);
    window->start_ns = start_ns;
    window->end_ns = start_ns + NS_PER_S;
    window->sliced = true;
    for (uint64_t i = 0; i < count; i++) {
        struct sample_request request = {.timing = {0, 0, 0, latency_ns},
                                         .status = {.code = STATUS_OK},
                                         .inferences = batch,
                                         .responses = 1,
                                         .slice = i % SAMPLE_SLICES};
        sample_record(&window->sample, &request);
    }
    window->before = (struct server_snapshot){.valid = true, .count = 1};
    window->after = window->before;
    window->before.models[0].success = (struct infer_counter){7, 700};
    window->after.models[0].success = (struct infer_counter){7 + count, 700 + count * 30};
    window->usage_before = (struct generator_usage){100, 10};
    window->usage_after = (struct generator_usage){350, 30};
    return window;
}

static void test_sum(void **state) {
    (void)state;
    struct window *a = window_of(0, 100, 4, 2000), *b = window_of(NS_PER_S, 300, 2, 4000);
    const struct window *const windows[] = {a, b};
    struct window_sum *sum = test_calloc(1, sizeof *sum);
    assert_true(window_throughput(a) == 400);
    assert_true(window_latency_ns(a, -1) == 2000 && window_latency_ns(b, 99) == 4000);
    window_sum_up(windows, 2, sum);
    assert_int_equal(sum->sample.latency.total, 400);
    assert_true(sum->seconds == 2 && sum->window_count == 2);
    assert_true(fabs(sum->sample.mean_ns - 3500) < 1e-6);
    assert_true(sum->server.valid);
    assert_int_equal(sum->server.models[0].success.count, 400);
    assert_int_equal(sum->server.models[0].success.ns, 12000);
    assert_int_equal(sum->usage.cpu_ns, 500);
    assert_int_equal(sum->usage.starved_ns, 40);
    assert_true(sum->throughput_confidence > 0 && sum->latency_confidence_ns > 0);
    a->after.valid = false;
    window_sum_up(windows, 2, sum);
    assert_false(sum->server.valid);
    test_free(a);
    test_free(b);
    test_free(sum);
}

/* A reading that failed, on either side, is no time at all. */
static void test_unknown_usage(void **state) {
    (void)state;
    const struct generator_usage known = {100, 10}, later = {350, 30}, blind = {350, GENERATOR_UNKNOWN_NS};
    struct generator_usage used = generator_usage_between(&known, &later);
    assert_true(used.cpu_ns == 250 && used.starved_ns == 20);
    used = generator_usage_between(&known, &blind);
    assert_true(used.cpu_ns == 250 && used.starved_ns == 0);
    used = generator_usage_between(&blind, &blind);
    assert_true(used.cpu_ns == 0 && used.starved_ns == 0);
    used = generator_usage_between(&blind, &(struct generator_usage){400, 50});
    assert_true(used.cpu_ns == 50 && used.starved_ns == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_usage),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_confidence),
        cmocka_unit_test(test_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
