/* Tests of measurement: where windows end, and what a point says that was cut short. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tools/perf/measurement.h"

enum { WINDOW_S = 10 };

static const struct generator_setup setup = {
    .plan = {.window_ns = WINDOW_S * NS_PER_S, .max_trials = 5, .stability_percent = 10, .percentile = -1},
};

/* Requests of 1 ms that end every 100 ms, from one second to another. */
static void answer(struct measurement *measurement, uint64_t begin_ns, uint64_t from_s, uint64_t to_s) {
    for (uint64_t at = from_s * NS_PER_S; at < to_s * NS_PER_S; at += 100 * NS_PER_MS) {
        uint64_t end_ns = begin_ns + at + 50 * NS_PER_MS;
        struct sample_request request = {
            .due_ns = end_ns - NS_PER_MS,
            .timing = {end_ns - NS_PER_MS, end_ns - NS_PER_MS, end_ns, end_ns},
            .status = status_ok(),
            .responses = 1,
        };
        measurement_pass_time(measurement, end_ns);
        measurement_record(measurement, &request);
    }
}

static struct generator_result *run(uint64_t seconds) {
    static struct generator_result result;
    struct measurement measurement;
    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    answer(&measurement, NS_PER_S, 0, seconds);
    measurement_stop(&measurement, (1 + seconds) * NS_PER_S);
    assert_string_equal(measurement_sum_up(&measurement, &result).message, "");
    measurement_close(&measurement);
    return &result;
}

/* A steady load has no spread. What was cut short has fewer answers, not less throughput. */
static void test_cut_short(void **state) {
    (void)state;
    const struct generator_result *result = run(3);
    assert_true(result->stopped && !result->stable);
    assert_int_equal(result->sum.sample.latency.total, 30);
    assert_true(isnan(result->sum.throughput_confidence) && isnan(result->sum.latency_confidence_ns));
    result = run(WINDOW_S + 3); /* and behind a whole window */
    assert_int_equal(result->sum.window_count, 2);
    assert_int_equal(result->sum.sample.latency.total, 130);
    assert_float_equal(result->sum.throughput_confidence, 0, 1e-6);
}

/* Without a limit no latency is over it, and what does not agree is measured on. */
static void test_no_limit(void **state) {
    (void)state;
    struct measurement measurement;
    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    answer(&measurement, NS_PER_S, 0, WINDOW_S);
    answer(&measurement, NS_PER_S, WINDOW_S, WINDOW_S + WINDOW_S / 2);
    answer(&measurement, NS_PER_S, 2 * WINDOW_S, 3 * WINDOW_S);
    measurement_pass_time(&measurement, (1 + 3 * WINDOW_S) * NS_PER_S);
    assert_int_equal(measurement.judged, 3);
    assert_false(measurement.done);
    measurement_close(&measurement);
}

static void fail_in(struct measurement *measurement, uint64_t window) {
    uint64_t end_ns = (2 + window * WINDOW_S) * NS_PER_S;
    struct sample_request request = {.due_ns = end_ns - NS_PER_S,
                                     .timing = {end_ns - NS_PER_S, end_ns - NS_PER_S, end_ns, end_ns},
                                     .status = status_error(STATUS_INVALID_ARGUMENT, "refused")};
    measurement_pass_time(measurement, end_ns);
    measurement_record(measurement, &request);
    assert_false(measurement->done);
    measurement_pass_time(measurement, (1 + (window + 1) * WINDOW_S) * NS_PER_S);
    measurement_judge(measurement);
}

/* Three windows of failures alone are enough: more of them would not succeed. Where some request has, they may. */
static void test_nothing_but_failures(void **state) {
    (void)state;
    struct measurement measurement;
    static struct generator_result result;
    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    for (uint64_t window = 0; window < 3; window++)
        fail_in(&measurement, window);
    assert_true(measurement.done && !measurement.stable);
    assert_string_equal(measurement_sum_up(&measurement, &result).message, "no request succeeded: refused");
    measurement_close(&measurement);

    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    answer(&measurement, NS_PER_S, 0, 1);
    for (uint64_t window = 1; window < 4; window++)
        fail_in(&measurement, window);
    assert_int_equal(measurement.judged, 4);
    assert_false(measurement.done);
    measurement_close(&measurement);
}

/* An answer belongs to the part of the window in which it came; what comes with the end, to the last. */
static void test_slices(void **state) {
    (void)state;
    struct measurement measurement;
    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    for (uint64_t slice = 0; slice <= SAMPLE_SLICES; slice++) {
        uint64_t end_ns = NS_PER_S + slice * (WINDOW_S * NS_PER_S / SAMPLE_SLICES);
        struct sample_request request = {
            .due_ns = NS_PER_S, .timing = {NS_PER_S, NS_PER_S, end_ns, end_ns}, .status = status_ok()};
        measurement_record(&measurement, &request);
        assert_int_equal(request.slice, slice < SAMPLE_SLICES ? slice : SAMPLE_SLICES - 1);
    }
    measurement_close(&measurement);
}

/* ---- statistics ---- */

static struct {
    infer_statistics_f *callback;
    void *user;
    size_t count;
} asked;

static struct status ask(struct driver *driver, struct slice model, struct slice version, infer_statistics_f *callback,
                         void *user) {
    (void)driver, (void)version;
    assert_true(slice_equal_text(model, "m"));
    asked.callback = callback;
    asked.user = user;
    asked.count++;
    return status_ok();
}

