/* Files that are a JSON array at any time, and what traces look like in them. */
#include "trace_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "trace/trace_file.h"

static void append(struct trace_file *file, const char *records) {
    assert_good(trace_file_append(file, slice_of(records)));
}

static void expect(struct fixture *f, const char *text) {
    struct buf content = fixture_read(f, "");
    assert_string_equal(content.data, text);
    buf_free(&content);
}

static void an_array_that_grows(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct trace_file file;
    assert_good(file_write_atomic(f.file, slice_of("what was there")));
    assert_good(trace_file_open(f.file, &file));
    expect(&f, "[]");
    append(&file, "1");
    expect(&f, "[1]");
    append(&file, "2,\"three\"");
    expect(&f, "[1,\n2,\"three\"]");
    assert_int_equal(file.appends, 2);
    trace_file_close(&file);
    trace_file_close(&file); /* and once more */
    expect(&f, "[1,\n2,\"three\"]");
    fixture_end(&f);
}

static void places_that_cannot_be_written(void **state) {
    (void)state;
    struct trace_file file;
    struct status status = trace_file_open("/none/at/all", &file);
    assert_non_null(strstr(status.message, "cannot open trace file /none/at/all: No such file"));
    status = trace_file_open("/dev/full", &file);
    assert_non_null(strstr(status.message, "No space left"));
}

/* When the disk is full the file stays what it was. */
static void a_full_disk(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct trace_file file;
    assert_good(trace_file_open(f.file, &file));
    append(&file, "1");
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(trace_file_append(&file, slice_of("\"a long record\"")).code, STATUS_INTERNAL);
    expect(&f, "[1]");
    append(&file, "22");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    append(&file, "3");
    expect(&f, "[1,\n22,\n3]");
    trace_file_close(&file);
    fixture_end(&f);
}

static void a_trace_in_a_file(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    struct trace *trace = tracer_sample(f.tracer, slice_of("a \"model\""), TRACE_HTTP, NULL);
    trace_set_version(trace, 3);
    trace_set_request_id(trace, slice_of("x\"\\\n\xff"));
    trace_stamp(trace, TRACE_SEND_END, 30);
    trace_stamp(trace, TRACE_RECV_START, 10);
    trace_stamp(trace, TRACE_COMPUTE_START, 0); /* never */
    trace_stamp(trace, TRACE_RESPONSE_COMPLETE, 20);
    trace_end(trace);
    trace = tracer_sample(f.tracer, slice_of("m"), TRACE_GRPC, NULL);
    trace_stamp(trace, TRACE_RECV_START, 1);
    trace_end(trace);
    trace_end(NULL);
    fixture_stop(&f);
    expect(&f, "[{\"id\":1,\"model_name\":\"a \\\"model\\\"\",\"model_version\":3,\"request_id\":"
               "\"x\\\"\\\\\\n\xEF\xBF\xBD\"},"
               "{\"id\":1,\"timestamps\":[{\"name\":\"HTTP_RECV_START\",\"ns\":10}]},"
               "{\"id\":1,\"timestamps\":[{\"name\":\"INFER_RESPONSE_COMPLETE\",\"ns\":20}]},"
               "{\"id\":1,\"timestamps\":[{\"name\":\"HTTP_SEND_END\",\"ns\":30}]},\n"
               "{\"id\":2,\"model_name\":\"m\",\"model_version\":-1},"
               "{\"id\":2,\"timestamps\":[{\"name\":\"GRPC_WAITREAD_START\",\"ns\":1}]}]");
    fixture_end(&f);
}

