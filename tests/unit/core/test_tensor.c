/* Shapes, byte sizes and string tensors, with hostile sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/tensor.h"

static void counts_elements(void **state) {
    (void)state;
    int64_t count = -1;
    struct status status = shape_element_count((const int64_t[]){2, 3, 4}, 3, &count);
    assert_true(status_is_ok(&status));
    assert_int_equal(count, 24);
    status = shape_element_count(NULL, 0, &count);
    assert_true(status_is_ok(&status));
    assert_int_equal(count, 1);
    status = shape_element_count((const int64_t[]){INT64_MAX, 0, INT64_MAX}, 3, &count);
    assert_true(status_is_ok(&status));
    assert_int_equal(count, 0);
}

static void refuses_negative_and_huge_shapes(void **state) {
    (void)state;
    int64_t count = -1;
    struct status status = shape_element_count((const int64_t[]){2, -1}, 2, &count);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    status = shape_element_count((const int64_t[]){0, -1}, 2, &count);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    status = shape_element_count((const int64_t[]){INT64_MAX, 2}, 2, &count);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(count, -1);
    size_t size = 7;
    status = tensor_fixed_size(DATATYPE_FP64, (const int64_t[]){INT64_MAX / 2}, 1, &size);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(size, 7);
}

static void checks_fixed_sizes(void **state) {
    (void)state;
    char bytes[24] = {0};
    struct tensor tensor = {.name = SLICE_LITERAL("x"), .type = DATATYPE_FP32, .rank = 2, .shape = {2, 3}};
    tensor.data = (struct slice){bytes, 24};
    struct status status = tensor_check_size(&tensor);
    assert_true(status_is_ok(&status));
    tensor.data.size = 23;
    status = tensor_check_size(&tensor);
    assert_string_equal(status.message,
                        "byte size mismatch for tensor 'x' of type FP32 and shape [2,3]: expected 24, got 23");
    tensor.shape[1] = -3;
    status = tensor_check_size(&tensor);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
}

static void walks_strings(void **state) {
    (void)state;
    char bytes[] = "\3\0\0\0abc\0\0\0\0\2\0\0\0de";
    size_t whole = sizeof bytes - 1;
    struct tensor tensor = {.name = SLICE_LITERAL("s"), .type = DATATYPE_BYTES, .rank = 1, .shape = {3}};
    tensor.data = (struct slice){bytes, whole};
    struct status status = tensor_check_size(&tensor);
    assert_true(status_is_ok(&status));
    for (size_t cut = 0; cut < whole; cut++) {
        tensor.data.size = cut;
        status = tensor_check_size(&tensor);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    }
    tensor.data.size = whole;
    tensor.shape[0] = 2;
    status = tensor_check_size(&tensor);
    assert_string_equal(status.message, "expected 2 string elements in tensor 's', got 6 bytes more than they take");
    tensor.shape[0] = INT64_MAX;
    status = tensor_check_size(&tensor);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "got 3 and 0 bytes"));
}

static void refuses_a_string_longer_than_its_data(void **state) {
    (void)state;
    char bytes[] = "\xff\xff\xff\xff"
                   "abcd";
    struct tensor tensor = {.name = SLICE_LITERAL("s"), .type = DATATYPE_BYTES, .rank = 1, .shape = {1}};
    tensor.data = (struct slice){bytes, 8};
    struct status status = tensor_check_size(&tensor);
    assert_string_equal(status.message, "string element 0 of tensor 's' is 4294967295 bytes long by its length prefix, "
                                        "but only 4 bytes are there");
    bytes[0] = 5; /* by one */
    bytes[1] = bytes[2] = bytes[3] = 0;
    status = tensor_check_size(&tensor);
    assert_string_equal(status.message, "string element 0 of tensor 's' is 5 bytes long by its length prefix, but only "
                                        "4 bytes are there");
}

static void an_empty_string_tensor_is_no_bytes(void **state) {
    (void)state;
    struct tensor tensor = {.name = SLICE_LITERAL("s"), .type = DATATYPE_BYTES, .rank = 2, .shape = {0, 5}};
    struct status status = tensor_check_size(&tensor);
    assert_true(status_is_ok(&status));
}

static void formats_shapes(void **state) {
    (void)state;
    char text[32];
    shape_format((const int64_t[]){-1, 128}, 2, text, sizeof text);
    assert_string_equal(text, "[-1,128]");
    shape_format(NULL, 0, text, sizeof text);
    assert_string_equal(text, "[]");
    char exact[9];
    shape_format((const int64_t[]){-1, 128}, 2, exact, sizeof exact);
    assert_string_equal(exact, "[-1,128]");
    char small[5];
    shape_format((const int64_t[]){1000, 2000, 3000}, 3, small, sizeof small);
    assert_string_equal(small, "[100");
    shape_format((const int64_t[]){1, 2}, 2, small, sizeof small);
    assert_string_equal(small, "[1,2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_elements),
        cmocka_unit_test(refuses_negative_and_huge_shapes),
        cmocka_unit_test(checks_fixed_sizes),
        cmocka_unit_test(walks_strings),
        cmocka_unit_test(refuses_a_string_longer_than_its_data),
        cmocka_unit_test(an_empty_string_tensor_is_no_bytes),
        cmocka_unit_test(formats_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