static void tell(uint64_t requests) {
    const struct infer_statistics item = {
        .name = SLICE_LITERAL("m"), .inference_count = requests, .success = {requests, requests}};
    const struct status good = status_ok();
    asked.callback(asked.user, &good, &item, 1);
}

/* What the server has counted in a window: the answer at its end less that at its beginning, when both have come. */
static void test_statistics_of_a_window(void **state) {
    (void)state;
    static const struct driver_ops ops = {.statistics = ask};
    static struct generator_result result;
    struct driver driver = {&ops};
    struct measurement measurement;
    struct generator_setup with = setup;
    with.driver = &driver;
    with.model = SLICE_LITERAL("m");
    with.has_statistics = true;
    with.models = (struct server_models){.count = 1, .names = {{"m", 1}}};
    assert_string_equal(measurement_open(&measurement, &with).message, "");
    measurement_begin(&measurement, NS_PER_S);
    assert_int_equal(asked.count, 1);
    tell(1000);
    answer(&measurement, NS_PER_S, 0, WINDOW_S);
    measurement_pass_time(&measurement, (1 + WINDOW_S) * NS_PER_S);
    assert_int_equal(asked.count, 2);
    assert_int_equal(measurement.pending_snapshots, 1);
    assert_int_equal(measurement.judged, 0); /* the second answer is awaited */
    tell(1100);
    assert_int_equal(measurement.pending_snapshots, 0);
    measurement_judge(&measurement);
    assert_int_equal(measurement.judged, 1);
    measurement_stop(&measurement, (1 + WINDOW_S) * NS_PER_S);
    assert_string_equal(measurement_sum_up(&measurement, &result).message, "");
    assert_true(result.sum.server.valid);
    assert_int_equal(result.sum.server.models[0].success.count, 100);
    measurement_close(&measurement);
}

/* A good answer is none when its time is over; a failure stays what it is. */
static void test_late_answers(void **state) {
    (void)state;
    const struct measurement_plan plan = {.timeout_ns = NS_PER_MS}, patient = {.timeout_ns = 0};
    struct infer_result result = {.status = status_ok(),
                                  .timing = {.start_ns = NS_PER_S, .end_ns = NS_PER_S + NS_PER_MS}};
    assert_int_equal(measurement_timely(&plan, &result).code, STATUS_OK);
    result.timing.end_ns++;
    assert_int_equal(measurement_timely(&plan, &result).code, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(measurement_timely(&patient, &result).code, STATUS_OK);
    result.status = status_error(STATUS_UNAVAILABLE, "gone");
    assert_int_equal(measurement_timely(&plan, &result).code, STATUS_UNAVAILABLE);
}

static void test_stopped_before_any_answer(void **state) {
    (void)state;
    static struct generator_result result;
    struct measurement measurement;
    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    measurement_stop(&measurement, 2 * NS_PER_S);
    assert_int_equal(measurement_sum_up(&measurement, &result).code, STATUS_CANCELLED);
    measurement_close(&measurement);
}

/* Where all failed, the commonest class speaks for them, by its first message. */
static void test_no_request_succeeded(void **state) {
    (void)state;
    static const struct {
        enum status_code code;
        const char *message;
    } failures[] = {{STATUS_NOT_FOUND, "rare"}, {STATUS_UNAVAILABLE, "gone"}, {STATUS_UNAVAILABLE, "gone again"}};
    static struct generator_result result;
    struct measurement measurement;
    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct sample_request request = {
            .due_ns = NS_PER_S,
            .timing = {NS_PER_S, NS_PER_S, NS_PER_S + i + 1, NS_PER_S + i + 1},
            .status = status_error(failures[i].code, "%s", failures[i].message),
        };
        measurement_record(&measurement, &request);
    }
    measurement_stop(&measurement, 2 * NS_PER_S);
    struct status status = measurement_sum_up(&measurement, &result);
    assert_int_equal(status.code, STATUS_UNAVAILABLE);
    assert_string_equal(status.message, "no request succeeded: gone");
    measurement_close(&measurement);
}

/* What comes behind the last window is in none, and told apart. */
static void test_tail(void **state) {
    (void)state;
    static struct generator_result result;
    struct measurement measurement;
    assert_string_equal(measurement_open(&measurement, &setup).message, "");
    measurement_begin(&measurement, NS_PER_S);
    answer(&measurement, NS_PER_S, 0, 1);
    measurement_stop(&measurement, 2 * NS_PER_S);
    measurement_note_late(&measurement, 3 * NS_PER_S);
    measurement_note_late(&measurement, 2 * NS_PER_S);
    measurement.tail.unanswered = 5;
    assert_string_equal(measurement_sum_up(&measurement, &result).message, "");
    assert_int_equal(result.sum.sample.latency.total, 10);
    assert_int_equal(result.sum.sample.failed, 0);
    assert_int_equal(result.tail.answered, 2);
    assert_int_equal(result.tail.slowest_ns, 3 * NS_PER_S);
    assert_int_equal(result.tail.unanswered, 5);
    measurement_close(&measurement);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_nothing_but_failures),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_statistics_of_a_window),
        cmocka_unit_test(test_late_answers),
        cmocka_unit_test(test_stopped_before_any_answer),
        cmocka_unit_test(test_no_request_succeeded),
        cmocka_unit_test(test_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
