/* Tests of core_request: a request of the client as the core's, copied whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/perf/core_request.h"

static int set_up(void **state) {
    *state = infer_request_create(0);
    return *state == NULL;
}

static int tear_down(void **state) {
    infer_request_destroy(*state);
    return 0;
}

static const int64_t shape[] = {2, 1};
static const struct slice wanted = {"OUT", 3};
static const struct infer_client_parameter parameters[] = {
    {.name = {"sequence_id", 11}, .kind = INFER_VALUE_INT, .integer = 7},
    {.name = {"sequence_start", 14}, .kind = INFER_VALUE_BOOL, .boolean = true},
    {.name = {"text", 4}, .kind = INFER_VALUE_TEXT, .text = {"abc", 3}},
    {.name = {"number", 6}, .kind = INFER_VALUE_DOUBLE, .number = 0.5},
    {.name = {"timeout", 7}, .kind = INFER_VALUE_UINT, .natural = 3},
};

static void test_everything_is_copied(void **state) {
    struct infer_request *request = *state;
    char data[] = "\1\0\0\0\2\0\0\0";
    struct infer_tensor input = {{"IN", 2}, {"INT32", 5}, shape, 2, {data, 8}};
    const struct infer_request_spec spec = {.model = SLICE_LITERAL("m"),
                                            .version = SLICE_LITERAL("3"),
                                            .inputs = &input,
                                            .input_count = 1,
                                            .outputs = &wanted,
                                            .output_count = 1,
                                            .parameters = parameters,
                                            .parameter_count = 5};
    struct status status = core_request_fill(&spec, 1000, request);
    assert_string_equal(status.message, "");
    memset(data, 9, 8);
    assert_true(slice_equal_text(request->model_name, "m") && request->model_version == 3);
    assert_int_equal(request->input_count, 1);
    assert_true(slice_equal_text(request->inputs[0].name, "IN"));
    assert_int_equal(request->inputs[0].type, DATATYPE_INT32);
    assert_true(request->inputs[0].rank == 2 && request->inputs[0].shape[0] == 2);
    assert_memory_equal(request->inputs[0].data.data, "\1\0\0\0\2\0\0\0", 8);
    assert_true(slice_equal(request->outputs[0].name, wanted));
    assert_true(request->sequence.kind == SEQUENCE_NUMBER && request->sequence.number == 7);
    assert_int_equal(request->sequence_flags, SEQUENCE_START);
    assert_int_equal(request->parameter_count, 2); /* those of the model's own */
    assert_true(slice_equal_text(request->parameters[0].value.string, "abc"));
    assert_true(request->parameters[1].value.real == 0.5);
    assert_true(request->deadline_ns == 4000);
}

static void test_what_is_refused(void **state) {
    struct infer_request *request = *state;
    static const struct infer_client_parameter reserved = {.name = {"triton_x", 8}, .kind = INFER_VALUE_BOOL};
    static int64_t long_shape[TENSOR_RANK_MAX + 1];
    static const uint32_t classes[] = {1};
    const struct infer_tensor input = {{"IN", 2}, {"INT32", 5}, long_shape, TENSOR_RANK_MAX + 1, {NULL, 0}};
    const struct infer_request_spec cases[] = {
        {.model = SLICE_LITERAL("m"), .version = SLICE_LITERAL("new")},
        {.model = SLICE_LITERAL("m"), .inputs = &input, .input_count = 1},
        {.model = SLICE_LITERAL("m"), .parameters = &reserved, .parameter_count = 1},
        {.model = SLICE_LITERAL("m"), .outputs = &wanted, .output_count = 1, .output_classes = classes},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(core_request_fill(&cases[i], 0, request).code, STATUS_INVALID_ARGUMENT);
    int64_t version;
    assert_int_equal(core_request_version(SLICE_LITERAL(""), &version).code, STATUS_OK);
    assert_int_equal(version, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_is_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
