/* Tests of analysis: comparisons at equal load, dips of the queue, and the recommendation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/figures/analysis.h"

enum { POINTS = 6 };

/* loads 1..6 with these throughputs and latencies (ms) */
static struct measured_run make(struct measured_point *points, const double *throughputs, const double *latencies) {
    for (size_t i = 0; i < POINTS; i++)
        points[i] = (struct measured_point){.load = (double)i + 1,
                                            .throughput = throughputs[i],
                                            .latency_us = latencies[i] * 1000,
                                            .percentiles_us = {latencies[i] * 2000}};
    return (struct measured_run){
        .label = "run", .points = points, .point_count = POINTS, .ranks = {99}, .rank_count = 1};
}

static const double rising[] = {10, 19, 27, 29.5, 29.8, 29.6}, slow[] = {10, 11, 12, 14, 17, 20};

static void test_outstanding(void **state) {
    (void)state;
    struct measured_point points[POINTS];
    struct measured_run run = make(points, rising, slow);
    run.settings.batch_size = 4;
    assert_ptr_equal(analysis_point_at(&run, 8), &points[1]);
    assert_null(analysis_point_at(&run, 6));
    run.is_rate = true;
    assert_null(analysis_point_at(&run, 8));
}

static void test_peak_and_saturation(void **state) {
    (void)state;
    struct measured_point points[POINTS];
    struct measured_run run = make(points, rising, slow);
    assert_ptr_equal(analysis_peak(&run), &points[4]);
    assert_ptr_equal(analysis_saturation(&run, 0.03), &points[3]);
    assert_ptr_equal(analysis_saturation(&run, 0), &points[4]);
    run.point_count = 1;
    assert_ptr_equal(analysis_saturation(&run, 0.03), &points[0]);
}

static void test_dips(void **state) {
    (void)state;
    static const double queue[] = {10, 10, 2, 4, 3, 9};
    struct measured_point points[POINTS];
    struct measured_run run = make(points, rising, slow);
    for (size_t i = 0; i < POINTS; i++)
        points[i].parts_us[PART_SERVER_QUEUE] = queue[i];
    size_t dips[POINTS];
    assert_int_equal(analysis_queue_dips(&run, dips, POINTS), 2);
    assert_int_equal(dips[0], 2);
    assert_int_equal(dips[1], 4);
    assert_int_equal(analysis_queue_dips(&run, dips, 1), 1);
    run.point_count = 2;
    assert_int_equal(analysis_queue_dips(&run, dips, POINTS), 0);
}

static void test_recommendation(void **state) {
    (void)state;
    static const double better[] = {10, 20, 40, 60, 61, 80}, late[] = {20, 25, 30, 35, 36, 90};
    struct measured_point single[POINTS], batched[POINTS];
    struct measured_run runs[] = {make(single, rising, slow), make(batched, better, late)};
    runs[0].settings.batch_size = 1;
    runs[1].settings.batch_size = 8;

    struct choice choice = analysis_recommend(runs, 2, 40000, 0, false);
    assert_ptr_equal(choice.run, &runs[1]);
    assert_ptr_equal(choice.point, &batched[3]); /* 61 is within the noise of 60, and later */
    assert_true(choice.latency_us == 35000);
    choice = analysis_recommend(runs, 2, 40000, 0, true);
    assert_ptr_equal(choice.point, &single[3]);
    /* The same limit on p99, which is twice the average here. */
    choice = analysis_recommend(runs, 2, 40000, 99, false);
    assert_ptr_equal(choice.point, &single[3]);
    assert_true(choice.latency_us == 28000);
    choice = analysis_recommend(runs, 2, 9000, 0, false);
    assert_null(choice.run);
    /* What the generator has limited says nothing of the server. */
    batched[3].doubts = DOUBT_LIMITED, batched[4].doubts = DOUBT_FAILED;
    choice = analysis_recommend(runs, 2, 40000, 0, false);
    assert_ptr_equal(choice.point, &batched[2]);
}

static void test_average_in_place_of_a_missing_percentile(void **state) {
    (void)state;
    struct measured_point points[POINTS];
    struct measured_run run = make(points, rising, slow);
    assert_true(analysis_latency_us(&run, &points[0], 99) == 20000);
    assert_true(analysis_latency_us(&run, &points[0], 95) == 10000);
    assert_true(analysis_latency_us(&run, &points[0], 0) == 10000);
}

static void test_points_without_answers_are_not_recommended(void **state) {
    (void)state;
    static const double none[POINTS] = {0};
    struct measured_point points[POINTS];
    struct measured_run run = make(points, none, none);
    assert_null(analysis_recommend(&run, 1, 1000, 0, false).run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outstanding),
        cmocka_unit_test(test_peak_and_saturation),
        cmocka_unit_test(test_dips),
        cmocka_unit_test(test_recommendation),
        cmocka_unit_test(test_average_in_place_of_a_missing_percentile),
        cmocka_unit_test(test_points_without_answers_are_not_recommended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
