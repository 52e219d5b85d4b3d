/* ModelInferRequest: where an input's bytes may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/v2_infer_grpc.h"
#include "codec/inference_messages.h"

static struct status decode(const struct pb_model_infer_request *message, struct infer_request *request) {
    struct buf bytes = BUF_EMPTY;
    bool unused;
    struct status status = pb_encode(&pb_model_infer_request_type, message, &bytes);
    assert_int_equal(status.code, STATUS_OK);
    struct slice copy = arena_copy(request->arena, buf_slice(&bytes));
    buf_free(&bytes);
    return v2_infer_grpc_decode(copy, request, &unused);
}

/* Typed contents beside a region would be left out without a word. */
static void an_input_in_shared_memory_has_no_contents(void **state) {
    (void)state;
    int64_t shape[] = {1};
    int32_t number = 7;
    struct pb_infer_parameter region = {.which_parameter_choice = pb_infer_parameter_string_param_number,
                                        .string_param = SLICE_LITERAL("r")};
    struct pb_infer_parameter size = {.which_parameter_choice = pb_infer_parameter_int64_param_number,
                                      .int64_param = 4};
    struct pb_model_infer_request_infer_input_tensor_parameters_entry entries[] = {
        {.key = SLICE_LITERAL("shared_memory_region"), .value = &region},
        {.key = SLICE_LITERAL("shared_memory_byte_size"), .value = &size}};
    struct pb_infer_tensor_contents contents = {.int_contents = {.items = &number, .count = 1}};
    struct pb_model_infer_request_infer_input_tensor input = {
        .name = SLICE_LITERAL("x"), .datatype = SLICE_LITERAL("INT32"), .shape = {.items = shape, .count = 1}};
    input.parameters.items = entries;
    input.parameters.count = 2;
    struct pb_model_infer_request message = {.model_name = SLICE_LITERAL("m")};
    message.inputs.items = &input;
    message.inputs.count = 1;
    for (int both = 0; both <= 1; both++) {
        struct infer_request *request = infer_request_create(0);
        assert_non_null(request);
        input.contents = both ? &contents : NULL;
        struct status status = decode(&message, request);
        assert_int_equal(status.code, both ? STATUS_INVALID_ARGUMENT : STATUS_OK);
        assert_string_equal(status.message, both ? "inputs[0].contents: an input in shared memory has no contents in "
                                                   "the request"
                                                 : "");
        infer_request_destroy(request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_input_in_shared_memory_has_no_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
