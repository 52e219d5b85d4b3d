/* Tests of perf_options: perf_analyzer's flags and perf_client's, ranges, and every contradiction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/perf/perf_options.h"

static int set_up(void **state) {
    *state = arena_create(0);
    return 0;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

/* Parses words that are separated by blanks, behind "-m model". */
static struct status parse(struct arena *arena, const char *line, struct perf_options *ret) {
    char *argv[40] = {(char *)"perf", (char *)"-m", (char *)"model"};
    int argc = 3;
    enum options_outcome outcome;
    struct slice rest = slice_of(line), word;
    while (rest.size > 0) {
        slice_split(rest, ' ', &word, &rest);
        argv[argc++] = arena_strdup(arena, word);
    }
    return perf_options_parse(argc, argv, arena, ret, &outcome);
}

static struct perf_options parsed(struct arena *arena, const char *line) {
    struct perf_options options;
    struct status status = parse(arena, line, &options);
    assert_string_equal(status.message, "");
    return options;
}

static void test_defaults(void **state) {
    struct perf_options options = parsed(*state, "");
    assert_string_equal(options.model, "model");
    assert_string_equal(options.url, "localhost:8000");
    assert_int_equal(options.load, PERF_LOAD_CONCURRENCY);
    assert_true(options.range.start == 1 && options.range.end == 1 && options.percentile == -1);
    assert_int_equal(options.interval_ms, 5000);
    assert_int_equal(options.max_trials, 10);
    assert_true(options.stability_percent == 10);
    assert_string_equal(options.input_data.items[0], "random");
    assert_string_equal(parsed(*state, "-i gRPC").url, "localhost:8001");
}

