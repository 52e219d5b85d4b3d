/* Tensor elements from and to JSON: every datatype, its range, and what is said when something does not fit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/tensor_json.h"
#include "codec/half.h"
#include "codec/json_value.h"

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

/* Decodes JSON text as inputs[1] of the type, with one dimension of `count`. */
static struct status decode(const char *json, enum datatype type, int64_t count, struct tensor *ret) {
    *ret = (struct tensor){.name = slice_of("T"), .type = type, .rank = 1, .shape = {count}};
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, strlen(json),
                                       YYJSON_READ_ALLOW_INF_AND_NAN | YYJSON_READ_BIGNUM_AS_RAW, NULL, NULL);
    assert_non_null(doc);
    struct status status = tensor_json_decode(yyjson_doc_get_root(doc), strlen(json), "inputs", 1, arena, ret);
    yyjson_doc_free(doc);
    return status;
}

static void assert_decodes(const char *json, enum datatype type, int64_t count, const void *bytes, size_t size) {
    struct tensor tensor;
    struct status status = decode(json, type, count, &tensor);
    assert_string_equal(status.message, "");
    assert_int_equal(tensor.data.size, size);
    assert_memory_equal(tensor.data.data, bytes, size);
}

static void assert_refused(const char *json, enum datatype type, int64_t count, const char *message) {
    struct tensor tensor;
    struct status status = decode(json, type, count, &tensor);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, message);
}

static void integers_of_every_width(void **state) {
    (void)state;
    assert_decodes("[-128,127]", DATATYPE_INT8, 2, (int8_t[]){-128, 127}, 2);
    assert_decodes("[-32768,32767]", DATATYPE_INT16, 2, (int16_t[]){-32768, 32767}, 4);
    assert_decodes("[-2147483648,2147483647]", DATATYPE_INT32, 2, (int32_t[]){INT32_MIN, INT32_MAX}, 8);
    assert_decodes("[-9223372036854775808,9223372036854775807]", DATATYPE_INT64, 2, (int64_t[]){INT64_MIN, INT64_MAX},
                   16);
    assert_decodes("[0,255]", DATATYPE_UINT8, 2, (uint8_t[]){0, 255}, 2);
    assert_decodes("[65535]", DATATYPE_UINT16, 1, (uint16_t[]){65535}, 2);
    assert_decodes("[4294967295]", DATATYPE_UINT32, 1, (uint32_t[]){UINT32_MAX}, 4);
    assert_decodes("[18446744073709551615]", DATATYPE_UINT64, 1, (uint64_t[]){UINT64_MAX}, 8);
    assert_decodes("[-0]", DATATYPE_INT32, 1, (int32_t[]){0}, 4);
    assert_decodes("[true,false]", DATATYPE_BOOL, 2, (uint8_t[]){1, 0}, 2);
}

static void integers_out_of_range_tell_the_range(void **state) {
    (void)state;
    assert_refused("[0,1,2,300]", DATATYPE_INT8, 4,
                   "inputs[1].data[3]: expected an integer in -128..127 for INT8, got 300");
    assert_refused("[-129]", DATATYPE_INT8, 1,
                   "inputs[1].data[0]: expected an integer in -128..127 for INT8, got -129");
    assert_refused("[-1]", DATATYPE_UINT64, 1,
                   "inputs[1].data[0]: expected an integer in 0..18446744073709551615 for UINT64, got -1");
    assert_refused("[18446744073709551616]", DATATYPE_UINT64, 1,
                   "inputs[1].data[0]: expected an integer in 0..18446744073709551615 for UINT64, got "
                   "18446744073709551616");
    assert_refused("[9223372036854775808]", DATATYPE_INT64, 1,
                   "inputs[1].data[0]: expected an integer in -9223372036854775808..9223372036854775807 for INT64, got "
                   "9223372036854775808");
    assert_refused("[1.5]", DATATYPE_INT32, 1,
                   "inputs[1].data[0]: expected an integer in -2147483648..2147483647 for INT32, got 1.5");
    assert_refused("[\"7\"]", DATATYPE_UINT8, 1,
                   "inputs[1].data[0]: expected an integer in 0..255 for UINT8, got the string \"7\"");
    assert_refused("[1]", DATATYPE_BOOL, 1, "inputs[1].data[0]: expected true or false for BOOL, got 1");
    assert_refused("[null]", DATATYPE_INT16, 1,
                   "inputs[1].data[0]: expected an integer in -32768..32767 for INT16, got null");
}

