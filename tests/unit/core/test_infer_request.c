/* Requests and responses as memory: limits, shortage, who owns what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/infer_request.h"
#include "core/request_state.h"

static void a_new_request_is_empty(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(0);
    assert_int_equal(request->model_version, -1);
    assert_int_equal(request->input_count, 0);
    assert_false(atomic_load(&request->cancelled));
    assert_null(request->model);
    assert_int_equal(atomic_load(&request->state->stage), STAGE_ADAPTER);
    infer_request_destroy(request);
    infer_request_destroy(NULL);
}

static void the_limit_is_the_adapters(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(1000);
    assert_non_null(arena_alloc(request->arena, 900));
    assert_null(arena_alloc(request->arena, 900));
    infer_request_destroy(request);
    request = infer_request_create(SIZE_MAX);
    assert_non_null(request);
    infer_request_destroy(request);
}

static void finds_inputs_and_wanted_outputs(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(0);
    struct tensor inputs[2] = {{.name = SLICE_LITERAL("a")}, {.name = SLICE_LITERAL("b")}};
    request->inputs = inputs;
    request->input_count = 2;
    assert_ptr_equal(infer_request_input(request, slice_of("b")), &inputs[1]);
    assert_null(infer_request_input(request, slice_of("c")));
    assert_true(infer_request_wants(request, slice_of("anything")));
    struct requested_output outputs[1] = {{.name = SLICE_LITERAL("x")}};
    request->outputs = outputs;
    request->output_count = 1;
    assert_true(infer_request_wants(request, slice_of("x")));
    assert_false(infer_request_wants(request, slice_of("y")));
    infer_request_destroy(request);
}

static void outputs_live_in_the_response(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(0);
    request->model_name = slice_of("m");
    struct infer_response *response = infer_response_create(request, 1);
    infer_request_destroy(request); /* a response outlives its request */
    char *data;
    struct status status =
        infer_response_add_output(response, slice_of("y"), DATATYPE_FP32, (const int64_t[]){2, 2}, 2, 16, &data);
    assert_true(status_is_ok(&status));
    memset(data, 1, 16);
    assert_true(slice_equal_text(response->outputs[0].name, "y"));
    assert_true(slice_equal_text(response->model_name, "m"));
    assert_int_equal(response->outputs[0].data.size, 16);
    status = infer_response_add_output(response, slice_of("z"), DATATYPE_FP32, (const int64_t[]){1}, 1, 4, &data);
    assert_int_equal(status.code, STATUS_INTERNAL);
    infer_response_destroy(response);
}

static void refuses_impossible_outputs(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(0);
    struct infer_response *response = infer_response_create(request, 2);
    int64_t shape[TENSOR_RANK_MAX + 1] = {0};
    char *data;
    struct status status =
        infer_response_add_output(response, slice_of("y"), DATATYPE_FP32, shape, TENSOR_RANK_MAX + 1, 0, &data);
    assert_int_equal(status.code, STATUS_INTERNAL);
    status = infer_response_add_output(response, slice_of("y"), DATATYPE_FP32, shape, -1, 0, &data);
    assert_int_equal(status.code, STATUS_INTERNAL);
    status = infer_response_add_output(response, slice_of("y"), DATATYPE_FP32, shape, 1, SIZE_MAX - 64, &data);
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(response->output_count, 0);
    infer_response_destroy(response);
    infer_request_destroy(request);
}

static void count_release(void *user) {
    ++*(int *)user;
}

static void borrowed_output_memory_is_released_once(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(0);
    struct infer_response *response = infer_response_create(request, 0);
    int released = 0;
    response->release_data = count_release;
    response->release_user = &released;
    infer_response_destroy(response);
    assert_int_equal(released, 1);
    infer_response_destroy(NULL);
    infer_request_destroy(request);
}

static void an_error_response_carries_the_status(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(0);
    struct infer_response *response =
        infer_response_create_error(request, status_error(STATUS_INTERNAL, "no %s", "luck"));
    assert_int_equal(response->status.code, STATUS_INTERNAL);
    assert_string_equal(response->status.message, "no luck");
    assert_int_equal(response->output_count, 0);
    infer_response_destroy(response);
    infer_request_destroy(request);
}

/* A name that no memory can hold stands for an allocation that fails. */
static void there_is_always_an_error_response(void **state) {
    (void)state;
    struct infer_request *request = infer_request_create(0);
    request->model_name = (struct slice){"m", SIZE_MAX};
    assert_null(infer_response_create(request, 1));
    struct infer_response *response = infer_response_create_error(request, status_error(STATUS_INTERNAL, "no luck"));
    assert_non_null(response);
    assert_true(response->reserved);
    assert_string_equal(response->status.message, "no luck");
    infer_response_destroy(response); /* before its request */
    infer_request_destroy(request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_request_is_empty),
        cmocka_unit_test(the_limit_is_the_adapters),
        cmocka_unit_test(finds_inputs_and_wanted_outputs),
        cmocka_unit_test(outputs_live_in_the_response),
        cmocka_unit_test(refuses_impossible_outputs),
        cmocka_unit_test(borrowed_output_memory_is_released_once),
        cmocka_unit_test(an_error_response_carries_the_status),
        cmocka_unit_test(there_is_always_an_error_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
