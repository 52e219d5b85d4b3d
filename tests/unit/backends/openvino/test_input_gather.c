/* Where the engine finds the bytes of a batch. What the plug-in's other files would say is not needed here. */
#include <stdalign.h>

#include "backends/openvino/element_type.h"
#include "backends/openvino/engine_error.h"
#include "backends/openvino/input_gather.h"
#include "backends/openvino/input_range.h"
#include "engine_fixture.h"

struct status input_range_check(const struct tensor *tensor) {
    (void)tensor;
    return status_ok();
}

ov_element_type_e element_type_of(enum datatype type) {
    (void)type;
    return DYNAMIC;
}

struct status engine_error(ov_status_e result, enum status_code code, const char *context, ...) {
    (void)result;
    return status_error(code, "%s", context);
}

/* Gathers one request of two numbers that lie there. */
static void gather_one(const char *data, struct gather_buffer *buffer, struct gathered_input *ret) {
    static struct tensor tensor;
    static struct engine_shape shape;
    static const struct input_binding binding = {.name = SLICE_INIT("x"), .type = DATATYPE_INT64};
    tensor = (struct tensor){
        .name = SLICE_LITERAL("x"), .type = DATATYPE_INT64, .rank = 2, .shape = {1, 2}, .data = {data, 16}};
    struct infer_request request = {.inputs = &tensor, .input_count = 1}, *requests[] = {&request};
    const struct backend_batch batch = {.requests = requests, .count = 1, .items = 1};
    *ret = (struct gathered_input){.shape = &shape};
    assert_good(input_gather(&binding, &batch, true, buffer, ret));
    assert_false(ret->absent);
    assert_int_equal(shape.rank, 2);
    assert_int_equal(shape.dims[0], 1);
    assert_int_equal(shape.dims[1], 2);
    assert_memory_equal(ret->data, data, 16);
}

/* A body of HTTP may have its tensors anywhere: the engine gets no number at an address that its type does not allow.
 */
static void test_one_request_stays_where_its_address_suits(void **state) {
    (void)state;
    alignas(8) static const char bytes[32] = "0123456789abcdefghijklmnopqrstu";
    struct gather_buffer buffer = {NULL, 0};
    struct gathered_input input;
    for (size_t offset = 0; offset <= 8; offset++) {
        gather_one(bytes + offset, &buffer, &input);
        if (offset % 8 == 0)
            assert_ptr_equal(input.data, bytes + offset);
        else
            assert_ptr_equal(input.data, buffer.data);
        assert_int_equal((uintptr_t)input.data % 8, 0);
    }
    gather_buffer_free(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_request_stays_where_its_address_suits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
