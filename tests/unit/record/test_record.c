/* A record's line: what it looks like, that it reads back, and lines that are none. */
#include "record_fixture.h"

#include <math.h>

static struct buf written(const struct record *record) {
    struct buf line = BUF_EMPTY;
    record_write(record, &line);
    assert_false(buf_failed(&line));
    assert_int_equal(line.data[line.size - 1], '\n');
    assert_ptr_equal(memchr(line.data, '\n', line.size), line.data + line.size - 1); /* one line */
    return line;
}

static void expect_line(const struct record *record, const char *expected) {
    struct buf line = written(record);
    buf_append_char(&line, '\0');
    assert_string_equal(line.data, expected);
    buf_free(&line);
}

static void what_a_line_looks_like(void **state) {
    (void)state;
    expect_line(&full_record,
                "{\"at_ns\":1234567890123456789,\"protocol\":\"v2-grpc\",\"model\":\"m\",\"version\":\"2\","
                "\"id\":\"id-1\",\"priority\":7,\"timeout_us\":18446744073709551615,"
                "\"sequence\":{\"id\":9,\"start\":true},"
                "\"parameters\":{\"yes\":true,\"low\":-9223372036854775808,\"high\":18446744073709551615,\"real\":2.0,"
                "\"text\":\"a\\n\\\"b\\\"\xc3\xa9\"},"
                "\"outputs\":[{\"name\":\"X\",\"classification\":3},{\"name\":\"Y\",\"shared\":true}],"
                "\"inputs\":[{\"name\":\"A\",\"datatype\":\"UINT8\",\"shape\":[2,2],\"size\":4,\"b64\":\"AP8KIg==\"},"
                "{\"name\":\"B\",\"datatype\":\"FP32\",\"shape\":[],\"size\":4,\"shared\":true},"
                "{\"name\":\"C\",\"datatype\":\"BYTES\",\"shape\":[2],\"size\":0,\"b64\":\"\"}]}\n");
    expect_line(&small_record, "{\"at_ns\":0,\"protocol\":\"v1-http\",\"model\":\"m\",\"inputs\":[]}\n");
}

/* Written, read and written again it is the same line. */
static void it_reads_back(const struct record *record) {
    struct arena *arena = arena_create(0);
    struct buf first = written(record);
    struct record read;
    assert_good(record_parse((struct slice){first.data, first.size - 1}, arena, &read));
    struct buf second = written(&read);
    assert_true(slice_equal(buf_slice(&first), buf_slice(&second)));
    buf_free(&first);
    buf_free(&second);
    arena_destroy(arena);
}

static void all_of_it_reads_back(void **state) {
    (void)state;
    it_reads_back(&full_record);
    it_reads_back(&small_record);
    const struct record named = {.protocol = {"p", 1}, .model = {"m", 1}, .sequence = {.text = {"s", 1}, .end = true}};
    it_reads_back(&named);
    struct record_parameter odd[] = {
        {.name = {"n", 1}, .kind = RECORD_DOUBLE, .value.real = (double)NAN},
        {.name = {"i", 1}, .kind = RECORD_DOUBLE, .value.real = -(double)INFINITY},
        {.name = {"", 0}, .kind = RECORD_STRING, .value.string = {"", 0}},
    };
    const struct record strange = {.protocol = {"p", 1}, .model = {"m", 1}, .parameters = odd, .parameter_count = 3};
    it_reads_back(&strange);
}

static void members_are_what_they_were(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct buf line = written(&full_record);
    struct record read;
    assert_good(record_parse(buf_slice(&line), arena, &read)); /* a line feed does no harm */
    buf_free(&line);                                           /* nothing points into it */
    assert_true(read.at_ns == full_record.at_ns && read.priority == 7 && read.timeout_us == UINT64_MAX);
    assert_slice(read.protocol, "v2-grpc");
    assert_slice(read.version, "2");
    assert_int_equal(read.input_count, 3);
    assert_true(slice_equal(read.inputs[0].data, full_inputs[0].data));
    assert_true(read.inputs[1].shared && !read.inputs[1].has_data && read.inputs[2].has_data);
    assert_int_equal(read.inputs[0].shape[1], 2);
    assert_int_equal(read.outputs[0].classification, 3);
    assert_int_equal(read.parameters[1].kind, RECORD_INT);
    assert_true(read.parameters[1].value.integer == INT64_MIN);
    assert_int_equal(read.parameters[3].kind, RECORD_DOUBLE);
    assert_slice(read.parameters[4].value.string, "a\n\"b\"\xc3\xa9");
    arena_destroy(arena);
}

static void what_is_unknown_is_passed_over(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct record read;
    assert_good(
        record_parse(slice_of("{\"new\":[{}],\"model\":\"m\",\"at_ns\":5,\"protocol\":\"p\",\"inputs\":[{\"x\":1,"
                              "\"name\":\"A\",\"datatype\":\"D\",\"shape\":[1]}]}"),
                     arena, &read));
    assert_true(read.at_ns == 5 && read.input_count == 1 && read.inputs[0].size == 0 && !read.inputs[0].has_data);
    arena_destroy(arena);
}

