/* Tests of client_tensor: datatype, shape and size must agree, whatever a server says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/client_tensor.h"

static enum status_code check(const char *datatype, const int64_t *shape, size_t rank, const char *data, size_t size) {
    struct infer_tensor tensor = {SLICE_LITERAL("t"), slice_of(datatype), shape, rank, {data, size}};
    struct status status = client_tensor_check(&tensor);
    if (!status_is_ok(&status))
        assert_non_null(strstr(status.message, "'t'"));
    return status.code;
}

static void test_element_sizes(void **state) {
    (void)state;
    assert_int_equal(client_tensor_element_size(SLICE_LITERAL("BOOL")), 1);
    assert_int_equal(client_tensor_element_size(SLICE_LITERAL("BF16")), 2);
    assert_int_equal(client_tensor_element_size(SLICE_LITERAL("FP32")), 4);
    assert_int_equal(client_tensor_element_size(SLICE_LITERAL("UINT64")), 8);
    assert_int_equal(client_tensor_element_size(SLICE_LITERAL("BYTES")), 0);
    assert_int_equal(client_tensor_element_size(SLICE_LITERAL("fp32")), -1);
    assert_int_equal(client_tensor_element_size(SLICE_LITERAL("")), -1);
}

static void test_fixed_size(void **state) {
    (void)state;
    const int64_t shape[] = {2, 3}, empty[] = {0, 3}, negative[] = {2, -1};
    const char data[25] = {0};
    assert_int_equal(check("FP32", shape, 2, data, 24), STATUS_OK);
    assert_int_equal(check("FP32", shape, 2, data, 23), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("FP32", shape, 2, data, 25), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("FP32", NULL, 0, data, 4), STATUS_OK); /* a scalar */
    assert_int_equal(check("FP32", empty, 2, NULL, 0), STATUS_OK);
    assert_int_equal(check("FP32", negative, 2, data, 24), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("FLOAT", shape, 2, data, 24), STATUS_INVALID_ARGUMENT);
}

static void test_overflow(void **state) {
    (void)state;
    const int64_t huge[] = {INT64_MAX, INT64_MAX}, wraps[] = {(int64_t)1 << 62, 4}, bytes[] = {(int64_t)1 << 62};
    int64_t deep[INFER_TENSOR_RANK_MAX + 1];
    for (size_t i = 0; i < INFER_TENSOR_RANK_MAX + 1; i++)
        deep[i] = 1;
    assert_int_equal(check("INT8", huge, 2, "", 0), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("INT8", wraps, 2, "", 0), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("FP32", bytes, 1, "", 0), STATUS_INVALID_ARGUMENT); /* 2^62 x 4 is 0 in 64 bits */
    assert_int_equal(check("INT8", deep, INFER_TENSOR_RANK_MAX, "x", 1), STATUS_OK);
    assert_int_equal(check("INT8", deep, INFER_TENSOR_RANK_MAX + 1, "x", 1), STATUS_INVALID_ARGUMENT);
}

static void test_bytes(void **state) {
    (void)state;
    const int64_t two[] = {2}, one[] = {1}, many[] = {INT64_MAX}, none[] = {0};
    const char data[] = "\2\0\0\0ab\0\0\0\0";
    assert_int_equal(check("BYTES", two, 1, data, 10), STATUS_OK);
    assert_int_equal(check("BYTES", one, 1, data, 10), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("BYTES", many, 1, data, 10), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("BYTES", none, 1, NULL, 0), STATUS_OK);
    for (size_t size = 0; size < 10; size++)
        assert_int_equal(check("BYTES", two, 1, data, size), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("BYTES", one, 1,
                           "\xff\xff\xff\xff"
                           "a",
                           5),
                     STATUS_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_element_sizes),
        cmocka_unit_test(test_fixed_size),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
