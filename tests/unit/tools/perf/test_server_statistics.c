/* Tests of server_statistics: snapshots over versions and models, differences, means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/perf/server_statistics.h"

static struct infer_statistics counted(const char *name, uint64_t requests) {
    return (struct infer_statistics){
        .name = slice_of(name),
        .version = SLICE_LITERAL("1"),
        .inference_count = 2 * requests,
        .execution_count = requests / 2,
        .success = {requests, 1000 * requests},
        .queue = {requests, 300 * requests},
        .compute_input = {requests, 10 * requests},
        .compute_infer = {requests, 500 * requests},
        .compute_output = {requests, 20 * requests},
    };
}

static const struct server_models models = {.batch_size = 4, .count = 2, .names = {{"top", 3}, {"step", 4}}};

static void test_difference(void **state) {
    (void)state;
    const struct infer_statistics first[] = {counted("top", 10), counted("other", 99), counted("top", 5)};
    const struct infer_statistics second[] = {counted("top", 30), counted("step", 8), counted("top", 5)};
    struct server_snapshot before, after;
    server_snapshot_take(&models, first, 3, &before);
    server_snapshot_take(&models, second, 3, &after);
    assert_int_equal(before.models[0].success.count, 15); /* both versions */
    struct server_snapshot difference = server_snapshot_difference(&before, &after);
    assert_true(difference.valid);
    struct server_breakdown top = server_breakdown_of(&difference.models[0]);
    assert_int_equal(top.requests, 20);
    assert_int_equal(top.inferences, 40);
    assert_int_equal(top.executions, 10);
    assert_true(top.request_ns == 1000 && top.queue_ns == 300 && top.compute_infer_ns == 500);
    assert_int_equal(server_breakdown_of(&difference.models[1]).requests, 8);
    server_snapshot_add(&difference, &difference);
    assert_int_equal(difference.models[0].success.count, 40);
}

/* Of a server that counts by batch size, and of a version, only what is meant is taken. */
static void test_by_batch_size_and_version(void **state) {
    (void)state;
    struct infer_statistics items[] = {counted("top", 10), counted("top", 20), counted("top", 40), counted("step", 80)};
    struct server_models wanted = models;
    struct server_snapshot snapshot;
    items[0].batch_size = 4;
    items[1].batch_size = 8;
    server_snapshot_take(&wanted, items, 4, &snapshot);
    assert_int_equal(snapshot.models[0].success.count, 50);
    items[2].version = SLICE_LITERAL("2");
    wanted.version = SLICE_LITERAL("2");
    server_snapshot_take(&wanted, items, 4, &snapshot);
    assert_int_equal(snapshot.models[0].success.count, 40);
    assert_int_equal(snapshot.models[1].success.count, 80); /* the version is the model's alone */
}

/* A request of an ensemble may have several look-ups: their times are those of a request. */
static void test_cache(void **state) {
    (void)state;
    struct infer_statistics item = counted("top", 10);
    item.cache_hit = (struct infer_counter){4, 4000};
    item.cache_miss = (struct infer_counter){20, 40000};
    struct server_breakdown breakdown = server_breakdown_of(&item);
    assert_true(breakdown.cache_hits == 4 && breakdown.cache_misses == 20);
    assert_true(breakdown.cache_hit_ns == 400 && breakdown.cache_miss_ns == 4000);
}

static void test_what_is_not_valid(void **state) {
    (void)state;
    const struct infer_statistics many[] = {counted("top", 10)}, few[] = {counted("top", 3)};
    struct server_snapshot before, after, none = {0};
    server_snapshot_take(&models, many, 1, &before);
    server_snapshot_take(&models, few, 1, &after); /* the model was loaded anew */
    assert_false(server_snapshot_difference(&before, &after).valid);
    struct infer_statistics slower = counted("top", 10), faster = counted("top", 10);
    slower.compute_infer.ns++;
    server_snapshot_take(&models, &slower, 1, &before);
    server_snapshot_take(&models, &faster, 1, &after); /* a time alone that goes back */
    assert_false(server_snapshot_difference(&before, &after).valid);
    assert_false(server_snapshot_difference(&none, &after).valid);
    assert_false(server_snapshot_difference(&before, &none).valid);
    const struct infer_statistics nothing = {0};
    assert_int_equal(server_breakdown_of(&nothing).request_ns, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_by_batch_size_and_version),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_what_is_not_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
