/* Tests of the schedules on a virtual clock: how many are sent, when they are due, what a late generator makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/perf/schedule.h"

static int set_up(void **state) {
    *state = arena_create(0);
    return 0;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

static void test_concurrency(void **state) {
    struct schedule *schedule;
    struct schedule_step step;
    struct status status = schedule_concurrency(*state, 2, &schedule);
    assert_true(status_is_ok(&status));
    assert_false(schedule->ops->open_loop);
    schedule->ops->begin(schedule, 100);
    assert_int_equal(schedule->ops->next(schedule, 100, 1, &step), SCHEDULE_SEND);
    assert_int_equal(step.time_ns, 100);
    assert_int_equal(schedule->ops->next(schedule, 200, 2, &step), SCHEDULE_WAIT);
    assert_true(step.time_ns == UINT64_MAX);
}

/* Sends what may be sent now; how many that were. */
static size_t send_all(struct schedule *schedule) {
    struct schedule_step step;
    size_t count = 0;
    while (schedule->ops->next(schedule, 0, count, &step) == SCHEDULE_SEND)
        count++;
    return count;
}

static void test_periodic_concurrency(void **state) {
    struct schedule *schedule;
    struct schedule_step step;
    struct status status = schedule_periodic(*state, 2, 7, 3, 4, &schedule);
    assert_true(status_is_ok(&status));
    schedule->ops->begin(schedule, 0);
    assert_int_equal(send_all(schedule), 2);
    for (size_t before = 0; before < 5; before++) { /* one has more answers than it needs, the other one less */
        schedule->ops->answered(schedule, before, false);
        if (before < 3)
            schedule->ops->answered(schedule, before, false);
        assert_int_equal(send_all(schedule), 0);
    }
    schedule->ops->answered(schedule, 3, true); /* its last answer is its fourth */
    assert_int_equal(send_all(schedule), 3);
    schedule->ops->answered(schedule, 5, true); /* the first: its period was over */
    schedule->ops->answered(schedule, 0, true); /* three that end before their period is over */
    schedule->ops->answered(schedule, 1, true);
    assert_int_equal(schedule->ops->next(schedule, 0, 1, &step), SCHEDULE_WAIT);
    schedule->ops->answered(schedule, 3, false);
    assert_int_equal(send_all(schedule), 2); /* no more than the end */
    assert_int_equal(schedule->ops->next(schedule, 0, 2, &step), SCHEDULE_END);
    schedule->ops->answered(schedule, 0, true);
    schedule->ops->answered(schedule, 0, true);
    assert_int_equal(schedule->ops->next(schedule, 0, 0, &step), SCHEDULE_END);
    schedule->ops->begin(schedule, 0); /* over again */
    assert_int_equal(send_all(schedule), 2);
    for (size_t before = 0; before < 4; before++)
        schedule->ops->answered(schedule, before, false);
    schedule->ops->answered(schedule, 4, true); /* the end of a request whose period is over counts no second time */
    assert_int_equal(send_all(schedule), 0);
}

/* Due times of all that is sent until `end_ns`, asked for at the times when they are due. */
static size_t run(struct schedule *schedule, uint64_t begin_ns, uint64_t end_ns, uint64_t *dues, size_t room) {
    struct schedule_step step;
    uint64_t now_ns = begin_ns;
    size_t count = 0;
    schedule->ops->begin(schedule, begin_ns);
    while (now_ns <= end_ns && count < room) {
        if (schedule->ops->next(schedule, now_ns, count, &step) == SCHEDULE_SEND)
            dues[count++] = step.time_ns;
        else
            now_ns = step.time_ns;
    }
    return count;
}

static void test_constant_rate(void **state) {
    struct schedule *schedule;
    uint64_t dues[400];
    struct status status = schedule_rate(*state, 300, false, 0, &schedule);
    assert_true(status_is_ok(&status));
    assert_true(schedule->ops->open_loop);
    assert_int_equal(run(schedule, 5000, 5000 + NS_PER_S + 1, dues, 400), 300); /* thirds of a ns do not add up */
    for (size_t i = 1; i < 300; i++)
        assert_in_range(dues[i] - dues[i - 1], 3333333, 3333334);
}

/* A generator that comes late gets what was due meanwhile, with its old times. */
static void test_late_generator(void **state) {
    struct schedule *schedule;
    struct schedule_step step;
    struct status status = schedule_rate(*state, 1000, false, 0, &schedule);
    assert_true(status_is_ok(&status));
    schedule->ops->begin(schedule, 0);
    for (uint64_t i = 1; i <= 50; i++) {
        assert_int_equal(schedule->ops->next(schedule, 50 * NS_PER_MS, 0, &step), SCHEDULE_SEND);
        assert_int_equal(step.time_ns, i * NS_PER_MS);
    }
    assert_int_equal(schedule->ops->next(schedule, 50 * NS_PER_MS, 0, &step), SCHEDULE_WAIT);
}

