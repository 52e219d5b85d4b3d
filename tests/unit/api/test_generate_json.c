/* The flat JSON of the generate extension: what becomes a tensor of which shape, what a parameter, and how a response
 * looks. (Errors by the dozen are in the client tests.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/generate_json.h"

static struct model_config *config;
static struct infer_request *request;

static void assert_good(struct status status) {
    assert_string_equal(status.message, "");
}

static void assert_error(struct status status, const char *text) {
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, text);
}

#define CONFIG                                                                                                         \
    "backend: \"identity\" max_batch_size: 8 "                                                                         \
    "input [ { name: \"text\" data_type: TYPE_STRING dims: [ 1 ] }, "                                                  \
    "{ name: \"grid\" data_type: TYPE_FP32 dims: [ 2, -1 ] optional: true }, "                                         \
    "{ name: \"two\" data_type: TYPE_INT64 dims: [ -1, -1 ] optional: true } ] "                                       \
    "output [ { name: \"o\" data_type: TYPE_STRING dims: [ 1 ] }, { name: \"p\" data_type: TYPE_FP32 dims: [ 2, -1 ] " \
    "}, "                                                                                                              \
    "{ name: \"q\" data_type: TYPE_INT64 dims: [ -1, -1 ] } ]"

static int set_up(void **state) {
    (void)state;
    assert_good(model_config_parse(slice_of("m"), slice_of(CONFIG), "config.pbtxt", &config));
    assert_good(model_config_finish(config, NULL));
    request = infer_request_create(0);
    return request ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    infer_request_destroy(request);
    model_config_destroy(config);
    return 0;
}

static struct status decode(const char *json) {
    return generate_json_decode(slice_of(json), config, 1000, request);
}

static void members_become_tensors_and_parameters(void **state) {
    (void)state;
    assert_good(
        decode("{\"parameters\":{\"top_k\":5,\"timeout\":1},\"grid\":[1,2,3,4,5,6],\"id\":\"r\",\"text\":\"hi\","
               "\"stream\":false,\"priority\":2}"));
    assert_true(slice_equal_text(request->id, "r"));
    assert_int_equal(request->input_count, 2);
    const struct tensor *grid = infer_request_input(request, slice_of("grid"));
    assert_int_equal(grid->type, DATATYPE_FP32);
    assert_int_equal(grid->rank, 3);
    assert_memory_equal(grid->shape, ((int64_t[]){1, 2, 3}), 3 * sizeof(int64_t));
    assert_int_equal(grid->data.size, 24);
    const struct tensor *text = infer_request_input(request, slice_of("text"));
    assert_int_equal(text->rank, 2);
    assert_memory_equal(text->shape, ((int64_t[]){1, 1}), 2 * sizeof(int64_t));
    assert_int_equal(text->data.size, 6);
    assert_memory_equal(text->data.data, "\2\0\0\0hi", 6);
    assert_int_equal(request->parameter_count, 2); /* the others mean something to the server */
    assert_true(slice_equal_text(request->parameters[0].name, "top_k"));
    assert_true(slice_equal_text(request->parameters[1].name, "stream"));
    assert_int_equal(request->priority, 2);
    assert_int_equal(request->deadline_ns, 1000 + 1000);
    assert_int_equal(request->deadline_code, STATUS_UNAVAILABLE);
    assert_int_equal(request->output_count, 0);
}

static void no_values_are_a_shape_too(void **state) {
    (void)state;
    assert_good(decode("{\"grid\":[]}"));
    assert_memory_equal(request->inputs[0].shape, ((int64_t[]){1, 2, 0}), 3 * sizeof(int64_t));
    assert_int_equal(request->inputs[0].data.size, 0);
}

