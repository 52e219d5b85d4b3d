/* gRPC's typed contents: which member carries which datatype, ranges and counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/tensor_contents.h"

static struct arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_create(0);
    return arena ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    arena_destroy(arena);
    return 0;
}

#define FILL(member, ...)                                                                                              \
    .member = {.items = (__typeof__(*((struct pb_infer_tensor_contents *)NULL)->member.items)[]){__VA_ARGS__},         \
               .count =                                                                                                \
                   sizeof((__typeof__(*((struct pb_infer_tensor_contents *)NULL)->member.items)[]){__VA_ARGS__}) /     \
                   sizeof(*((struct pb_infer_tensor_contents *)NULL)->member.items)}

static struct status decode(struct pb_infer_tensor_contents contents, enum datatype type, int64_t count,
                            struct tensor *ret) {
    *ret = (struct tensor){.type = type, .rank = 1, .shape = {count}};
    return tensor_contents_decode(&contents, 2, arena, ret);
}

static void assert_decodes(struct pb_infer_tensor_contents contents, enum datatype type, int64_t count,
                           const void *bytes, size_t size) {
    struct tensor tensor;
    struct status status = decode(contents, type, count, &tensor);
    assert_string_equal(status.message, "");
    assert_int_equal(tensor.data.size, size);
    if (size > 0)
        assert_memory_equal(tensor.data.data, bytes, size);
}

static void assert_refused(struct pb_infer_tensor_contents contents, enum datatype type, int64_t count,
                           const char *message) {
    struct tensor tensor;
    struct status status = decode(contents, type, count, &tensor);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, message);
}

static void members_carry_their_datatypes(void **state) {
    (void)state;
    assert_decodes((struct pb_infer_tensor_contents){FILL(bool_contents, true, false)}, DATATYPE_BOOL, 2, "\1\0", 2);
    assert_decodes((struct pb_infer_tensor_contents){FILL(int_contents, -1, 2)}, DATATYPE_INT32, 2, (int32_t[]){-1, 2},
                   8);
    assert_decodes((struct pb_infer_tensor_contents){FILL(int64_contents, INT64_MIN)}, DATATYPE_INT64, 1,
                   (int64_t[]){INT64_MIN}, 8);
    assert_decodes((struct pb_infer_tensor_contents){FILL(uint_contents, UINT32_MAX)}, DATATYPE_UINT32, 1,
                   (uint32_t[]){UINT32_MAX}, 4);
    assert_decodes((struct pb_infer_tensor_contents){FILL(uint64_contents, UINT64_MAX)}, DATATYPE_UINT64, 1,
                   (uint64_t[]){UINT64_MAX}, 8);
    assert_decodes((struct pb_infer_tensor_contents){FILL(fp32_contents, 1.5f)}, DATATYPE_FP32, 1, (float[]){1.5f}, 4);
    assert_decodes((struct pb_infer_tensor_contents){FILL(fp64_contents, -2.5)}, DATATYPE_FP64, 1, (double[]){-2.5}, 8);
    assert_decodes((struct pb_infer_tensor_contents){FILL(bytes_contents, {"ab", 2}, {NULL, 0})}, DATATYPE_BYTES, 2,
                   "\2\0\0\0ab\0\0\0\0", 10);
    assert_decodes((struct pb_infer_tensor_contents){0}, DATATYPE_FP32, 0, NULL, 0);
    assert_decodes((struct pb_infer_tensor_contents){0}, DATATYPE_BYTES, 0, NULL, 0);
}

static void narrow_integers_are_checked(void **state) {
    (void)state;
    assert_decodes((struct pb_infer_tensor_contents){FILL(int_contents, -128, 127)}, DATATYPE_INT8, 2,
                   (int8_t[]){-128, 127}, 2);
    assert_decodes((struct pb_infer_tensor_contents){FILL(int_contents, -32768, 32767)}, DATATYPE_INT16, 2,
                   (int16_t[]){-32768, 32767}, 4);
    assert_decodes((struct pb_infer_tensor_contents){FILL(uint_contents, 255)}, DATATYPE_UINT8, 1, (uint8_t[]){255}, 1);
    assert_decodes((struct pb_infer_tensor_contents){FILL(uint_contents, 65535)}, DATATYPE_UINT16, 1,
                   (uint16_t[]){65535}, 2);
    assert_refused((struct pb_infer_tensor_contents){FILL(int_contents, 0, -129)}, DATATYPE_INT8, 2,
                   "inputs[2].contents.int_contents[1]: expected an integer in -128..127 for INT8, got -129");
    assert_refused((struct pb_infer_tensor_contents){FILL(uint_contents, 65536)}, DATATYPE_UINT16, 1,
                   "inputs[2].contents.uint_contents[0]: expected an integer in 0..65535 for UINT16, got 65536");
}

static void wrong_member_is_named(void **state) {
    (void)state;
    assert_refused((struct pb_infer_tensor_contents){FILL(int64_contents, 1)}, DATATYPE_FP32, 1,
                   "inputs[2].contents: expected fp32_contents for FP32, got int64_contents");
    assert_refused((struct pb_infer_tensor_contents){FILL(fp32_contents, 1), FILL(fp64_contents, 1)}, DATATYPE_FP32, 1,
                   "inputs[2].contents: expected fp32_contents for FP32, got fp64_contents");
    assert_refused((struct pb_infer_tensor_contents){0}, DATATYPE_FP16, 1,
                   "inputs[2].contents: expected raw_input_contents for FP16, which has no typed contents");
    assert_refused((struct pb_infer_tensor_contents){FILL(fp32_contents, 1)}, DATATYPE_BF16, 1,
                   "inputs[2].contents: expected raw_input_contents for BF16, which has no typed contents");
}

static void count_must_fit_the_shape(void **state) {
    (void)state;
    assert_refused((struct pb_infer_tensor_contents){FILL(fp32_contents, 1, 2)}, DATATYPE_FP32, 3,
                   "inputs[2].contents.fp32_contents: expected 3 elements for shape [3], got 2");
    assert_refused((struct pb_infer_tensor_contents){FILL(bytes_contents, {"x", 1})}, DATATYPE_BYTES, INT64_MAX,
                   "inputs[2].contents.bytes_contents: expected 9223372036854775807 elements for shape "
                   "[9223372036854775807], got 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_carry_their_datatypes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(narrow_integers_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_member_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(count_must_fit_the_shape, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
