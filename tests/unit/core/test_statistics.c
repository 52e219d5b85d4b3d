/* Counting rules of the statistics extension, and the tables by batch size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/statistics.h"

static const struct request_outcome good = {.items = 2,
                                            .total_ns = 100,
                                            .queue_ns = 30,
                                            .compute_input_ns = 10,
                                            .compute_infer_ns = 40,
                                            .compute_output_ns = 5};

static struct model_statistics snapshot(struct statistics *statistics, struct arena *arena) {
    struct model_statistics copy;
    struct status status = statistics_snapshot(statistics, arena, &copy);
    assert_true(status_is_ok(&status));
    return copy;
}

static void a_batch_and_its_requests(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct statistics *statistics = statistics_create();
    struct batch_outcome batch = {
        .items = 5, .compute_input_ns = 10, .compute_infer_ns = 40, .compute_output_ns = 5, .ended_ms = 1234};
    struct request_outcome requests[3] = {good, good, good};
    requests[1].items = 3;
    requests[2] = (struct request_outcome){.items = 1, .failed = true, .reason = FAILURE_BACKEND, .total_ns = 7};
    statistics_book(statistics, &batch, requests, 3);
    struct model_statistics s = snapshot(statistics, arena);
    assert_int_equal(s.inference_count, 5);
    assert_int_equal(s.execution_count, 1);
    assert_int_equal(s.last_inference_ms, 1234);
    assert_int_equal(s.success.count, 2);
    assert_int_equal(s.success.ns, 200);
    assert_int_equal(s.queue.count, s.success.count);
    assert_int_equal(s.queue.ns, 60);
    assert_int_equal(s.compute_infer.count, 2); /* each request is given the batch's whole time */
    assert_int_equal(s.compute_infer.ns, 80);
    assert_int_equal(s.request_latency.sum_ns, 200);
    assert_int_equal(s.queue_latency.sum_ns, 60);
    assert_int_equal(s.compute_latency.sum_ns, 110);
    assert_int_equal(s.fail.count, 1);
    assert_int_equal(s.fail.ns, 7);
    assert_int_equal(s.failures[FAILURE_BACKEND], 1);
    assert_int_equal(s.failures[FAILURE_REJECTED], 0);
    assert_int_equal(s.batch_count, 1);
    assert_int_equal(s.batches[0].batch_size, 5);
    assert_int_equal(s.batches[0].compute_infer.count, 1);
    assert_int_equal(s.batches[0].compute_infer.ns, 40);
    assert_int_equal(s.request_batch_count, 3);
    assert_int_equal(s.request_batches[0].batch_size, 1);
    assert_int_equal(s.request_batches[0].failed.count, 1);
    assert_int_equal(s.request_batches[0].success.count, 0);
    assert_int_equal(s.request_batches[1].batch_size, 2);
    assert_int_equal(s.request_batches[1].compute.ns, 55);
    assert_int_equal(s.request_batches[1].queue.ns, 30);
    statistics_destroy(statistics);
    arena_destroy(arena);
}

static void requests_without_an_execution(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct statistics *statistics = statistics_create();
    struct request_outcome rejected = {.items = 1, .failed = true, .reason = FAILURE_REJECTED};
    struct request_outcome cancelled = {.items = 1, .failed = true, .reason = FAILURE_CANCELED};
    statistics_book(statistics, NULL, &rejected, 1);
    statistics_book(statistics, NULL, &cancelled, 1);
    statistics_book(statistics, NULL, &good, 1);
    struct model_statistics s = snapshot(statistics, arena);
    assert_int_equal(s.execution_count, 0);
    assert_int_equal(s.fail.count, 2);
    assert_int_equal(s.failures[FAILURE_REJECTED], 1);
    assert_int_equal(s.failures[FAILURE_CANCELED], 1);
    assert_int_equal(s.success.count, 1);
    assert_int_equal(s.batch_count, 0);
    statistics_destroy(statistics);
    arena_destroy(arena);
}

