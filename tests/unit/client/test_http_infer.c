/* Tests of http_infer.c: tensors in JSON, in requests and in answers. Those in binary are in test_client_body.c. */
#include "body_fixture.h"

#include <stdio.h>

static const int64_t shape_2[] = {2};
static const struct infer_tensor numbers = {{"n", 1}, {"FP32", 4}, shape_2, 1, {"\x00\x00\xc0\x3f\x00\x00\x00\xc0", 8}};
static const struct infer_tensor strings = {{"s", 1}, {"BYTES", 5}, shape_2, 1, {"\x01\0\0\0\"\x02\0\0\0\xc3\xa4", 11}};

static const char *body_of(struct fixture *fixture, const struct infer_request_spec *request) {
    struct status status = http_body_ops.write_infer(request, "h:1", fixture->arena, &fixture->call);
    assert_string_equal(status.message, "");
    buf_append_char(&fixture->call.request, '\0');
    return fixture->call.request.data;
}

static void test_json_both_ways(void **state) {
    struct fixture *fixture = *state;
    const struct infer_tensor inputs[] = {numbers, strings};
    const struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = inputs, .input_count = 2};
    fixture->call.json_inputs = fixture->call.json_outputs = true;
    const char *text = body_of(fixture, &request);
    assert_non_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(text, "Inference-Header-Content-Length"));
    const char *body = strstr(text, "\r\n\r\n") + 4;
    assert_string_equal(body,
                        "{\"inputs\":[{\"name\":\"n\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1.5,-2.0]},"
                        "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"\\\"\",\"\xc3\xa4\"]}]}");
    char length[64];
    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(body));
    assert_non_null(strstr(text, length));
}

static void test_json_one_way(void **state) {
    struct fixture *fixture = *state;
    const struct slice wanted = SLICE_LITERAL("out");
    const struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = &numbers, .input_count = 1};
    struct infer_request_spec named = request;
    fixture->call.json_inputs = true;
    assert_non_null(
        strstr(body_of(fixture, &request), "\"data\":[1.5,-2.0]}],\"parameters\":{\"binary_data_output\":true}}"));
    client_call_renew(&fixture->call);
    fixture->call.json_outputs = true;
    const char *text = body_of(fixture, &request);
    assert_non_null(strstr(text, "\"parameters\":{\"binary_data_size\":8}}]}"));
    assert_non_null(strstr(text, "Inference-Header-Content-Length: "));
    client_call_renew(&fixture->call);
    fixture->call.json_outputs = true;
    named.outputs = &wanted;
    named.output_count = 1;
    assert_non_null(
        strstr(body_of(fixture, &named), "\"outputs\":[{\"name\":\"out\",\"parameters\":{\"binary_data\":false}}]}"));
}

static void test_no_text_has_no_json(void **state) {
    struct fixture *fixture = *state;
    const int64_t shape[] = {1};
    const struct infer_tensor raw = {SLICE_LITERAL("s"), SLICE_LITERAL("BYTES"), shape, 1, {"\x01\0\0\0\xff", 5}};
    const struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = &raw, .input_count = 1};
    fixture->call.json_inputs = true;
    struct status status = http_body_ops.write_infer(&request, "h:1", fixture->arena, &fixture->call);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "input in JSON: 's': element 0 is not UTF-8 and has no JSON form");
}

static struct status read_json(struct fixture *fixture, const char *body, struct client_infer_answer *ret) {
    client_call_renew(&fixture->call);
    fixture->call.status = status_ok();
    fixture->call.http_status = 200;
    fixture->call.plain = true;
    fixture->call.json_outputs = true;
    buf_append_text(&fixture->call.answer, body);
    return http_body_ops.read_infer(&fixture->call, fixture->arena, ret);
}

static void test_answers_in_json(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    struct status status =
        read_json(fixture,
                  "{\"model_version\":\"3\",\"outputs\":[{\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[1,2],"
                  "\"data\":[1.5,-2]},"
                  "{\"name\":\"b\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[[\"\\\"\"],[\"\xc3\xa4\"]]},"
                  "{\"name\":\"c\",\"datatype\":\"UINT64\",\"shape\":[0],\"data\":[]},"
                  "{\"name\":\"d\",\"datatype\":\"FP64\",\"shape\":[2],\"data\":[NaN,-Infinity]}]}",
                  &answer);
    assert_string_equal(status.message, "");
    assert_int_equal(answer.output_count, 4);
    assert_true(slice_equal(answer.outputs[0].data, numbers.data));
    assert_true(slice_equal(answer.outputs[1].data, strings.data));
    assert_int_equal(answer.outputs[2].data.size, 0);
    assert_int_equal(answer.outputs[3].data.size, 16);
}

static void test_wrong_answers_in_json(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *output, *expected;
    } cases[] = {
        {"\"datatype\":\"INT8\",\"shape\":[1],\"parameters\":{\"binary_data_size\":1}", "without data in JSON"},
        {"\"datatype\":\"INT8\",\"shape\":[2],\"data\":[1]",
         "outputs[0].data: expected 2 elements for shape [2], got 1"},
        {"\"datatype\":\"INT8\",\"shape\":[1],\"data\":[1,2]", "got at least 2"},
        {"\"datatype\":\"INT8\",\"shape\":[1],\"data\":[300]", "outputs[0].data[0]: expected an integer in -128..127"},
        {"\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[1]", "expected a string for BYTES, got 1"},
        {"\"datatype\":\"INT8\",\"shape\":[1],\"data\":7", "expected an array, got 7"},
        {"\"datatype\":\"NONE\",\"shape\":[1],\"data\":[7]", "no datatype"},
        {"\"datatype\":\"INT8\",\"shape\":[9223372036854775807,9223372036854775807],\"data\":[7]", "overflows"},
        {"\"datatype\":\"FP64\",\"shape\":[9223372036854775807],\"data\":[7]", "got 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        struct client_infer_answer answer;
        snprintf(body, sizeof body, "{\"outputs\":[{\"name\":\"a\",%s}]}", cases[i].output);
        struct status status = read_json(fixture, body, &answer);
        assert_int_equal(status.code, STATUS_DATA_LOSS);
        if (strstr(status.message, cases[i].expected) == NULL)
            fail_msg("%s: %s", cases[i].expected, status.message);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_json_both_ways),        WITH_FIXTURE(test_json_one_way),
        WITH_FIXTURE(test_no_text_has_no_json),   WITH_FIXTURE(test_answers_in_json),
        WITH_FIXTURE(test_wrong_answers_in_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
