/* The JSON of inference requests: what is read, where the bytes behind it go, and every way to get it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/infer_json.h"

static struct infer_request *request;
static bool all_binary;

static int set_up(void **state) {
    (void)state;
    all_binary = false;
    request = infer_request_create(0);
    return request ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    infer_request_destroy(request);
    return 0;
}

static struct status decode_with(const char *json, struct slice binary, bool has_binary) {
    return infer_json_decode(slice_of(json), binary, has_binary, 1000, request, &all_binary);
}

static struct status decode(const char *json) {
    return decode_with(json, (struct slice){NULL, 0}, false);
}

static void assert_good(struct status status) {
    assert_string_equal(status.message, "");
}

static void whole_request_is_read(void **state) {
    (void)state;
    assert_good(decode("{\"id\":\"r1\",\"parameters\":{\"priority\":2,\"sequence_id\":\"s\",\"mine\":1.5},"
                       "\"inputs\":[{\"name\":\"A\",\"shape\":[1,2],\"datatype\":\"INT32\",\"data\":[1,2]},"
                       "{\"datatype\":\"BYTES\",\"data\":[\"x\"],\"shape\":[1],\"name\":\"B\",\"unknown\":{}}],"
                       "\"outputs\":[{\"name\":\"O\",\"parameters\":{\"binary_data\":true}},"
                       "{\"name\":\"P\",\"parameters\":{\"classification\":3}}],\"other\":[[]]}"));
    assert_true(slice_equal_text(request->id, "r1"));
    assert_int_equal(request->priority, 2);
    assert_int_equal(request->sequence.kind, SEQUENCE_STRING);
    assert_int_equal(request->parameter_count, 1);
    assert_true(request->parameters[0].value.real == 1.5);
    assert_int_equal(request->input_count, 2);
    assert_true(slice_equal_text(request->inputs[0].name, "A"));
    assert_int_equal(request->inputs[0].type, DATATYPE_INT32);
    assert_int_equal(request->inputs[0].rank, 2);
    assert_int_equal(request->inputs[0].shape[1], 2);
    assert_memory_equal(request->inputs[0].data.data, ((int32_t[]){1, 2}), 8);
    assert_int_equal(request->inputs[1].data.size, 5);
    assert_int_equal(request->output_count, 2);
    assert_true(infer_json_output_is_binary(&request->outputs[0]));
    assert_false(infer_json_output_is_binary(&request->outputs[1]));
    assert_int_equal(request->outputs[1].classification, 3);
    assert_false(all_binary);
}

static void binary_inputs_take_the_bytes_in_order(void **state) {
    (void)state;
    static const char bytes[] = "\1\2\3\4abcdefgh";
    struct slice binary = {bytes, 12};
    assert_good(
        decode_with("{\"parameters\":{\"binary_data_output\":true},\"inputs\":["
                    "{\"name\":\"A\",\"shape\":[4],\"datatype\":\"UINT8\",\"parameters\":{\"binary_data_size\":4}},"
                    "{\"name\":\"J\",\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[9]},"
                    "{\"name\":\"B\",\"shape\":[1],\"datatype\":\"FP64\",\"parameters\":{\"binary_data_size\":8}}]}",
                    binary, true));
    assert_true(all_binary);
    assert_ptr_equal(request->inputs[0].data.data, bytes); /* not copied */
    assert_int_equal(request->inputs[0].data.size, 4);
    assert_ptr_equal(request->inputs[2].data.data, bytes + 4);
    assert_int_equal(request->inputs[2].data.size, 8);
}