static void floats_of_every_width(void **state) {
    (void)state;
    assert_decodes("[1,-2.5,1e-3]", DATATYPE_FP32, 3, (float[]){1, -2.5f, 1e-3f}, 12);
    assert_decodes("[0.1,18446744073709551616,-7]", DATATYPE_FP64, 3, (double[]){0.1, 18446744073709551616.0, -7}, 24);
    assert_decodes("[1,65504]", DATATYPE_FP16, 2, (uint16_t[]){0x3c00, 0x7bff}, 4);
    assert_decodes("[1,-2]", DATATYPE_BF16, 2, (uint16_t[]){0x3f80, 0xc000}, 4);
    assert_decodes("[Infinity,-Infinity]", DATATYPE_FP32, 2, (float[]){INFINITY, -INFINITY}, 8);
    assert_decodes("[-Infinity]", DATATYPE_FP16, 1, (uint16_t[]){0xfc00}, 2);
    /* Just above the middle between 1 and the next value, nearer than a float can tell. */
    assert_decodes("[1.00048828125,1.0004882812500002]", DATATYPE_FP16, 2, (uint16_t[]){0x3c00, 0x3c01}, 4);
    assert_decodes("[1.00390625,1.0039062500000002]", DATATYPE_BF16, 2, (uint16_t[]){0x3f80, 0x3f81}, 4);
    /* More digits than any integer type has. */
    assert_decodes("[1000000000000000000000000000000000000000000000000000000000000000000000]", DATATYPE_FP64, 1,
                   (double[]){1e69}, 8);
    struct tensor tensor;
    struct status status = decode("[NaN]", DATATYPE_FP64, 1, &tensor);
    assert_string_equal(status.message, "");
    double nan;
    memcpy(&nan, tensor.data.data, sizeof nan);
    assert_true(isnan(nan));
}

/* The largest values that still round to a finite number, and the first that do not. */
static void floats_out_of_range_are_refused(void **state) {
    (void)state;
    assert_decodes("[3.4028235677973364e+38]", DATATYPE_FP32, 1, (float[]){3.4028234663852886e+38f}, 4);
    assert_refused("[3.4028235677973366e+38]", DATATYPE_FP32, 1,
                   "inputs[1].data[0]: expected a number in -3.4028235e38..3.4028235e38 for FP32, got "
                   "3.4028235677973366e38");
    assert_decodes("[65519]", DATATYPE_FP16, 1, (uint16_t[]){0x7bff}, 2);
    assert_refused("[-65520]", DATATYPE_FP16, 1,
                   "inputs[1].data[0]: expected a number in -65504..65504 for FP16, got -65520");
    assert_refused("[1e39]", DATATYPE_BF16, 1,
                   "inputs[1].data[0]: expected a number in -3.3895314e38..3.3895314e38 for BF16, got 1e39");
    assert_refused("[1e999]", DATATYPE_FP64, 1,
                   "inputs[1].data[0]: expected a number in -1.7976931348623157e308..1.7976931348623157e308 for FP64, "
                   "got 1e999");
    assert_refused("[true]", DATATYPE_FP32, 1,
                   "inputs[1].data[0]: expected a number in -3.4028235e38..3.4028235e38 for FP32, got true");
}

static void strings_get_their_lengths(void **state) {
    (void)state;
    assert_decodes("[\"ab\",\"\",\"\\u00e4\\u0000\"]", DATATYPE_BYTES, 3,
                   "\x02\0\0\0"
                   "ab"
                   "\0\0\0\0"
                   "\x03\0\0\0"
                   "\xc3\xa4\0",
                   17);
    assert_decodes("[]", DATATYPE_BYTES, 0, "", 0);
    assert_refused("[\"a\",5]", DATATYPE_BYTES, 2, "inputs[1].data[1]: expected a string for BYTES, got 5");
    assert_refused("[\"a\"]", DATATYPE_BYTES, 2, "inputs[1].data: expected 2 elements for shape [2], got 1");
    assert_refused("[\"a\",\"b\",\"c\"]", DATATYPE_BYTES, 2,
                   "inputs[1].data: expected 2 elements for shape [2], got at least 3");
}

static void nested_arrays_are_row_major(void **state) {
    (void)state;
    assert_decodes("[[1,2],[3,4]]", DATATYPE_INT32, 4, (int32_t[]){1, 2, 3, 4}, 16);
    assert_decodes("[[[1],[2]],3,[]]", DATATYPE_UINT8, 3, (uint8_t[]){1, 2, 3}, 3);
    assert_refused("[[1,2],[3,true]]", DATATYPE_INT32, 4,
                   "inputs[1].data[1][1]: expected an integer in -2147483648..2147483647 for INT32, got true");
    assert_refused("[[1,{}]]", DATATYPE_INT8, 2,
                   "inputs[1].data[0][1]: expected an integer in -128..127 for INT8, got an object");
}

static void element_count_must_fit_the_shape(void **state) {
    (void)state;
    assert_refused("[1,2]", DATATYPE_INT32, 3, "inputs[1].data: expected 3 elements for shape [3], got 2");
    assert_refused("[1,2,3]", DATATYPE_INT32, 2, "inputs[1].data: expected 2 elements for shape [2], got at least 3");
    assert_refused("5", DATATYPE_INT32, 1, "inputs[1].data: expected an array, got 5");
    assert_refused("\"5\"", DATATYPE_INT32, 1, "inputs[1].data: expected an array, got the string \"5\"");
    assert_decodes("[]", DATATYPE_FP32, 0, "", 0);
}

