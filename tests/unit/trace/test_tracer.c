/* Which inferences are traced: rate, count, levels, models' own settings, and what clients tell. */
#include "trace_fixture.h"

static struct trace_update set_rate(uint32_t rate) {
    return (struct trace_update){.rate = TRACE_SET, .values.rate = rate};
}

static struct trace_update set_level(unsigned level) {
    return (struct trace_update){.level = TRACE_SET, .values.level = level};
}

static struct trace_update set_count(int32_t count) {
    return (struct trace_update){.count = TRACE_SET, .values.count = count};
}

static void update(struct fixture *f, const char *model, struct trace_update change) {
    assert_good(tracer_update(f->tracer, slice_of(model), &change));
}

static struct trace_settings settings(struct fixture *f, const char *model) {
    return tracer_settings(f->tracer, slice_of(model));
}

static void off_is_off(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.level = TRACE_OFF;
    fixture_start(&f);
    assert_false(tracer_is_on(f.tracer));
    assert_false(tracer_is_on(NULL));
    assert_null(sample(&f, "m"));
    update(&f, "", set_level(TRACE_TIMESTAMPS));
    assert_true(tracer_is_on(f.tracer));
    assert_int_equal(traced_of(&f, "m", 3), 3);
    update(&f, "", set_level(TRACE_OFF));
    assert_false(tracer_is_on(f.tracer));
    fixture_end(&f);
}

static void one_in_so_many(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.rate = 10;
    fixture_start(&f);
    assert_int_equal(traced_of(&f, "m", 9), 0);
    assert_int_equal(traced_of(&f, "other", 1), 1); /* all models together */
    assert_int_equal(traced_of(&f, "m", 100), 10);
    fixture_end(&f);
}

static void the_count_runs_out(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.count = 3;
    f.config.settings.rate = 2;
    fixture_start(&f);
    assert_int_equal(traced_of(&f, "m", 4), 2);
    assert_int_equal(settings(&f, "").count, 1); /* what is left */
    assert_int_equal(traced_of(&f, "m", 100), 1);
    assert_int_equal(settings(&f, "").count, 0);
    assert_false(tracer_is_on(f.tracer)); /* and costs nothing any more */
    update(&f, "", set_count(5));
    assert_int_equal(traced_of(&f, "m", 100), 5);
    fixture_end(&f);
}

static void models_have_settings_of_their_own(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.rate = 4;
    fixture_start(&f);
    update(&f, "m", set_rate(2));
    assert_int_equal(settings(&f, "m").rate, 2);
    assert_int_equal(settings(&f, "m").level, TRACE_TIMESTAMPS); /* the server's */
    assert_int_equal(settings(&f, "other").rate, 4);
    assert_int_equal(settings(&f, "").rate, 4);
    assert_int_equal(traced_of(&f, "m", 8), 4);
    assert_int_equal(traced_of(&f, "other", 8), 2);
    /* The server changes: the model follows in what is not its own. */
    update(&f, "", set_rate(8));
    update(&f, "", set_level(TRACE_TENSORS));
    assert_int_equal(settings(&f, "m").rate, 2);
    assert_int_equal(settings(&f, "m").level, TRACE_TENSORS);
    assert_int_equal(settings(&f, "other").rate, 8);
    /* Cleared, it has nothing of its own. */
    update(&f, "m", (struct trace_update){.rate = TRACE_CLEAR});
    assert_int_equal(settings(&f, "m").rate, 8);
    update(&f, "", set_rate(16));
    assert_int_equal(settings(&f, "m").rate, 16);
    fixture_end(&f);
}

static void one_model_alone(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.level = TRACE_OFF;
    fixture_start(&f);
    update(&f, "m", set_level(TRACE_TIMESTAMPS));
    assert_true(tracer_is_on(f.tracer));
    assert_int_equal(traced_of(&f, "m", 2), 2);
    assert_int_equal(traced_of(&f, "n", 2), 0);
    update(&f, "m", (struct trace_update){.level = TRACE_CLEAR});
    assert_false(tracer_is_on(f.tracer));
    fixture_end(&f);
}