/* Each row: a request, and the message that it must get. */
static const struct bad_row {
    const char *json, *message;
} bad_rows[] = {
    {"", "the request is not JSON: byte 0 of 0: it is empty"},
    {"[]", "request: expected an object, got an array"},
    {"7", "request: expected an object, got 7"},
    {"{}", "inputs: the member is missing"},
    {"{\"inputs\":{}}", "inputs: expected an array, got an object"},
    {"{\"inputs\":[],\"inputs\":[]}", "inputs: the member is given twice"},
    {"{\"inputs\":[5]}", "inputs[0]: expected an object, got 5"},
    {"{\"inputs\":[{}]}", "inputs[0].name: expected a string, got nothing"},
    {"{\"inputs\":[{\"name\":3}]}", "inputs[0].name: expected a string, got 3"},
    {"{\"inputs\":[{\"name\":\"A\"}]}", "inputs[0].datatype: expected a string, got nothing"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FLOAT\"}]}",
     "inputs[0].datatype: expected one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, FP32, "
     "FP64, BYTES, BF16, got the string \"FLOAT\""},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\"}]}",
     "inputs[0].shape: expected an array of integers, got nothing"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":3}]}",
     "inputs[0].shape: expected an array of integers, got 3"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1,-1]}]}",
     "inputs[0].shape[1]: expected an integer of 0 or more, got -1"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1.5]}]}",
     "inputs[0].shape[0]: expected an integer of 0 or more, got 1.5"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[9223372036854775808]}]}",
     "inputs[0].shape[0]: expected an integer in 0..9223372036854775807, got 9223372036854775808"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[99999999999999999999]}]}",
     "inputs[0].shape[0]: expected an integer in 0..9223372036854775807, got 99999999999999999999"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1.0]}]}",
     "inputs[0].shape[0]: expected an integer of 0 or more, got 1.0"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"INT32\",\"shape\":[1],\"data\":[1.0]}]}",
     "inputs[0].data[0]: expected an integer in -2147483648..2147483647 for INT32, got 1.0"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}]}",
     "inputs[0].shape: expected at most 16 dimensions, got 17"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1]}]}",
     "inputs[0]: expected one of data, parameters.binary_data_size and parameters.shared_memory_region, got none"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{\"binary_data_"
     "size\":4}}]}",
     "inputs[0]: expected one of data, parameters.binary_data_size and parameters.shared_memory_region, got data and "
     "parameters.binary_data_size"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":4,"
     "\"shared_memory_region\":\"r\",\"shared_memory_byte_size\":4}}]}",
     "inputs[0]: expected one of data, parameters.binary_data_size and parameters.shared_memory_region, got "
     "parameters.binary_data_size and parameters.shared_memory_region"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{"
     "\"binary_data_size\":4,\"shared_memory_region\":\"r\",\"shared_memory_byte_size\":4}}]}",
     "inputs[0]: expected one of data, parameters.binary_data_size and parameters.shared_memory_region, got data and "
     "parameters.binary_data_size and parameters.shared_memory_region"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":4}}]}",
     "inputs[0].parameters.binary_data_size: binary data needs the header Inference-Header-Content-Length, which tells "
     "where it begins"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":-4}}]}",
     "inputs[0].parameters.binary_data_size: expected a size of 0 or more in bytes, got the integer -4"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":[1]}]}",
     "inputs[0].parameters: expected an object, got an array"},
    {"{\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{\"x\":1,\"y\":2,"
     "\"x\":1}}]}",
     "inputs[0].parameters.x: the member is given twice"},
    {"{\"inputs\":[],\"outputs\":[{\"name\":\"O\",\"parameters\":{\"binary_data\":true,\"binary_data\":false}}]}",
     "outputs[0].parameters.binary_data: the member is given twice"},
    {"{\"inputs\":[],\"id\":5}", "id: expected a string, got 5"},
    {"{\"inputs\":[],\"parameters\":7}", "parameters: expected an object, got 7"},
    {"{\"inputs\":[],\"parameters\":{\"x\":[]}}",
     "parameters.x: expected a string, a number, true or false, got an array"},
    {"{\"inputs\":[],\"parameters\":{\"a\":1,\"ab\":1,\"b\":1,\"\":1,\"a\":1}}",
     "parameters.a: the member is given twice"},
    {"{\"inputs\":[],\"parameters\":{\"x\":18446744073709551616}}",
     "parameters.x: expected a number in the range of 64 bits, got 18446744073709551616"},
    {"{\"inputs\":[],\"parameters\":{\"binary_data_output\":1}}",
     "parameters.binary_data_output: expected true or false, got the integer 1"},
    {"{\"inputs\":[],\"parameters\":{\"triton_x\":1}}",
     "parameter 'triton_x' is reserved and must not be given by a client"},
    {"{\"inputs\":[],\"outputs\":{}}", "outputs: expected an array, got an object"},
    {"{\"inputs\":[],\"outputs\":[null]}", "outputs[0]: expected an object, got null"},
    {"{\"inputs\":[],\"outputs\":[{}]}", "outputs[0].name: expected a string, got nothing"},
    {"{\"inputs\":[],\"outputs\":[{\"name\":\"O\",\"parameters\":{\"binary_data\":\"yes\"}}]}",
     "outputs[0].parameters.binary_data: expected true or false, got the string 'yes'"},
    {"{\"inputs\":[],\"outputs\":[{\"name\":\"O\",\"name\":\"O\"}]}", "outputs[0].name: the member is given twice"},
};