static void test_sequence_ids(void **state) {
    struct perf_options options = parsed(*state, "");
    assert_true(options.sequence_first == 1 && options.sequence_end == 0);
    options = parsed(*state, "--sequence-id-range 4294967296:9223372036854775807");
    assert_true(options.sequence_first == 4294967296 && options.sequence_end == INT64_MAX);
    options = parsed(*state, "--sequence-id-range 7:");
    assert_true(options.sequence_first == 7 && options.sequence_end == 0);
    static const char *const lines[] = {
        "--sequence-id-range 0",   "--sequence-id-range 0:5",   "--sequence-id-range 5:5",
        "--sequence-id-range 5:4", "--sequence-id-range 1:9:2", "--sequence-id-range 9223372036854775808",
        "--sequence-id-range -1",  "--sequence-id-range 1.5",   "--sequence-id-range :5",
        "--sequence-id-range x",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(parse(*state, lines[i], &options).code, STATUS_INVALID_ARGUMENT);
}

/* Devices and pipes keep both of what is written to them. */
static void test_outputs(void **state) {
    parsed(*state, "-f a --json b --profile-export-file c");
    parsed(*state, "-f /tmp/a --json a");
    parsed(*state, "-f /dev/stdout --json /dev/stdout --profile-export-file /dev/null");
}

static void test_services(void **state) {
    assert_int_equal(parsed(*state, "").service, PERF_TRITON);
    assert_int_equal(parsed(*state, "--service-kind trtis -i GRPC --streaming -x 3").service, PERF_TRTIS);
    assert_string_equal(parsed(*state, "-x -1").model_version, "");
    struct perf_options options;
    assert_int_equal(parse(*state, "--service-kind trtis --request-parameter p:1:int", &options).code,
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(parse(*state, "--service-kind trtis --replay f", &options).code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(
        parse(*state, "--service-kind trtis --profile-export-file f --profile-export-values", &options).code,
        STATUS_INVALID_ARGUMENT);
}

static void test_in_process(void **state) {
    struct perf_options options = parsed(*state, "--service-kind in_process --model-repository a --model-repository b");
    assert_int_equal(options.service, PERF_IN_PROCESS);
    assert_int_equal(options.repositories.count, 2);
    assert_string_equal(options.url, "a");
    assert_string_equal(perf_carrier(&options), "in-process");
    assert_int_equal(parsed(*state, "--service-kind triton_c_api --model-repository a").service, PERF_IN_PROCESS);
    static const char *const refused[] = {
        "--service-kind in_process",
        "--model-repository a",
        "--service-kind in_process --model-repository a -u h:1",
        "--service-kind in_process --model-repository a -i grpc",
        "--service-kind in_process --model-repository a --shared-memory system",
        "--service-kind in_process --model-repository a -H A:b",
        "--service-kind in_process --model-repository a --replay f",
        "--service-kind in_process --model-repository a --triton-server-directory d",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(parse(*state, refused[i], &options).code, STATUS_INVALID_ARGUMENT);
}

static void test_perf_analyzer(void **state) {
    struct perf_options options = parsed(
        *state,
        "-i grpc -u h:1 -b 4 --concurrency-range 2:16:2 -p 1000 -s 20 -r 5 -l 50 --percentile=95 -f out.csv "
        "--verbose-csv -v -a --shape IN:3,4 -H A-b:c --request-parameter p:7:int --request-parameter q:a:b:string");
    assert_int_equal(options.protocol, PERF_GRPC);
    assert_true(options.range.start == 2 && options.range.end == 16 && options.range.step == 2);
    assert_int_equal(options.batch_size, 4);
    assert_true(options.verbose && options.verbose_csv && options.async && options.percentile == 95);
    assert_int_equal(options.shapes[0].rank, 2);
    assert_int_equal(options.shapes[0].dims[1], 4);
    assert_true(slice_equal_text(options.headers[0].name, "a-b")); /* gRPC's are lower case */
    assert_int_equal(options.parameters[0].kind, INFER_VALUE_INT);
    assert_int_equal(options.parameters[0].integer, 7);
    assert_true(slice_equal_text(options.parameters[1].text, "a:b"));
    options = parsed(*state, "--request-rate-range=10.5:20:0.5 --request-distribution poisson");
    assert_int_equal(options.load, PERF_LOAD_RATE);
    assert_true(options.range.start == 10.5 && options.range.step == 0.5 && options.poisson);
}

static void test_perf_client(void **state) {
    struct perf_options options = parsed(*state, "-t 4 -z -i HTTP");
    assert_true(options.range.start == 4 && options.range.end == 4);
    assert_string_equal(options.input_data.items[0], "zero");
    options = parsed(*state, "-d -l 100 -c 8");
    assert_true(options.range.start == 1 && options.range.end == 8 && options.range.has_end);
    assert_true(parsed(*state, "-d -l 100").range.end == 0);
}

static void refuses(struct arena *arena, const char *const *lines, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct perf_options options;
        struct status status = parse(arena, lines[i], &options);
        if (status.code != STATUS_INVALID_ARGUMENT)
            print_message("taken: %s\n", lines[i]);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_string_not_equal(status.message, "");
    }
}

static void test_contradictions(void **state) {
    static const char *const lines[] = {
        "--concurrency-range 1 --request-rate-range 5",
        "--concurrency-range 0",
        "--concurrency-range 4:2",
        "--concurrency-range 1:4:0",
        "--concurrency-range 1.5",
        "--concurrency-range 1:2:3:4",
        "--concurrency-range 1:0",
        "--binary-search --concurrency-range 1:8",
        "--binary-search -l 5",
        "--saturation-search --concurrency-range 1:8",
        "--saturation-search --binary-search -l 5 --concurrency-range 1:8",
        "--request-count 5 --saturation-search",
        "--fixed-schedule --concurrency-range 2",
        "--fixed-schedule -t 2",
        "--fixed-schedule --request-count 2",
        "--fixed-schedule -p 100",
        "--text t.json --input-data zero",
        "--text t.json --fresh-data",
        "--pad max",
        "--request-distribution poisson",
        "-i ftp",
        "--percentile 0.5",
        "--percentile 100",
        "--verbose-csv",
        "--shape IN",
        "--shape IN:-1",
        "-H nocolon",
        "-H a:b\nc",
        "-H Content-Length:3",
        "-H transfer-encoding:chunked",
        "-H HOST:a",
        "-H Inference-Header-Content-Length:3",
        "-i grpc -H TE:trailers",
        "-i grpc -H content-type:a/b",
        "-i grpc -H grpc-timeout:1S",
        "-i grpc -H content-length:3",
        "--request-parameter a:b:c",
        "--request-parameter a:1x:int",
        "-c 5",
        "-t 5 -d -c 3",
        "-t 4 --concurrency-range 4",
        "--vocab v",
        "--pad max",
        "--max-seq-length 384",
        "--doc-stride 64",
        "--max-query-length 30",
        "--text t.json --shape IN:1",
        "--output-shared-memory-size 10",
        "--shared-memory none --output-shared-memory-size 10",
        "--string-data x --string-length 3",
        "--shape IN:1 --shape IN:1",
        "--metrics-url localhost:1/metrics",
        "--metrics-interval 100 --collect-metrics false",
        "--periodic-concurrency-range 1:5 -i grpc --streaming --profile-export-file p -p 100",
        "--periodic-concurrency-range 1:5 -i grpc --streaming --profile-export-file p --max-trials 3",
        "-z --input-data random",
        "-q",
        "--sync",
        "--max-threads 0",
        "--service-kind openai",
        "--grpc-compression-algorithm gzip", /* of HTTP */
        "-u localhost",
        "-u localhost:99999",
        "-u ftp://localhost:1",
        "-x abc",
        "-x 1.5",
        "-x -2",
        "-f a --json a",
        "-f a --json ./a",
        "--json a --profile-export-file a",
        "-f a --profile-export-file a",
    };
    refuses(*state, lines, sizeof lines / sizeof lines[0]);
}

/* Whatever is wrong with it: one message, of what is taken. */
static void test_percentile(void **state) {
    static const char *const wrong[] = {"0.5", "100", "101", "0", "-0.5", "-2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct perf_options options;
        char line[64];
        snprintf(line, sizeof line, "--percentile %s", wrong[i]);
        struct status status = parse(*state, line, &options);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "from 1 to 99.999, or -1"));
    }
    assert_true(parsed(*state, "--percentile 1").percentile == 1);
    assert_true(parsed(*state, "--percentile 99.999").percentile == 99.999);
    assert_true(parsed(*state, "--percentile -1").percentile == -1);
}

/* They are for all commands: what others are told does not keep this one from its work. */
static void test_what_the_environment_tells_others(void **state) {
    static const char *const names[][2] = {
        {"INFERD_VOCAB", "v"},         {"INFERD_PAD", "max"},
        {"INFERD_DOC_STRIDE", "64"},   {"INFERD_MAX_SEQ_LENGTH", "384"},
        {"INFERD_URL", "localhost:1"}, {"INFERD_MAX_QUERY_LENGTH", "30"},
        {"INFERD_PROTOCOL", "grpc"},   {"INFERD_MODEL_REPOSITORY", "/r"},
        {"INFERD_BATCH_SIZE", "4"},    {"INFERD_MODEL_VERSION", "1"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        setenv(names[i][0], names[i][1], 1);
    assert_string_equal(parsed(*state, "").url, "localhost:1");
    assert_string_equal(parsed(*state, "--service-kind in_process").url, "/r");
    assert_int_equal(parsed(*state, "").batch_size, 4);
    assert_string_equal(parsed(*state, "").model_version, "1");
    assert_int_equal(parsed(*state, "--replay f").batch_size, 1);
    assert_string_equal(parsed(*state, "--replay f").model_version, "");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i][0]);
}

static void test_replay_contradictions(void **state) {
    static const char *const lines[] = {
        "--replay f --concurrency-range 2",
        "--replay f --fixed-schedule",
        "--replay f -t 2",
        "--replay f --input-data zero",
        "--replay f --shape IN:1",
        "--replay f --string-data x",
        "--replay f --text t.json",
        "--replay f -b 2",
        "--replay f -x 1",
        "--replay f --request-parameter a:1:int",
        "--replay f --request-count 5",
        "--replay f --num-of-sequences 2",
        "--replay f --shared-memory system",
        "--replay f -p 100",
        "--replay f -s 5",
        "--replay f -r 4",
        "--replay f --measurement-mode count_windows",
        "--replay f --measurement-request-count 5",
        "--replay f --speed 0",
        "--replay f --speed 1001",
        "--speed 2",
    };
    refuses(*state, lines, sizeof lines / sizeof lines[0]);
}

static void test_model_is_needed(void **state) {
    char *argv[] = {(char *)"perf", (char *)"-b", (char *)"1"};
    struct perf_options options;
    enum options_outcome outcome;
    assert_int_equal(perf_options_parse(3, argv, *state, &options, &outcome).code, STATUS_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sequence_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_outputs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_services, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_perf_analyzer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_perf_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contradictions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_percentile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_the_environment_tells_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replay_contradictions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_model_is_needed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
