/* Tests of measured_run: the columns of perf_analyzer, of its verbose files and of the perf_client of 2019. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/figures/measured_run.h"

#define PARTS_V2                                                                                                       \
    "Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server Compute Infer,Server Compute "      \
    "Output,Client Recv"
#define PERCENTILES "p50 latency,p90 latency,p95 latency,p99 latency"

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

static struct status read_run(const char *text, struct measured_run *ret) {
    struct csv_table table;
    struct status status = csv_table_parse(arena, slice_of(text), &table);
    assert_string_equal(status.message, "");
    return measured_run_from_table(arena, &table, "runs/batch 8.csv", NULL, ret);
}

static struct measured_run read_good(const char *text) {
    struct measured_run run;
    struct status status = read_run(text, &run);
    assert_string_equal(status.message, "");
    return run;
}

static void refuse(const char *text, const char *message) {
    struct measured_run run;
    struct status status = read_run(text, &run);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, message);
}

static void test_generator_limited(void **state) {
    (void)state;
    struct measured_run run = read_good("Concurrency,Inferences/Second,p50 latency,Generator Limited\n"
                                        "1,60,1,0\n2,70,1,1\n");
    assert_int_equal(run.points[0].doubts, 0);
    assert_int_equal(run.points[1].doubts, DOUBT_LIMITED);
    const struct measured_run *runs[] = {&run};
    assert_int_equal(measured_runs_doubts(runs, 1), DOUBT_LIMITED);
    run.point_count = 1;
    assert_int_equal(measured_runs_doubts(runs, 1), 0);
}

static void test_doubts(void **state) {
    (void)state;
    struct measured_run run =
        read_good("Concurrency,Inferences/Second,Avg latency,Failed Requests,Stable,Generator Limited\n"
                  "1,60,9,0,1,0\n2,70,9,3,1,0\n3,70,9,0,0,0\n4,70,9,1,0,1\n");
    static const unsigned expected[] = {0, DOUBT_FAILED, DOUBT_UNSTABLE, DOUBT_FAILED | DOUBT_UNSTABLE | DOUBT_LIMITED};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(run.points[i].doubts, expected[i]);
    refuse("Concurrency,Inferences/Second,Avg latency,Stable\n1,60,9,yes\n",
           "line 2, column \"Stable\": expected a number from 0 to 1e+15, got \"yes\"");
}

/* p99.9 of ten requests is the longest of them. */
static void test_percentiles_of_too_few_requests(void **state) {
    (void)state;
    struct measured_run run = read_good("Concurrency,Inferences/Second,p50 latency,p99 latency,p99.9 latency,"
                                        "p99.99 latency,Max latency\n"
                                        "1,60,5,8,9,9,9\n2,70,5,8,8,9,9\n3,70,5,9,8,8,9\n");
    assert_int_equal(run.rank_count, 4);
    assert_int_equal(run.shown_ranks, 3);
    run = read_good("Concurrency,Inferences/Second,p50 latency,p99 latency,p99.9 latency,Max latency\n1,60,9,9,9,9\n");
    assert_int_equal(run.shown_ranks, 2); /* p99 is shown always */
    run = read_good("Concurrency,Inferences/Second,p50 latency,p99.99 latency\n1,60,9,9\n");
    assert_int_equal(run.shown_ranks, 2); /* nobody tells the longest */
}

static void test_perf_analyzer(void **state) {
    (void)state;
    /* Files are sorted by throughput; runs by load. */
    struct measured_run run = read_good("Concurrency,Inferences/Second," PARTS_V2 "," PERCENTILES "\n"
                                        "2,50,1,2,3,4,5,6,7,20,21,22,23\n"
                                        "1,60,10,20,30,40,50,60,70,1,2,3,4\n");
    assert_string_equal(run.label, "batch 8");
    assert_false(run.is_rate);
    assert_int_equal(run.point_count, 2);
    assert_true(run.points[0].load == 1 && run.points[0].throughput == 60 && run.points[1].load == 2);
    assert_true(run.points[0].parts_us[PART_SERVER_QUEUE] == 30);
    assert_true(run.points[0].latency_us == 280);
    assert_true(measured_point_compute_us(&run.points[0]) == 150);
    assert_false(run.has_part[PART_COMPUTE]);
    assert_int_equal(run.rank_count, 4);
    assert_int_equal(measured_run_find_rank(&run, 95), 2);
    assert_int_equal(measured_run_find_rank(&run, 99.9), -1);
    assert_true(run.points[1].percentiles_us[3] == 23);
    assert_string_equal(measured_run_load_name(&run), "concurrency");
}

