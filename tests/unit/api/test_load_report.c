/* What a load report tells of served models, and its forms on the wire. */
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
        cmocka_unit_test(two_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
