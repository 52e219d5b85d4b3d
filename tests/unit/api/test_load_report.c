/* What a load report tells of served models, and its forms on the wire. */
#include <math.h>

#include "served_models.h"

#define CONFIG                                                                                                         \
    "backend: \"identity\" max_batch_size: 8 input { name: \"IN\" data_type: TYPE_INT32 dims: [ 1 ] } "                \
    "output { name: \"OUT\" data_type: TYPE_INT32 dims: [ 1 ] } "

static struct load_report read_at(struct served *served, struct load_meter *meter, uint64_t now_ns) {
    struct load_report report;
    assert_true(load_meter_read(meter, served->server, now_ns, &report));
    return report;
}

static void infer(struct served *served, const char *model, const char *status) {
    struct session *session = served_connect(served);
    served_send_infer(session, model,
                      "{\"inputs\":[{\"name\":\"IN\",\"shape\":[1,1],\"datatype\":\"INT32\",\"data\":[7]}]}");
    served_expect_soon(served, session, status, "");
    session->ops->destroy(session);
}

static void rates_are_measured(void **state) {
    (void)state;
    struct served served;
    served_init(&served);
    served_add_model(&served, "m", CONFIG);
    served_add_model(&served, "slow",
                     CONFIG "parameters { key: \"execute_delay_ms\" value { string_value: \"100\" } }");
    served_add_model(&served, "bad",
                     CONFIG "parameters { key: \"fail_executions\" value { string_value: \"every_n:1\" } }");
    served_start(&served);
    uint64_t start_ns = clock_monotonic_ns();
    struct load_meter *meter = load_meter_create(NULL);
    struct load_report report = read_at(&served, meter, start_ns);
    assert_true(report.rps_fractional == 0 && report.application_utilization == 0);
    infer(&served, "m", "200");
    infer(&served, "m", "200");
    infer(&served, "slow", "200");
    infer(&served, "bad", "500");
    /* Within a second of the first reading it is told again. */
    report = read_at(&served, meter, start_ns + NS_PER_S - 1);
    assert_true(report.rps_fractional == 0 && report.eps == 0);
    report = read_at(&served, meter, start_ns + 4 * NS_PER_S);
    assert_true(report.rps_fractional == 1 && report.eps == 0.25);
    assert_true(report.application_utilization >= 0.025 && report.application_utilization < 0.5);
    assert_true(report.pending_requests == 0);
    report = read_at(&served, meter, start_ns + 6 * NS_PER_S);
    assert_true(report.rps_fractional == 0 && report.eps == 0 && report.application_utilization == 0);
    load_meter_destroy(meter);
    load_meter_destroy(NULL);
    served_end(&served);
}

/* Of an interval that is shorter than a second nobody is told a rate as if it went on like that. */
static void the_first_reading_may_come_at_once(void **state) {
    (void)state;
    struct served served;
    served_init(&served);
    served_add_model(&served, "m", CONFIG);
    served_start(&served);
    infer(&served, "m", "200");
    infer(&served, "m", "200");
    struct load_meter *meter = load_meter_create(NULL);
    struct load_report report = read_at(&served, meter, clock_monotonic_ns());
    assert_true(report.rps_fractional > 0 && report.rps_fractional <= 2);
    load_meter_destroy(meter);
    served_end(&served);
}

/* Busy is the time in the engine, of all instances together; they can be busy side by side. */
static void instances_share_their_work(void **state) {
    (void)state;
    struct served served;
    served_init(&served);
    served_add_model(&served, "m",
                     CONFIG "instance_group { count: 4 kind: KIND_CPU } "
                            "parameters { key: \"execute_delay_ms\" value { string_value: \"20\" } }");
    served_start(&served);
    uint64_t start_ns = clock_monotonic_ns(), busy_ns = 0;
    struct load_meter *meter = load_meter_create(metrics_state_machine(served.metrics));
    struct load_report report = read_at(&served, meter, start_ns);
    infer(&served, "m", "200");
    report = read_at(&served, meter, start_ns + 5 * NS_PER_S);
    struct arena *arena = arena_create(0);
    struct model *model;
    struct model_statistics statistics;
    assert_good(inference_server_acquire_model(served.server, slice_of("m"), -1, &model));
    assert_good(model_statistics_snapshot(model, arena, &statistics));
    model_release(model);
    for (size_t i = 0; i < statistics.batch_count; i++)
        busy_ns += statistics.batches[i].compute_input.ns + statistics.batches[i].compute_infer.ns +
                   statistics.batches[i].compute_output.ns;
    assert_true(busy_ns >= 20 * NS_PER_MS);
    assert_true(fabs(report.application_utilization - (double)busy_ns / (4 * 5 * (double)NS_PER_S)) < 1e-9);
    arena_destroy(arena);
    load_meter_destroy(meter);
    served_end(&served);
}

static void two_forms(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    const struct load_report report = {.cpu_utilization = 0.25,
                                       .mem_utilization = 0.5,
                                       .application_utilization = 1,
                                       .rps_fractional = 10.5,
                                       .eps = 2,
                                       .pending_requests = 3};
    assert_string_equal(load_report_format(&report, slice_of("text"), arena),
                        "TEXT cpu_utilization=0.250000, mem_utilization=0.500000, application_utilization=1.000000, "
                        "rps_fractional=10.500, eps=2.000, named_metrics.pending_requests=3");
    assert_string_equal(load_report_format(&report, slice_of("JSON"), arena),
                        "JSON {\"cpu_utilization\":0.250000,\"mem_utilization\":0.500000,"
                        "\"application_utilization\":1.000000,\"rps_fractional\":10.500,\"eps\":2.000,"
                        "\"named_metrics\":{\"pending_requests\":3}}");
    assert_null(load_report_format(&report, slice_of("bin"), arena));
    assert_null(load_report_format(&report, slice_of(""), arena));
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_measured),
        cmocka_unit_test(the_first_reading_may_come_at_once),
        cmocka_unit_test(instances_share_their_work),
        cmocka_unit_test(two_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
