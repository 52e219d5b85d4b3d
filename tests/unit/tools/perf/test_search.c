/* Tests of search: which loads are visited, on servers made of arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/perf/search.h"

/* A server of `capacity` inferences a second: one request takes 1 ms, more than capacity / 1000 at once wait. */
static struct point serve(const struct search *search, double load, double capacity, double limit_ms) {
    struct point point = {.value = load, .stable = true, .valid = true, .seconds = 1};
    double asked = search->open ? load : load * 1000;
    point.throughput = asked < capacity ? asked : capacity;
    point.requests = (uint64_t)point.throughput;
    point.over_limit = limit_ms > 0 && asked / capacity > limit_ms;
    return point;
}

/* Runs the search; the loads in order. */
static size_t run(struct search *search, double capacity, double limit_ms, double *loads, size_t room) {
    size_t count = 0;
    double load = search_begin(search);
    struct point point;
    do {
        assert_true(count < room);
        loads[count++] = load;
        point = serve(search, load, capacity, limit_ms);
    } while (search_next(search, &point, &load));
    return count;
}

static void test_linear(void **state) {
    (void)state;
    double loads[64];
    struct search search = {.kind = SEARCH_LINEAR, .range = {1, 8, 3, true}, .whole = true};
    assert_int_equal(run(&search, 1e9, 0, loads, 64), 3);
    assert_true(loads[1] == 4 && loads[2] == 7);
    search.range = (struct perf_range){2, 2, 1, false};
    assert_int_equal(run(&search, 1e9, 0, loads, 64), 1);
    search.range = (struct perf_range){1, 0, 1, true}; /* without an end: up to the threshold */
    assert_int_equal(run(&search, 4000, 2, loads, 64), 9);
}

/* A range of any length is given up after so many points. */
static void test_endless(void **state) {
    (void)state;
    static double loads[SEARCH_POINTS_MAX];
    struct search search = {.kind = SEARCH_LINEAR, .range = {1, 0, 1, true}, .whole = true};
    assert_int_equal(run(&search, 1e9, 0, loads, SEARCH_POINTS_MAX), SEARCH_POINTS_MAX);
    assert_true(search.is_cut);
    search.range.end = SEARCH_POINTS_MAX; /* as many as it has */
    assert_int_equal(run(&search, 1e9, 0, loads, SEARCH_POINTS_MAX), SEARCH_POINTS_MAX);
    assert_false(search.is_cut);
}

static void test_fractions(void **state) {
    (void)state;
    double loads[64];
    struct search search = {.kind = SEARCH_LINEAR, .range = {0.1, 1, 0.1, true}, .open = true};
    assert_int_equal(run(&search, 1e9, 0, loads, 64), 10);
}

static void test_binary(void **state) {
    (void)state;
    double loads[64];
    struct search search = {.kind = SEARCH_BINARY, .range = {1, 64, 1, true}, .whole = true};
    size_t count = run(&search, 10000, 3, loads, 64); /* over the limit above 30 in flight */
    assert_true(loads[0] == 1 && loads[1] == 64 && loads[2] == 32);
    assert_true(search.good == 30 && search.bad == 31);
    assert_true(count <= 9);
    assert_int_equal(run(&search, 10000, 0.01, loads, 64), 1); /* even the start is over it */
    assert_int_equal(run(&search, 1e9, 3, loads, 64), 2);      /* the end holds */
}

static void test_saturation(void **state) {
    (void)state;
    double loads[64];
    struct search closed = {.kind = SEARCH_SATURATION, .range = {1, 1, 1, false}, .whole = true};
    assert_int_equal(run(&closed, 6000, 0, loads, 64), 5); /* 1 2 4 8: 6000; 16: no more */
    assert_true(closed.good == 8 && closed.best == 6000);
    struct search open = {.kind = SEARCH_SATURATION, .range = {100, 100, 10, false}, .open = true};
    run(&open, 1234, 0, loads, 64);
    assert_true(open.good >= 1225 && open.good <= 1247); /* the last sustained, to a step */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear), cmocka_unit_test(test_endless),    cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_binary), cmocka_unit_test(test_saturation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