static void shapes_must_follow_from_the_number_of_values(void **state) {
    (void)state;
    assert_error(decode("{\"grid\":[1,2,3]}"), "grid: expected a multiple of 2 values for dims [2,-1], got 3");
    assert_error(decode("{\"grid\":7}"), "grid: expected a multiple of 2 values for dims [2,-1], got 1");
    assert_error(decode("{\"two\":[1,2]}"),
                 "two: the input has several variable dimensions, so that its shape does not "
                 "follow from the number of values; use infer");
    assert_error(decode("{\"text\":[]}"), "text: expected 1 value for dims [1], got 0");
}

static void response_is_flat(void **state) {
    (void)state;
    assert_good(decode("{\"text\":\"hi\",\"id\":\"7\"}"));
    request->model_name = slice_of("m");
    request->model_version = 3;
    struct infer_response *response = infer_response_create(request, 3);
    assert_non_null(response);
    char *data;
    assert_good(infer_response_add_output(response, slice_of("o"), DATATYPE_BYTES, (int64_t[]){1, 1}, 2, 7, &data));
    memcpy(data, "\3\0\0\0a\"b", 7);
    assert_good(infer_response_add_output(response, slice_of("p"), DATATYPE_FP32, (int64_t[]){1, 2, 1}, 3, 8, &data));
    memcpy(data, ((float[]){0.5F, -1}), 8);
    assert_good(infer_response_add_output(response, slice_of("q"), DATATYPE_INT64, (int64_t[]){1, 0, 2}, 3, 0, &data));
    struct infer_parameter parameter = {.name = slice_of("score"), .kind = PARAMETER_DOUBLE, .value.real = 1.5};
    response->parameters = &parameter;
    response->parameter_count = 1;
    struct buf out = BUF_EMPTY;
    assert_good(generate_json_encode(request, response, &out));
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "{\"id\":\"7\",\"model_name\":\"m\",\"model_version\":\"3\",\"score\":1.5,"
                                  "\"o\":\"a\\\"b\",\"p\":[0.5,-1.0],\"q\":[]}");
    buf_free(&out);
    infer_response_destroy(response);
}

/* An engine may give back parameters that a client has made up, and a config may name an output as it likes. */
static void each_key_stands_once(void **state) {
    (void)state;
    assert_good(decode("{\"text\":\"hi\",\"id\":\"7\"}"));
    request->model_name = slice_of("m");
    request->model_version = 3;
    struct infer_response *response = infer_response_create(request, 2);
    assert_non_null(response);
    char *data;
    assert_good(infer_response_add_output(response, slice_of("o"), DATATYPE_INT8, (int64_t[]){1}, 1, 1, &data));
    *data = 5;
    assert_good(infer_response_add_output(response, slice_of("id"), DATATYPE_INT8, (int64_t[]){1}, 1, 1, &data));
    *data = 6;
    struct infer_parameter parameters[] = {
        {.name = slice_of("model_name"), .kind = PARAMETER_BOOL}, {.name = slice_of("model_version")},
        {.name = slice_of("o"), .kind = PARAMETER_BOOL},          {.name = slice_of("id")},
        {.name = slice_of("text"), .kind = PARAMETER_BOOL},
    };
    response->parameters = parameters;
    response->parameter_count = 5;
    struct buf out = BUF_EMPTY;
    assert_good(generate_json_encode(request, response, &out));
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, "{\"id\":\"7\",\"model_name\":\"m\",\"model_version\":\"3\",\"text\":false,\"o\":5}");
    buf_free(&out);
    infer_response_destroy(response);
}

static void keys_of_both_objects_differ(void **state) {
    (void)state;
    assert_error(decode("{\"text\":\"a\",\"x\":1,\"y\":1,\"x\":1}"), "x: the member is given twice");
    assert_error(decode("{\"text\":\"a\",\"parameters\":{\"x\":1,\"x\":1}}"), "x: the member is given twice");
    assert_error(decode("{\"text\":\"a\",\"x\":1,\"parameters\":{\"x\":1}}"), "x: the member is given twice");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_become_tensors_and_parameters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_values_are_a_shape_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shapes_must_follow_from_the_number_of_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(response_is_flat, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_key_stands_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_of_both_objects_differ, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