static void tensors_in_a_file(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.level = TRACE_TENSORS;
    fixture_start(&f);
    struct trace *trace = sample(&f, "m");
    assert_true(trace_wants_tensors(trace));
    assert_false(trace_wants_tensors(NULL));
    const struct trace_tensor input = {.name = slice_of("IN"),
                                       .datatype = "BYTES",
                                       .shape = (const int64_t[]){1, 2},
                                       .rank = 2,
                                       .data = slice_of("\"a\\\"b\",\"c\"")};
    struct trace_tensor output = input;
    output.name = slice_of("OUT");
    output.rank = 0;
    output.cut = true;
    trace_add_tensor(trace, TRACE_QUEUE_INPUT, &input);
    trace_add_tensor(trace, TRACE_BACKEND_OUTPUT, &output);
    trace_stamp(trace, TRACE_RECV_START, 1); /* not asked for */
    trace_end(trace);
    fixture_stop(&f);
    expect(&f,
           "[{\"id\":1,\"model_name\":\"m\",\"model_version\":-1},"
           "{\"id\":1,\"activity\":\"TENSOR_QUEUE_INPUT\",\"tensor\":{\"name\":\"IN\",\"data\":\"\\\"a\\\\\\\"b\\\","
           "\\\"c\\\"\",\"shape\":\"1,2\",\"dtype\":\"BYTES\"}},"
           "{\"id\":1,\"activity\":\"TENSOR_BACKEND_OUTPUT\",\"tensor\":{\"name\":\"OUT\",\"data\":"
           "\"\\\"a\\\\\\\"b\\\",\\\"c\\\"\",\"shape\":\"\",\"dtype\":\"BYTES\",\"truncated\":true}}]");
    fixture_end(&f);
}

static void records_are_bounded(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.level = TRACE_TENSORS | TRACE_TIMESTAMPS;
    fixture_start(&f);
    static char text[10 * TRACE_TEXT_MAX];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? '\xA9' : '\xC3';
    text[0] = text[1] = 'x'; /* so that the bound falls into a character */
    const struct slice long_text = {text + 1, sizeof text - 1};
    struct trace *trace = tracer_sample(f.tracer, long_text, TRACE_HTTP, NULL);
    const struct trace_tensor tensor = {.name = slice_of("T"), .datatype = "INT8", .data = slice_of("1")};
    for (int i = 0; i < 2 * TRACE_STAMPS_MAX; i++) {
        trace_stamp(trace, TRACE_SEND_START, 7);
        trace_add_tensor(trace, TRACE_QUEUE_INPUT, &tensor);
    }
    trace_set_request_id(trace, long_text);
    trace_end(trace);
    fixture_stop(&f);
    struct buf content = fixture_read(&f, "");
    assert_int_equal(count_of(content.data, "HTTP_SEND_START"), TRACE_STAMPS_MAX);
    assert_int_equal(count_of(content.data, "TENSOR_QUEUE_INPUT"), TRACE_TENSORS_MAX);
    assert_int_equal(count_of(content.data, "\xC3\xA9"), 2 * (TRACE_TEXT_MAX / 2 - 1)); /* model and id */
    assert_null(strstr(content.data, "\xEF\xBF\xBD"));                                  /* cut between characters */
    buf_free(&content);
    fixture_end(&f);
}

static void so_many_a_file(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.config.settings.log_frequency = 2;
    fixture_start(&f);
    assert_int_equal(traced_of(&f, "m", 5), 5);
    fixture_stop(&f);
    assert_false(fixture_has(&f, ""));
    assert_false(fixture_has(&f, ".3"));
    const size_t expected[] = {2, 2, 1};
    for (int i = 0; i < 3; i++) {
        char suffix[4];
        snprintf(suffix, sizeof suffix, ".%d", i);
        struct buf content = fixture_read(&f, suffix);
        assert_int_equal(count_of(content.data, "model_name"), expected[i]);
        assert_int_equal(content.data[0], '[');
        assert_int_equal(content.data[content.size - 2], ']');
        buf_free(&content);
    }
    fixture_end(&f);
}

/* A model with a frequency of its own has files of its own; the numbers are those of all. */
static void files_of_a_model(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    struct trace_update update = {.log_frequency = TRACE_SET, .values.log_frequency = 1};
    assert_good(tracer_update(f.tracer, slice_of("m"), &update));
    assert_int_equal(traced_of(&f, "m", 2), 2);
    assert_int_equal(traced_of(&f, "other", 3), 3);
    fixture_stop(&f);
    struct buf content = fixture_read(&f, "");
    assert_int_equal(count_of(content.data, "\"model_name\":\"other\""), 3);
    assert_int_equal(count_of(content.data, "\"model_name\":\"m\""), 0);
    buf_free(&content);
    assert_true(fixture_has(&f, ".0") && fixture_has(&f, ".1") && !fixture_has(&f, ".2"));
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_that_grows), cmocka_unit_test(places_that_cannot_be_written),
        cmocka_unit_test(a_full_disk),         cmocka_unit_test(a_trace_in_a_file),
        cmocka_unit_test(tensors_in_a_file),   cmocka_unit_test(records_are_bounded),
        cmocka_unit_test(so_many_a_file),      cmocka_unit_test(files_of_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
