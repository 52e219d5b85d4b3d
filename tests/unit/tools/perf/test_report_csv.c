/* Tests of report_csv: perf_analyzer's columns in each of its forms, and rows in the order of throughput. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/perf/report_csv.h"

static const struct point points[] = {
    {.load = PERF_LOAD_CONCURRENCY,
     .value = 4,
     .throughput = 195.4567,
     .seconds = 2,
     .responses = 100,
     .latency = 20403000,
     .send = 6000,
     .receive = 3000,
     .percentiles = {20408000, 20505000, 20544000, 23075000},
     .judged = 20403000,
     .has_server = true,
     .server = {.queue_ns = 14973000, .compute_infer_ns = 5092000, .compute_output_ns = 4000}},
    {.load = PERF_LOAD_CONCURRENCY,
     .value = 1,
     .throughput = 182.121,
     .seconds = 2,
     .responses = 50,
     .latency = 5476000,
     .send = 6000,
     .receive = 3000,
     .percentiles = {5450000, 5538000, 5576000, 5926000},
     .judged = 5476000,
     .has_server = true,
     .server = {.queue_ns = 29000, .compute_infer_ns = 5093000, .compute_output_ns = 5000}},
};

static void check(const struct csv_format *format, const struct point *from, size_t count, const char *expected) {
    struct buf text = BUF_EMPTY;
    report_csv(&text, format, from, count);
    buf_append_char(&text, '\0');
    assert_false(buf_failed(&text));
    assert_string_equal(text.data, expected);
    buf_free(&text);
}

static void test_plain(void **state) {
    (void)state;
    const struct csv_format format = {.percentile = -1};
    check(&format, points, 2,
          "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server "
          "Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n"
          "1,182.121,6,340,29,0,5093,5,3,5450,5538,5576,5926\n"
          "4,195.457,6,325,14973,0,5092,4,3,20408,20505,20544,23075\n");
}

/* perf_client's columns. */
static void test_one_time_for_compute(void **state) {
    (void)state;
    const struct csv_format format = {.percentile = -1};
    struct point point = points[1];
    point.one_compute = true;
    point.server.compute_output_ns = 0;
    check(&format, &point, 1,
          "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute,Client Recv,"
          "p50 latency,p90 latency,p95 latency,p99 latency\n"
          "1,182.121,6,345,29,5093,3,5450,5538,5576,5926\n");
}

static void test_verbose(void **state) {
    (void)state;
    const struct csv_format format = {.verbose = true, .percentile = -1};
    check(&format, points + 1, 1,
          "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server "
          "Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency,Avg latency,"
          "request/response,response wait\n"
          "1,182.121,6,340,29,0,5093,5,3,5450,5538,5576,5926,5476,9,5467\n");
}

/* What only we know stands behind perf_analyzer's columns. */
static void test_full(void **state) {
    (void)state;
    struct point point = points[1];
    point.percentiles[4] = 6000000;
    point.percentiles[5] = 7000000;
    point.maximum = 7001000;
    point.throughput_confidence = 1.5;
    point.latency_confidence = 2000;
    point.failed = 3;
    point.stable = point.valid = true;
    point.cpu_share = 0.25;
    point.delay_p99 = 9000;
    const struct csv_format format = {.verbose = true, .full = true, .percentile = -1};
    static const char head[] =
        "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server "
        "Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency,Avg latency,"
        "request/response,response wait,p99.9 latency,p99.99 latency,Max latency,Throughput Confidence,Latency "
        "Confidence,Failed Requests,Stable,Generator CPU,Send Delay p99,Generator Limited\n"
        "1,182.121,6,340,29,0,5093,5,3,5450,5538,5576,5926,5476,9,5467,6000,7000,7001,1.5,2,3,1,0.250,9,";
    char expected[sizeof head + 8];
    snprintf(expected, sizeof expected, "%s0\n", head);
    check(&format, &point, 1, expected);
    point.valid = false;
    snprintf(expected, sizeof expected, "%s1\n", head);
    check(&format, &point, 1, expected);
}

/* One window tells no confidence, and the greatest load is written whole. */
static void test_what_nobody_can_tell(void **state) {
    (void)state;
    struct point point = points[1];
    point.value = 10000000;
    point.throughput_confidence = point.latency_confidence = NAN;
    point.stable = point.valid = true;
    const struct csv_format format = {.full = true, .percentile = -1};
    check(&format, &point, 1,
          "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server "
          "Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency,p99.9 "
          "latency,p99.99 latency,Max latency,Throughput Confidence,Latency Confidence,Failed Requests,Stable,"
          "Generator CPU,Send Delay p99,Generator Limited\n"
          "10000000,182.121,6,340,29,0,5093,5,3,5450,5538,5576,5926,0,0,0,,,0,1,0.000,0,0\n");
}

static void test_percentile_cache_and_decoupled(void **state) {
    (void)state;
    const struct csv_format format = {.cache = true, .decoupled = true, .percentile = 85};
    check(&format, points + 1, 1,
          "Concurrency,Inferences/Second,Response Throughput,Client Send,Network+Server Send/Recv,Server Queue,Server "
          "Compute Input,Server Compute Infer,Server Compute Output,Server Cache Hit,Server Cache Miss,Client Recv,p50 "
          "latency,p85 latency,p90 latency,p95 latency,p99 latency\n"
          "1,182.121,25,6,340,29,0,5093,5,0,0,3,5450,5476,5538,5576,5926\n");
}

static void test_rate_without_server(void **state) {
    (void)state;
    struct point point = points[1];
    const struct csv_format format = {.percentile = 99};
    point.load = PERF_LOAD_RATE;
    point.value = 0.5;
    point.has_server = false;
    check(&format, &point, 1,
          "Request Rate,Inferences/Second,Client Send,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency\n"
          "0.5,182.121,6,3,5450,5538,5576,5926\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_one_time_for_compute),
        cmocka_unit_test(test_verbose),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_what_nobody_can_tell),
        cmocka_unit_test(test_percentile_cache_and_decoupled),
        cmocka_unit_test(test_rate_without_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