/* A shape may claim more than memory has; nothing is set aside for it. */
static void huge_shapes_take_no_memory(void **state) {
    (void)state;
    assert_refused("[1]", DATATYPE_FP64, INT64_MAX,
                   "inputs[1].data: expected 9223372036854775807 elements for shape [9223372036854775807], got 1");
    assert_true(arena_used(arena) < 1000);
    struct tensor tensor = {.type = DATATYPE_FP32, .rank = 2, .shape = {INT64_MAX, INT64_MAX}};
    yyjson_doc *doc = yyjson_read("[1]", 3, 0);
    struct status status = tensor_json_decode(yyjson_doc_get_root(doc), 3, "inputs", 0, arena, &tensor);
    yyjson_doc_free(doc);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "inputs[0].shape"));
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    char json[2 * 101 + 2];
    for (int levels = 100; levels <= 101; levels++) {
        memset(json, '[', (size_t)levels);
        json[levels] = '1';
        memset(json + levels + 1, ']', (size_t)levels);
        struct slice text = {json, (size_t)levels * 2 + 1};
        yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
        assert_non_null(doc);
        struct tensor tensor = {.type = DATATYPE_INT8, .rank = 1, .shape = {1}};
        struct status status = tensor_json_decode(yyjson_doc_get_root(doc), text.size, "inputs", 0, arena, &tensor);
        assert_int_equal(status.code, levels == 100 ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        assert_int_equal(json_nested_deeper(yyjson_doc_get_root(doc), 100), levels == 101);
        yyjson_doc_free(doc);
    }
}

static void assert_encodes(enum datatype type, const void *bytes, size_t size, const char *json) {
    struct tensor tensor = {.name = slice_of("T"), .type = type, .data = {bytes, size}};
    struct buf out = BUF_EMPTY;
    struct status status = tensor_json_encode(&tensor, &out);
    assert_string_equal(status.message, "");
    buf_append_char(&out, '\0');
    assert_string_equal(out.data, json);
    buf_free(&out);
}

static void every_type_is_written(void **state) {
    (void)state;
    assert_encodes(DATATYPE_BOOL, (uint8_t[]){0, 1}, 2, "[false,true]");
    assert_encodes(DATATYPE_UINT8, (uint8_t[]){0, 255}, 2, "[0,255]");
    assert_encodes(DATATYPE_UINT16, (uint16_t[]){65535}, 2, "[65535]");
    assert_encodes(DATATYPE_UINT32, (uint32_t[]){UINT32_MAX}, 4, "[4294967295]");
    assert_encodes(DATATYPE_UINT64, (uint64_t[]){UINT64_MAX}, 8, "[18446744073709551615]");
    assert_encodes(DATATYPE_INT8, (int8_t[]){-128, 5}, 2, "[-128,5]");
    assert_encodes(DATATYPE_INT16, (int16_t[]){-32768}, 2, "[-32768]");
    assert_encodes(DATATYPE_INT32, (int32_t[]){INT32_MIN}, 4, "[-2147483648]");
    assert_encodes(DATATYPE_INT64, (int64_t[]){INT64_MIN}, 8, "[-9223372036854775808]");
    assert_encodes(DATATYPE_FP16, (uint16_t[]){0x3c00, 0x7c00}, 4, "[1.0,Infinity]");
    assert_encodes(DATATYPE_BF16, (uint16_t[]){0xc000}, 2, "[-2.0]");
    assert_encodes(DATATYPE_FP32, (float[]){0.1f, -INFINITY, NAN}, 12, "[0.1,-Infinity,NaN]");
    assert_encodes(DATATYPE_FP64, (double[]){0.1, 1e300}, 16, "[0.1,1e300]");
    assert_encodes(DATATYPE_BYTES, "\x03\0\0\0a\"b\0\0\0\0", 11, "[\"a\\\"b\",\"\"]");
    assert_encodes(DATATYPE_INT32, NULL, 0, "[]");
    assert_encodes(DATATYPE_BYTES, NULL, 0, "[]");
}

static void bytes_that_are_no_text_have_no_json(void **state) {
    (void)state;
    struct tensor tensor = {.name = slice_of("OUT"), .type = DATATYPE_BYTES, .data = {"\x01\0\0\0a\x01\0\0\0\xff", 10}};
    struct buf out = BUF_EMPTY;
    struct status status = tensor_json_encode(&tensor, &out);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "'OUT': element 1"));
    assert_non_null(strstr(status.message, "binary_data"));
    tensor.data = (struct slice){"\x05\0\0\0a", 5};
    status = tensor_json_encode(&tensor, &out);
    assert_int_equal(status.code, STATUS_INTERNAL);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(integers_of_every_width, set_up, tear_down),
        cmocka_unit_test_setup_teardown(integers_out_of_range_tell_the_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floats_of_every_width, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floats_out_of_range_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_get_their_lengths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nested_arrays_are_row_major, set_up, tear_down),
        cmocka_unit_test_setup_teardown(element_count_must_fit_the_shape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(huge_shapes_take_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nesting_has_a_limit, set_up, tear_down),
        cmocka_unit_test(every_type_is_written),
        cmocka_unit_test(bytes_that_are_no_text_have_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