static void lines_that_are_none(void **state) {
    (void)state;
#define HEAD "{\"at_ns\":1,\"protocol\":\"p\",\"model\":\"m\""
#define INPUT HEAD ",\"inputs\":[{\"name\":\"A\",\"datatype\":\"D\","
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"", "byte 0: "},
        {"[1]", "expected an object, got array"},
        {HEAD, "byte 37: "},
        {HEAD "} x", "byte 39: "},
        {"{\"protocol\":\"p\",\"model\":\"m\"}", "at_ns: expected an integer of 0 or more, got none"},
        {"{\"at_ns\":-1,\"protocol\":\"p\",\"model\":\"m\"}", "at_ns: expected an integer"},
        {"{\"at_ns\":1,\"protocol\":\"\",\"model\":\"m\"}", "protocol: expected a text, got string"},
        {"{\"at_ns\":1,\"protocol\":\"p\"}", "model: expected a text, got none"},
        {HEAD ",\"version\":2}", "version: expected a text, got uint"},
        {HEAD ",\"priority\":1.5}", "priority: expected an integer"},
        {HEAD ",\"sequence\":[]}", "sequence: expected an object, got array"},
        {HEAD ",\"sequence\":{\"start\":1}}", "start: expected true or false, got uint"},
        {HEAD ",\"sequence\":{\"id\":-1}}", "id: expected an integer"},
        {HEAD ",\"parameters\":[]}", "parameters: expected an object, got array"},
        {HEAD ",\"parameters\":{\"a\":null}}", "parameters.a: expected a text, a number, true or false, got null"},
        {HEAD ",\"outputs\":{}}", "outputs: expected a list, got object"},
        {HEAD ",\"outputs\":[1]}", "outputs[0].name: expected a text, got none"},
        {HEAD ",\"outputs\":[{\"name\":\"X\",\"classification\":4294967296}]}", "outputs[0].classification: expected"},
        {HEAD ",\"inputs\":[{\"name\":\"A\"}]}", "inputs[0].datatype: expected a text, got none"},
        {INPUT "\"size\":1}]}", "inputs[0].shape: expected a list, got none"},
        {INPUT "\"shape\":[-1]}]}", "inputs[0].shape: expected integers of 0 or more, got sint"},
        {INPUT "\"shape\":[9223372036854775808]}]}", "inputs[0].shape: expected integers of 0 or more, got uint"},
        {INPUT "\"shape\":[],\"b64\":1}]}", "inputs[0].b64: expected a text, got uint"},
        {INPUT "\"shape\":[],\"b64\":\"!\"}]}", "inputs[0].b64: "},
        {INPUT "\"shape\":[],\"size\":3,\"b64\":\"AA==\"}]}", "inputs[0].b64: expected 3 bytes, as `size` says, got 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena *arena = arena_create(0);
        struct record read;
        struct status status = record_parse(slice_of(rows[i].line), arena, &read);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        if (strncmp(status.message, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("%s: got '%s'", rows[i].line, status.message);
        arena_destroy(arena);
    }
}

/* However little memory there is: an error, and no crash. */
static void memory_runs_out(void **state) {
    (void)state;
    struct buf line = written(&full_record);
    for (size_t limit = 1;; limit++) {
        struct arena *arena = arena_create(limit);
        struct record read;
        struct status status = record_parse(buf_slice(&line), arena, &read);
        arena_destroy(arena);
        if (status_is_ok(&status))
            break;
        assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    }
    buf_free(&line);
}

static void heads(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    const struct record_head head = {SLICE_LITERAL("inferd 1"), SLICE_LITERAL("2026-01-02T03:04:05.000000006Z"), true};
    struct record_head read;
    struct buf line = BUF_EMPTY;
    record_head_write(&head, &line);
    assert_slice(buf_slice(&line), "{\"inferd_record\":1,\"server\":\"inferd 1\","
                                   "\"started\":\"2026-01-02T03:04:05.000000006Z\",\"bodies\":true}\n");
    assert_good(record_head_parse(buf_slice(&line), arena, &read));
    assert_true(read.bodies && slice_equal(read.server, head.server) && slice_equal(read.started, head.started));
    struct status status = record_head_parse(slice_of("{\"inferd_record\":2}"), arena, &read);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_string_equal(status.message, "records of the form 2: expected 1");
    status = record_head_parse(slice_of("{\"data\":[]}"), arena, &read);
    assert_string_equal(status.message, "inferd_record: expected the number of the form, got none");
    buf_free(&line);
    arena_destroy(arena);
}

static void ends(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    const struct record_end end = {SLICE_LITERAL("max-size"), UINT64_MAX, UINT64_MAX, UINT64_MAX};
    struct record_end read;
    struct buf line = BUF_EMPTY;
    record_end_write(&end, &line);
    assert_true(line.size <= RECORD_END_MAX);
    assert_true(record_end_parse(buf_slice(&line), arena, &read));
    assert_true(read.records == UINT64_MAX && read.failed == UINT64_MAX && slice_equal(read.reason, end.reason));
    assert_false(record_end_parse(slice_of("{\"at_ns\":1,\"end\":\"x\"}"), arena, &read));
    assert_false(record_end_parse(slice_of("{\"end\":1}"), arena, &read));
    buf_free(&line);
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_line_looks_like),
        cmocka_unit_test(all_of_it_reads_back),
        cmocka_unit_test(members_are_what_they_were),
        cmocka_unit_test(what_is_unknown_is_passed_over),
        cmocka_unit_test(lines_that_are_none),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(heads),
        cmocka_unit_test(ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
