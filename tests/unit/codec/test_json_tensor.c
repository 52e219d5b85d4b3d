/* Tests of json_tensor: what tests/unit/api/test_tensor_json.c does not reach through core's tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json_element.h"
#include "codec/json_tensor.h"

static struct arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_create(0);
    return arena != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    arena_destroy(arena);
    return 0;
}

static struct status decode_flat(const char *json, const char *datatype, struct slice *ret) {
    const int64_t shape[] = {2};
    const struct json_tensor tensor = {
        .name = SLICE_LITERAL("T"), .datatype = slice_of(datatype), .shape = shape, .rank = 1};
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    assert_non_null(doc);
    struct status status = json_tensor_decode_flat(&tensor, yyjson_doc_get_root(doc), arena, ret);
    yyjson_doc_free(doc);
    return status;
}

static void test_flat(void **state) {
    (void)state;
    struct slice data;
    struct status status = decode_flat("7", "INT16", &data);
    assert_string_equal(status.message, "");
    assert_int_equal(data.size, 2);
    assert_memory_equal(data.data, "\x07\x00", 2);
    status = decode_flat("[\"a\",\"bc\"]", "BYTES", &data);
    assert_string_equal(status.message, "");
    assert_int_equal(data.size, 11);
    assert_memory_equal(data.data, "\x01\0\0\0a\x02\0\0\0bc", 11);
    status = decode_flat("[1,[2]]", "INT16", &data);
    assert_string_equal(status.message, "T[1]: expected an integer in -32768..32767 for INT16, got an array");
    assert_int_equal(decode_flat("[1]", "INT17", &data).code, STATUS_INVALID_ARGUMENT);
}

static void test_without_brackets(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    const int16_t numbers[] = {1, -2};
    const struct slice name = SLICE_LITERAL("T"), data = {(const char *)numbers, sizeof numbers};
    struct status status = json_tensor_encode_elements(name, SLICE_LITERAL("INT16"), data, &out);
    assert_string_equal(status.message, "");
    assert_true(slice_equal_text(buf_slice(&out), "1,-2"));
    buf_clear(&out);
    status = json_tensor_encode(name, SLICE_LITERAL("INT16"), data, &out);
    assert_string_equal(status.message, "");
    assert_true(slice_equal_text(buf_slice(&out), "[1,-2]"));
    status = json_tensor_encode(name, SLICE_LITERAL("INT17"), data, &out);
    assert_string_equal(status.message, "'T': 'INT17' is no datatype that has a JSON form");
    buf_free(&out);
}

static void test_kinds(void **state) {
    (void)state;
    static const char *const names[] = {"BOOL",  "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16",
                                        "INT32", "INT64", "FP16",   "BF16",   "FP32",   "FP64"};
    static const size_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct json_element_kind *kind = json_element_kind_of(slice_of(names[i]));
        assert_non_null(kind);
        assert_string_equal(kind->datatype, names[i]);
        assert_int_equal(kind->size, sizes[i]);
        assert_true(kind->read != NULL && kind->write != NULL);
    }
    assert_int_equal(json_element_kind_of(SLICE_LITERAL("BYTES"))->size, 0);
    assert_null(json_element_kind_of(SLICE_LITERAL("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flat, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_brackets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