static void test_verbose(void **state) {
    (void)state;
    struct measured_run run = read_good("Concurrency,Inferences/Second,Response Throughput," PARTS_V2
                                        ",p99.9 latency,p50 latency,Avg latency,request/response,Avg GPU Power Usage\n"
                                        "4,10,11,1,1,1,1,1,1,1,900,500,600,3,uuid:1;\n");
    assert_true(run.points[0].latency_us == 600);
    assert_int_equal(run.rank_count, 2);
    assert_true(run.ranks[0] == 50 && run.points[0].percentiles_us[0] == 500);
    assert_true(run.ranks[1] == 99.9 && run.points[0].percentiles_us[1] == 900);
}

static void test_perf_client_of_2019(void **state) {
    (void)state;
    struct measured_run run =
        read_good("Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute,"
                  "Client Recv\n1,119,20,1000,30,8400,10\n");
    assert_int_equal(run.rank_count, 0);
    assert_true(run.has_part[PART_COMPUTE] && !run.has_part[PART_COMPUTE_INFER]);
    assert_true(measured_point_compute_us(&run.points[0]) == 8400);
    assert_true(run.points[0].latency_us == 9460);
}

static void test_request_rate_without_server(void **state) {
    (void)state;
    struct measured_run run = read_good("Request Rate,Inferences/Second,p50 latency\n12.5,12,700\n");
    assert_true(run.is_rate);
    assert_false(measured_run_has_parts(&run));
    assert_true(run.points[0].latency_us == 700);
    assert_string_equal(measured_run_load_name(&run), "request rate");
}

/* perf_analyzer, and ours, of a server without statistics: the client's own parts are not the latency. */
static void test_parts_of_the_client_alone(void **state) {
    (void)state;
    struct measured_run run =
        read_good("Concurrency,Inferences/Second,Client Send,Client Recv,p50 latency,p90 latency\n"
                  "1,100,20,5,9000,12000\n");
    assert_false(measured_run_has_parts(&run));
    assert_true(run.points[0].latency_us == 9000 && run.average_rank == 50);
    run = read_good(
        "Concurrency,Inferences/Second,Client Send,Client Recv,p50 latency,Avg latency\n1,100,20,5,9000,9500\n");
    assert_false(measured_run_has_parts(&run));
    assert_true(run.points[0].latency_us == 9500 && run.average_rank == 0);
    refuse("Concurrency,Inferences/Second,Client Send,Client Recv\n1,100,20,5\n",
           "line 1: expected latencies: \"Avg latency\", percentiles such as \"p50 latency\", or all parts, "
           "\"Network+Server Send/Recv\" among them");
}

static void test_outstanding(void **state) {
    (void)state;
    struct measured_run run = read_good("Concurrency,Inferences/Second,Avg latency\n8,1,9\n");
    assert_true(measured_run_outstanding(&run, &run.points[0]) == 8);
    run.settings.batch_size = 4;
    assert_true(measured_run_outstanding(&run, &run.points[0]) == 32);
}

static void test_labels(void **state) {
    (void)state;
    struct csv_table table;
    struct measured_run run;
    struct status status =
        csv_table_parse(arena, SLICE_LITERAL("Concurrency,Inferences/Second,Avg latency\n1,1,9\n"), &table);
    assert_int_equal(status.code, STATUS_OK);
    status = measured_run_from_table(arena, &table, "a/\xFF\xC3\xA9.csv", NULL, &run);
    assert_int_equal(status.code, STATUS_OK);
    assert_string_equal(run.label, "?\xC3\xA9");
    status = measured_run_from_table(arena, &table, ".csv", NULL, &run);
    assert_int_equal(status.code, STATUS_OK);
    assert_string_equal(run.label, ".csv");
    status = measured_run_from_table(arena, &table, "x.csv", "mine", &run);
    assert_int_equal(status.code, STATUS_OK);
    assert_string_equal(run.label, "mine");
}

static void test_refusals(void **state) {
    (void)state;
    refuse("Batch,Inferences/Second\n1,2\n",
           "line 1: expected the columns \"Concurrency\" or \"Request Rate\", and \"Inferences/Second\"; the first is "
           "\"Batch\"");
    refuse("Concurrency,Inferences/Second,Avg latency\n", "line 2: expected a measured point, the file has none");
    refuse("Concurrency,Inferences/Second,Avg latency\n1,fast,9\n",
           "line 2, column \"Inferences/Second\": expected a number from 0 to 1e+15, got \"fast\"");
    refuse("Concurrency,Inferences/Second,p1 latency,p2 latency,p3 latency,p4 latency,p5 latency,p6 latency,p7 latency,"
           "p8 latency,p9 latency,p10 latency,p11 latency,p12 latency,p13 latency,p14 latency,p15 latency,p16 latency,"
           "p17 latency\n",
           "line 1: more than 16 percentile columns");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_generator_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_doubts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_percentiles_of_too_few_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_perf_analyzer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verbose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_perf_client_of_2019, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_request_rate_without_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts_of_the_client_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_outstanding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