static void bad_requests_tell_the_place(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_rows / sizeof bad_rows[0]; i++) {
        struct status status = decode(bad_rows[i].json);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(status.message, bad_rows[i].message);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* What is for outputs alone means nothing to an input, and the other way round. */
static void parameters_of_the_other_list_may_be_anything(void **state) {
    (void)state;
    assert_good(decode("{\"inputs\":[{\"name\":\"A\",\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[1],\"parameters\":{"
                       "\"classification\":null,\"binary_data\":7}}],"
                       "\"outputs\":[{\"name\":\"O\",\"parameters\":{\"binary_data_size\":-1}}]}"));
    assert_int_equal(request->outputs[0].classification, 0);
}

/* Of tensors; "the protocol wants unknown ones ignored" holds for their values too. */
static void unknown_parameters_may_be_anything(void **state) {
    (void)state;
    assert_good(decode("{\"inputs\":[{\"name\":\"A\",\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[1],\"parameters\":{"
                       "\"a\":null,\"b\":{\"c\":1},\"d\":[2],\"e\":18446744073709551616,\"f\":\"g\"}},"
                       "{\"name\":\"B\",\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[1],\"parameters\":null},"
                       "{\"name\":\"C\",\"shape\":[1],\"datatype\":\"UINT8\",\"data\":[1],\"parameters\":[]}],"
                       "\"outputs\":[{\"name\":\"O\",\"parameters\":{\"a\":{},\"classification\":2}},"
                       "{\"name\":\"P\",\"parameters\":null},{\"name\":\"Q\",\"parameters\":[]}]}"));
    assert_int_equal(request->input_count, 3);
    assert_int_equal(request->output_count, 3);
    assert_int_equal(request->outputs[0].classification, 2);
    assert_int_equal(request->parameter_count, 0);
}

static void syntax_errors_tell_the_byte(void **state) {
    (void)state;
    struct status status = decode("{\"inputs\":[,]}");
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "byte 11 of 14"));
}

static void binary_sizes_must_add_up(void **state) {
    (void)state;
    static const char json[] =
        "{\"inputs\":[{\"name\":\"A\",\"shape\":[8],\"datatype\":\"UINT8\",\"parameters\":{\"binary_data_size\":8}}]}";
    struct status status = decode_with(json, (struct slice){"1234567", 7}, true);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message,
                        "inputs[0].parameters.binary_data_size: expected 8 bytes, but the body has only 7 "
                        "more behind the JSON");
    status = decode_with(json, (struct slice){"123456789", 9}, true);
    assert_string_equal(status.message,
                        "the body has 1 bytes more than the JSON and the binary_data_size of all inputs account for");
}

static void shared_memory_is_left_to_the_core(void **state) {
    (void)state;
    struct status status = decode("{\"inputs\":[{\"name\":\"A\",\"shape\":[1],\"datatype\":\"FP32\",\"parameters\":"
                                  "{\"shared_memory_region\":\"r\",\"shared_memory_byte_size\":4}}],\"outputs\":["
                                  "{\"name\":\"B\",\"parameters\":{\"shared_memory_region\":\"s\","
                                  "\"shared_memory_offset\":18446744073709551615,\"shared_memory_byte_size\":1}}]}");
    assert_string_equal(status.message, "");
    const struct memory_part *in = &request->inputs[0].part, *out = &request->outputs[0].part;
    assert_true(slice_equal_text(in->region, "r"));
    assert_int_equal(in->offset, 0);
    assert_int_equal(in->size, 4);
    assert_int_equal(request->inputs[0].data.size, 0);
    assert_true(slice_equal_text(out->region, "s"));
    assert_true(out->offset == UINT64_MAX);
    assert_int_equal(out->size, 1);
}

static void ignored_members_have_a_nesting_limit_too(void **state) {
    (void)state;
    char json[512] = "{\"inputs\":[],\"x\":";
    size_t at = strlen(json);
    memset(json + at, '[', 101);
    memset(json + at + 101, ']', 101);
    json[at + 202] = '}';
    struct status status = decode(json);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "x: nested more than 100 deep");
}