static void tables_stay_sorted_as_they_grow(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct statistics *statistics = statistics_create();
    for (uint32_t i = 0; i < 200; i++) {
        struct batch_outcome batch = {.items = 1 + (i * 37) % 101};
        struct request_outcome request = {.items = 1 + (i * 53) % 97};
        statistics_book(statistics, &batch, &request, 1);
    }
    struct model_statistics s = snapshot(statistics, arena);
    assert_int_equal(s.batch_count, 101);
    assert_int_equal(s.request_batch_count, 97);
    uint64_t executions = 0;
    for (size_t i = 0; i < s.batch_count; i++) {
        assert_int_equal(s.batches[i].batch_size, i + 1);
        executions += s.batches[i].compute_infer.count;
    }
    assert_int_equal(executions, s.execution_count);
    for (size_t i = 0; i < s.request_batch_count; i++)
        assert_int_equal(s.request_batches[i].batch_size, i + 1);
    statistics_destroy(statistics);
    arena_destroy(arena);
}

static void a_copy_that_does_not_fit_is_an_error(void **state) {
    (void)state;
    struct arena *arena = arena_create(16);
    struct statistics *statistics = statistics_create();
    struct batch_outcome batch = {.items = 5};
    statistics_book(statistics, &batch, &good, 1);
    struct model_statistics copy;
    struct status status = statistics_snapshot(statistics, arena, &copy);
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    statistics_destroy(statistics);
    arena_destroy(arena);
}

static void book(struct statistics *statistics, size_t index, enum response_kind kind, uint64_t infer,
                 uint64_t output) {
    const struct response_outcome outcome = {
        .index = index, .kind = kind, .compute_infer_ns = infer, .compute_output_ns = output};
    statistics_book_response(statistics, &outcome);
}

static void assert_stat(struct duration_stat stat, uint64_t count, uint64_t ns) {
    assert_int_equal(stat.count, count);
    assert_int_equal(stat.ns, ns);
}

static void responses_are_counted_by_index_and_kind(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct statistics *statistics = statistics_create();
    assert_int_equal(snapshot(statistics, arena).response_count, 0);
    book(statistics, 2, RESPONSE_SUCCESS, 100, 10); /* another request's first ones come later */
    book(statistics, 2, RESPONSE_FAIL, 7, 0);
    book(statistics, 2, RESPONSE_EMPTY, 5, 0);
    book(statistics, 0, RESPONSE_CANCEL, 3, 0);
    struct model_statistics s = snapshot(statistics, arena);
    assert_int_equal(s.response_count, 3);
    assert_stat(s.responses[2].compute_infer, 3, 112);
    assert_stat(s.responses[2].compute_output, 1, 10);
    assert_stat(s.responses[2].success, 1, 110);
    assert_stat(s.responses[2].fail, 1, 7);
    assert_stat(s.responses[2].empty_response, 1, 5);
    assert_stat(s.responses[2].cancel, 0, 0);
    assert_stat(s.responses[0].cancel, 1, 3);
    assert_stat(s.responses[0].compute_infer, 0, 0);
    assert_stat(s.responses[1].success, 0, 0);
    statistics_destroy(statistics);
    arena_destroy(arena);
}

static void responses_beyond_the_bound_are_not_counted(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct statistics *statistics = statistics_create();
    for (size_t i = 0; i < RESPONSE_STATS_MAX + 10; i++)
        book(statistics, i, RESPONSE_SUCCESS, 1, 1);
    book(statistics, SIZE_MAX, RESPONSE_SUCCESS, 1, 1);
    struct model_statistics s = snapshot(statistics, arena);
    assert_int_equal(s.response_count, RESPONSE_STATS_MAX);
    assert_stat(s.responses[RESPONSE_STATS_MAX - 1].success, 1, 2);
    statistics_destroy(statistics);
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_and_its_requests),
        cmocka_unit_test(requests_without_an_execution),
        cmocka_unit_test(tables_stay_sorted_as_they_grow),
        cmocka_unit_test(a_copy_that_does_not_fit_is_an_error),
        cmocka_unit_test(responses_are_counted_by_index_and_kind),
        cmocka_unit_test(responses_beyond_the_bound_are_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
