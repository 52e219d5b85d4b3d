/* The settings of --metrics-config, and the numbers against those of the model. The form of the text is checked with
 * Prometheus' own parser, by the tests with clients. */
#include <inttypes.h>

#include "record/recorder.h"
#include "served_models.h"

static void apply(struct metrics_options *options, const char *setting, const char *expected_message) {
    struct status status = metrics_options_apply(options, slice_of(setting));
    assert_string_equal(status.message, expected_message);
    assert_int_equal(status.code, *expected_message ? STATUS_INVALID_ARGUMENT : STATUS_OK);
}

static void settings_are_read(void **state) {
    (void)state;
    struct metrics_options options = metrics_options_default();
    assert_true(options.counter_latencies && options.histogram_latencies);
    apply(&options, "counter_latencies=false", "");
    assert_false(options.counter_latencies);
    assert_true(options.histogram_latencies);
    apply(&options, "histogram_latencies=false", "");
    assert_false(options.histogram_latencies);
    apply(&options, "counter_latencies=true", "");
    assert_true(options.counter_latencies);
}

static void others_are_refused(void **state) {
    (void)state;
    struct metrics_options options = metrics_options_default();
    apply(&options, "summary_latencies=true",
          "unknown setting 'summary_latencies': expected counter_latencies or histogram_latencies");
    apply(&options, "counter_latencies=yes", "counter_latencies: expected true or false, got 'yes'");
    apply(&options, "counter_latencies", "expected name=value, got 'counter_latencies'");
    apply(&options, "", "expected name=value, got ''");
}

/* Expects the line "<name>{<labels>} <value>". */
static void expect_line(const char *text, const char *format, ...) {
    char line[512] = "\n";
    va_list args;
    va_start(args, format);
    vsnprintf(line + 1, sizeof line - 2, format, args);
    va_end(args);
    strcat(line, "\n");
    if (!strstr(text, line))
        fail_msg("expected%sin:\n%s", line, text);
}

static struct buf write_text(struct served *served, struct recorder *recorder, struct arena *arena) {
    struct buf text = BUF_EMPTY;
    assert_good(metrics_text_write(served->server, served->metrics, NULL, recorder, arena, &text));
    buf_append_char(&text, '\0');
    return text;
}

#define LABELS "{model=\"m\",version=\"1\""

/* Counters of microseconds, histograms of seconds. */
static void numbers_are_those_of_the_model(void **state) {
    (void)state;
    struct served served;
    struct arena *arena = arena_create(0);
    served_init(&served);
    served_add_model(&served, "m",
                     "backend: \"identity\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
                     "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] } "
                     "parameters { key: \"execute_delay_ms\" value { string_value: \"3\" } }");
    served_start(&served);
    struct session *session = served_connect(&served);
    for (int i = 0; i < 2; i++) {
        served_send_infer(session, "m",
                          "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[7]}]}");
        served_expect_soon(&served, session, "200", "");
    }
    session->ops->destroy(session);
    struct model *model;
    struct model_statistics s;
    assert_good(inference_server_acquire_model(served.server, slice_of("m"), -1, &model));
    assert_good(model_statistics_snapshot(model, arena, &s));
    model_release(model);
    assert_true(s.success.ns >= 6 * NS_PER_MS);
    struct buf text = write_text(&served, NULL, arena);
    expect_line(text.data, "nv_inference_request_success" LABELS "} 2");
    expect_line(text.data, "nv_inference_request_duration_us" LABELS "} %" PRIu64, s.success.ns / 1000);
    expect_line(text.data, "nv_inference_queue_duration_us" LABELS "} %" PRIu64, s.queue.ns / 1000);
    expect_line(text.data, "nv_inference_compute_input_duration_us" LABELS "} %" PRIu64, s.compute_input.ns / 1000);
    expect_line(text.data, "nv_inference_compute_infer_duration_us" LABELS "} %" PRIu64, s.compute_infer.ns / 1000);
    expect_line(text.data, "nv_inference_compute_output_duration_us" LABELS "} %" PRIu64, s.compute_output.ns / 1000);
    expect_line(text.data, "inferd_request_duration_seconds_sum" LABELS "} %.9f", (double)s.success.ns / 1e9);
    expect_line(text.data, "inferd_queue_duration_seconds_sum" LABELS "} %.9f", (double)s.queue.ns / 1e9);
    expect_line(text.data, "inferd_request_duration_seconds_count" LABELS "} 2");
    expect_line(text.data, "inferd_request_duration_seconds_bucket" LABELS ",le=\"0.002\"} 0");
    expect_line(text.data, "inferd_request_duration_seconds_bucket" LABELS ",le=\"60\"} 2");
    expect_line(text.data, "inferd_request_duration_seconds_bucket" LABELS ",le=\"+Inf\"} 2");
    buf_free(&text);
    arena_destroy(arena);
    served_end(&served);
}

static void names_are_escaped(void **state) {
    (void)state;
    struct served served;
    struct arena *arena = arena_create(0);
    served_init(&served);
    served_add_model(&served, "a\\b \"c\"",
                     "backend: \"identity\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
                     "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] }");
    served_start(&served);
    struct buf text = write_text(&served, NULL, arena);
    expect_line(text.data, "nv_inference_count{model=\"a\\\\b \\\"c\\\"\",version=\"1\"} 0");
    buf_free(&text);
    arena_destroy(arena);
    served_end(&served);
}

/* Inferences for which there was no memory are dropped, not lost. */
static void what_was_not_recorded_is_told(void **state) {
    (void)state;
    struct served served;
    struct arena *arena = arena_create(0);
    struct recorder *recorder;
    const struct recorder_options options = {.path = "/nonexistent", .max_bytes = RECORDER_FILE_MIN};
    served_init(&served);
    served_start(&served);
    assert_good(recorder_create(&options, &served.log, &recorder));
    recorder_commit(recorder, NULL);
    struct buf text = write_text(&served, recorder, arena);
    expect_line(text.data, "inferd_records_total{outcome=\"written\"} 0");
    expect_line(text.data, "inferd_records_total{outcome=\"dropped\"} 1");
    expect_line(text.data, "inferd_records_total{outcome=\"failed\"} 0");
    buf_free(&text);
    recorder_destroy(recorder);
    arena_destroy(arena);
    served_end(&served);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(numbers_are_those_of_the_model),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(what_was_not_recorded_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