/* A request cut at any byte is refused, and nothing is read behind the cut. */
static void truncated_requests_are_refused(void **state) {
    (void)state;
    static const char json[] =
        "{\"id\":\"\\u00e4\",\"inputs\":[{\"name\":\"A\",\"shape\":[2],\"datatype\":\"FP32\",\"data\":"
        "[1.5,NaN]}],\"outputs\":[{\"name\":\"O\"}]}";
    for (size_t size = 0; size < sizeof json - 1; size++) {
        char *copy = malloc(size ? size : 1);
        memcpy(copy, json, size);
        struct status status =
            infer_json_decode((struct slice){copy, size}, (struct slice){NULL, 0}, false, 0, request, &all_binary);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        free(copy);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* ---- answers ---- */

static struct infer_response *two_outputs(void) {
    struct infer_response *response = calloc(1, sizeof *response);
    response->arena = arena_create(0);
    response->model_name = slice_of("m");
    response->model_version = 7;
    response->outputs = arena_calloc(response->arena, 2, sizeof *response->outputs);
    response->output_count = response->output_capacity = 2;
    response->outputs[0] = (struct tensor){
        .name = slice_of("A"), .type = DATATYPE_INT16, .rank = 1, .shape = {2}, .data = {"\1\0\2\0", 4}};
    response->outputs[1] =
        (struct tensor){.name = slice_of("B"), .type = DATATYPE_UINT8, .rank = 2, .shape = {1, 3}, .data = {"xyz", 3}};
    return response;
}

static void assert_encodes(const struct infer_response *response, const char *expected, size_t expected_json) {
    struct buf out = BUF_EMPTY;
    size_t json_size = 99;
    assert_good(infer_json_encode(request, response, all_binary, &out, &json_size, NULL));
    assert_int_equal(json_size, expected_json);
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_free(&out);
}

static void free_response(struct infer_response *response) {
    arena_destroy(response->arena);
    free(response);
}

static void answers_take_the_form_that_was_asked_for(void **state) {
    (void)state;
    struct infer_response *response = two_outputs();
    assert_encodes(response,
                   "{\"model_name\":\"m\",\"model_version\":\"7\",\"outputs\":[{\"name\":\"A\",\"datatype\":\"INT16\","
                   "\"shape\":[2],\"data\":[1,2]},{\"name\":\"B\",\"datatype\":\"UINT8\",\"shape\":[1,3],\"data\":"
                   "[120,121,122]}]}",
                   0);
    /* One listed output: only that one, and JSON unless it says otherwise, whatever binary_data_output is. */
    struct requested_output wanted = {.name = slice_of("B")};
    request->outputs = &wanted;
    request->output_count = 1;
    request->id = slice_of("i");
    all_binary = true;
    assert_encodes(
        response,
        "{\"id\":\"i\",\"model_name\":\"m\",\"model_version\":\"7\",\"outputs\":[{\"name\":\"B\",\"datatype\":"
        "\"UINT8\",\"shape\":[1,3],\"data\":[120,121,122]}]}",
        0);
    infer_json_set_output_binary(&wanted, true);
    static const char json[] =
        "{\"id\":\"i\",\"model_name\":\"m\",\"model_version\":\"7\",\"outputs\":[{\"name\":\"B\","
        "\"datatype\":\"UINT8\",\"shape\":[1,3],\"parameters\":{\"binary_data_size\":3}}]}xyz";
    assert_encodes(response, json, sizeof json - 1 - 3);
    request->outputs = NULL;
    request->output_count = 0;
    free_response(response);
}

static void empty_binary_outputs_need_no_bytes(void **state) {
    (void)state;
    struct infer_response *response = two_outputs();
    response->output_count = 1;
    response->outputs[0].shape[0] = 0;
    response->outputs[0].data = (struct slice){NULL, 0};
    all_binary = true;
    assert_encodes(response,
                   "{\"model_name\":\"m\",\"model_version\":\"7\",\"outputs\":[{\"name\":\"A\",\"datatype\":\"INT16\","
                   "\"shape\":[0],\"parameters\":{\"binary_data_size\":0}}]}",
                   0);
    free_response(response);
}

static void response_parameters_are_written(void **state) {
    (void)state;
    struct infer_response *response = two_outputs();
    response->output_count = 0;
    struct infer_parameter parameters[] = {
        {.name = slice_of("b"), .kind = PARAMETER_BOOL, .value.boolean = true},
        {.name = slice_of("i"), .kind = PARAMETER_INT, .value.integer = -3},
        {.name = slice_of("u"), .kind = PARAMETER_UINT, .value.unsigned_integer = UINT64_MAX},
        {.name = slice_of("d"), .kind = PARAMETER_DOUBLE, .value.real = 0.5},
        {.name = slice_of("s"), .kind = PARAMETER_STRING, .value.string = slice_of("t\"")},
    };
    response->parameters = parameters;
    response->parameter_count = 5;
    assert_encodes(response,
                   "{\"model_name\":\"m\",\"model_version\":\"7\",\"parameters\":{\"b\":true,\"i\":-3,\"u\":"
                   "18446744073709551615,\"d\":0.5,\"s\":\"t\\\"\"},\"outputs\":[]}",
                   0);
    free_response(response);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_request_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binary_inputs_take_the_bytes_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_requests_tell_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_parameters_may_be_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parameters_of_the_other_list_may_be_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(syntax_errors_tell_the_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binary_sizes_must_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shared_memory_is_left_to_the_core, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ignored_members_have_a_nesting_limit_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_requests_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_take_the_form_that_was_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_binary_outputs_need_no_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(response_parameters_are_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
