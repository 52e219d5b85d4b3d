/* Raw requests: the body as the only input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/raw_request.h"

static struct infer_request *request;

static int set_up(void **state) {
    (void)state;
    request = infer_request_create(0);
    return request ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    infer_request_destroy(request);
    return 0;
}

static struct status decode(struct model_input input, int32_t max_batch_size, size_t input_count, struct slice body) {
    input.name = slice_of("IN");
    struct model_config config = {
        .name = slice_of("m"), .max_batch_size = max_batch_size, .inputs = &input, .input_count = input_count};
    return raw_request_decode(&config, body, request);
}

static void assert_shape(int rank, const int64_t *shape) {
    assert_int_equal(request->input_count, 1);
    assert_true(slice_equal_text(request->inputs[0].name, "IN"));
    assert_int_equal(request->inputs[0].rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(request->inputs[0].shape[i], shape[i]);
}

static void variable_dimension_follows_from_the_size(void **state) {
    (void)state;
    struct slice body = {"0123456789ab0123456789ab", 24};
    struct status status = decode((struct model_input){.type = DATATYPE_FP32, .rank = 2, .dims = {-1, 2}}, 4, 1, body);
    assert_string_equal(status.message, "");
    assert_shape(3, (int64_t[]){1, 3, 2});
    assert_ptr_equal(request->inputs[0].data.data, body.data);
}

static void fixed_shapes_must_fit(void **state) {
    (void)state;
    struct model_input input = {.type = DATATYPE_INT16, .rank = 1, .dims = {3}};
    struct status status = decode(input, 0, 1, (struct slice){"abcdef", 6});
    assert_string_equal(status.message, "");
    assert_shape(1, (int64_t[]){3});
    status = decode(input, 0, 1, (struct slice){"abcde", 5});
    assert_string_equal(status.message, "raw request for model 'm': expected a body of 6 bytes, got 5");
    input.dims[0] = -1;
    status = decode(input, 0, 1, (struct slice){"abcde", 5});
    assert_string_equal(status.message, "raw request for model 'm': expected a body of a multiple of 2 bytes, got 5");
}

static void string_gets_its_length(void **state) {
    (void)state;
    struct model_input input = {.type = DATATYPE_BYTES, .rank = 1, .dims = {1}};
    struct status status = decode(input, 2, 1, slice_of("hello"));
    assert_string_equal(status.message, "");
    assert_shape(2, (int64_t[]){1, 1});
    assert_int_equal(request->inputs[0].data.size, 9);
    assert_memory_equal(request->inputs[0].data.data, "\5\0\0\0hello", 9);
    status = decode(input, 0, 1, (struct slice){NULL, 0});
    assert_string_equal(status.message, "");
    assert_int_equal(request->inputs[0].data.size, 4);
}

static void what_cannot_be_raw_is_refused(void **state) {
    (void)state;
    static const struct slice body = {"abcd", 4};
    struct status status = decode((struct model_input){.type = DATATYPE_INT8, .rank = 1, .dims = {4}}, 0, 2, body);
    assert_string_equal(status.message, "raw request for model 'm': expected a model with 1 input, this one has 2");
    status = decode((struct model_input){.type = DATATYPE_INT8, .rank = 2, .dims = {-1, -1}}, 0, 1, body);
    assert_non_null(strstr(status.message, "several variable dimensions"));
    status = decode((struct model_input){.type = DATATYPE_BYTES, .rank = 1, .dims = {-1}}, 0, 1, body);
    assert_non_null(strstr(status.message, "dims [1]"));
    status = decode((struct model_input){.type = DATATYPE_FP64, .rank = 2, .dims = {INT64_MAX, 2}}, 0, 1, body);
    assert_non_null(strstr(status.message, "too large"));
    status = decode((struct model_input){.type = DATATYPE_FP64, .rank = 2, .dims = {0, -1}}, 0, 1, body);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(request->input_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(variable_dimension_follows_from_the_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fixed_shapes_must_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(string_gets_its_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_raw_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