static void the_server_goes_back_to_its_start(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.rate = 7;
    fixture_start(&f);
    update(&f, "", set_rate(3));
    update(&f, "", set_count(9));
    update(&f, "", (struct trace_update){.rate = TRACE_CLEAR});
    assert_int_equal(settings(&f, "").rate, 7);
    assert_int_equal(settings(&f, "").count, 9);
    update(&f, "", (struct trace_update){.count = TRACE_CLEAR});
    assert_int_equal(settings(&f, "").count, -1);
    fixture_end(&f);
}

static void impossible_settings_change_nothing(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.level = TRACE_OFF;
    fixture_start(&f);
    update(&f, "m", set_rate(0)); /* off, so it may be anything */
    update(&f, "", set_level(TRACE_TIMESTAMPS));
    assert_int_equal(traced_of(&f, "m", 3), 0); /* it follows, and by its rate nothing is traced */
    assert_int_equal(traced_of(&f, "n", 3), 3);
    struct trace_update zero = set_rate(0);
    struct status status = tracer_update(f.tracer, slice_of(""), &zero);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(settings(&f, "").rate, 1);
    fixture_end(&f);
}

static void without_a_file_nothing_is_traced(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.file = NULL;
    struct status status = tracer_create(&f.config, "", &f.log, &f.tracer);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_null(f.tracer);
    f.config.settings.level = TRACE_OFF;
    fixture_start(&f);
    struct trace_update on = set_level(TRACE_TIMESTAMPS);
    status = tracer_update(f.tracer, slice_of("m"), &on);
    assert_non_null(strstr(status.message, "trace file name is not given"));
    assert_int_equal(settings(&f, "m").level, TRACE_OFF);
    fixture_end(&f);
}

static void settings_of_models_are_bounded(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    char name[16];
    for (int i = 0; i < TRACE_MODELS_MAX; i++) {
        snprintf(name, sizeof name, "m%d", i);
        update(&f, name, set_rate(2));
    }
    struct trace_update change = set_rate(2);
    assert_int_equal(tracer_update(f.tracer, slice_of("more"), &change).code, STATUS_RESOURCE_EXHAUSTED);
    update(&f, "m0", (struct trace_update){.rate = TRACE_CLEAR});
    update(&f, "more", set_rate(2));
    update(&f, "", set_rate(3));
    assert_int_equal(settings(&f, "m5").rate, 2);
    fixture_end(&f);
}

static struct trace *sample_for(struct fixture *f, bool sampled) {
    const struct trace_context context =
        traceparent_parse(slice_of(sampled ? "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
                                           : "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
    return tracer_sample(f->tracer, slice_of("m"), TRACE_GRPC, &context);
}

/* Nobody listens on that port: spans go nowhere. */
static void clients_decide_in_opentelemetry_mode(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.mode = TRACE_MODE_OPENTELEMETRY;
    f.config.otlp.host = "127.0.0.1";
    f.config.otlp.port = "1";
    f.config.settings.rate = 0;
    f.config.settings.count = 0;
    fixture_start(&f);
    assert_true(tracer_is_on(f.tracer));
    assert_null(sample(&f, "m"));
    struct trace *trace = sample_for(&f, true);
    assert_non_null(trace);
    trace_end(trace);
    assert_null(sample_for(&f, false));
    update(&f, "", (struct trace_update){.rate = TRACE_SET, .count = TRACE_SET, .values = {.rate = 1, .count = 2}});
    assert_null(sample_for(&f, false)); /* not for this one, whatever the rate */
    assert_int_equal(traced_of(&f, "m", 5), 2);
    update(&f, "", set_level(TRACE_OFF));
    assert_null(sample_for(&f, true));
    fixture_end(&f);
}

static void clients_do_not_decide_in_triton_mode(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.rate = 2;
    fixture_start(&f);
    assert_null(sample_for(&f, true));
    struct trace *trace = sample_for(&f, false);
    assert_non_null(trace);
    trace_end(trace);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_is_off),
        cmocka_unit_test(one_in_so_many),
        cmocka_unit_test(the_count_runs_out),
        cmocka_unit_test(models_have_settings_of_their_own),
        cmocka_unit_test(one_model_alone),
        cmocka_unit_test(the_server_goes_back_to_its_start),
        cmocka_unit_test(impossible_settings_change_nothing),
        cmocka_unit_test(without_a_file_nothing_is_traced),
        cmocka_unit_test(settings_of_models_are_bounded),
        cmocka_unit_test(clients_decide_in_opentelemetry_mode),
        cmocka_unit_test(clients_do_not_decide_in_triton_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