/* Exponential gaps: mean and deviation are the same, and the seed decides all. */
static void test_poisson_rate(void **state) {
    enum { COUNT = 20000 };
    struct schedule *schedule, *twin;
    uint64_t *dues = test_calloc(COUNT, sizeof *dues), *again = test_calloc(COUNT, sizeof *again);
    struct status status = schedule_rate(*state, 1000, true, 5, &schedule);
    assert_true(status_is_ok(&status));
    status = schedule_rate(*state, 1000, true, 5, &twin);
    assert_true(status_is_ok(&status));
    assert_int_equal(run(schedule, 0, UINT64_MAX / 2, dues, COUNT), COUNT);
    assert_int_equal(run(twin, 0, UINT64_MAX / 2, again, COUNT), COUNT);
    assert_memory_equal(dues, again, COUNT * sizeof *dues);
    double mean = (double)dues[COUNT - 1] / COUNT, squares = 0;
    for (size_t i = 1; i < COUNT; i++)
        squares += pow((double)(dues[i] - dues[i - 1]) - mean, 2) / COUNT;
    assert_true(fabs(mean / 1e6 - 1) < 0.03);
    assert_true(fabs(sqrt(squares) / mean - 1) < 0.05);
    test_free(dues);
    test_free(again);
}

static void test_intervals(void **state) {
    char path[] = "/tmp/inferd-intervals-XXXXXX";
    int fd = mkstemp(path);
    const char *text = "1000\n\n 500 \r\n2000";
    assert_int_equal(write(fd, text, strlen(text)), (long)strlen(text));
    close(fd);
    const uint64_t *gaps;
    size_t count;
    struct schedule *schedule;
    struct status status = schedule_read_intervals(*state, path, &gaps, &count);
    assert_string_equal(status.message, "");
    assert_int_equal(count, 3);
    status = schedule_intervals(*state, gaps, count, &schedule);
    assert_true(status_is_ok(&status));
    uint64_t dues[5];
    assert_int_equal(run(schedule, 0, NS_PER_S, dues, 5), 5);
    const uint64_t expected[] = {1000000, 1500000, 3500000, 4500000, 5000000};
    assert_memory_equal(dues, expected, sizeof expected);
    unlink(path);
}

static void test_timed(void **state) {
    static const uint64_t times[] = {0, 0, 5000, 7000};
    struct schedule *schedule;
    struct schedule_step step;
    struct status status = schedule_timed(*state, times, 4, &schedule);
    assert_true(status_is_ok(&status));
    schedule->ops->begin(schedule, 100);
    for (int64_t i = 0; i < 2; i++) {
        assert_int_equal(schedule->ops->next(schedule, 100, 0, &step), SCHEDULE_SEND);
        assert_true(step.entry == i && step.time_ns == 100);
    }
    assert_int_equal(schedule->ops->next(schedule, 5099, 0, &step), SCHEDULE_WAIT);
    assert_int_equal(step.time_ns, 5100);
    for (int64_t i = 2; i < 4; i++) { /* late: both are due */
        assert_int_equal(schedule->ops->next(schedule, 9000, 0, &step), SCHEDULE_SEND);
        assert_true(step.entry == i && step.time_ns == 100 + times[i]);
    }
    assert_int_equal(schedule->ops->next(schedule, 9000, 0, &step), SCHEDULE_END);
    schedule->ops->begin(schedule, 0); /* and again */
    assert_int_equal(schedule->ops->next(schedule, 0, 0, &step), SCHEDULE_SEND);
}

static void test_what_is_refused(void **state) {
    struct schedule *schedule;
    const uint64_t zeros[] = {0, 0}, *gaps;
    size_t count;
    struct status status = schedule_intervals(*state, zeros, 2, &schedule);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    status = schedule_rate(*state, 0, false, 0, &schedule);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    static const char *const files[][2] = {
        {"10\nten\n", ":2: expected a whole number of microseconds"},
        {"10\n1.5\n", ":2: expected a whole number of microseconds up to a day, got \"1.5\""},
        {"\n \n", ": expected gaps in microseconds, one a line, got none"},
        {"0\n0\n", ": expected gaps in microseconds, one a line, and one of them longer than 0"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[] = "/tmp/inferd-intervals-XXXXXX";
        int fd = mkstemp(path);
        assert_int_equal(write(fd, files[i][0], strlen(files[i][0])), strlen(files[i][0]));
        close(fd);
        status = schedule_read_intervals(*state, path, &gaps, &count);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_memory_equal(status.message, path, strlen(path));
        assert_memory_equal(status.message + strlen(path), files[i][1], strlen(files[i][1]));
        unlink(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_concurrency, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_periodic_concurrency, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_constant_rate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_generator, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_poisson_rate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_intervals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
