/* The k best classes of an output. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/classification.h"

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

static struct tensor scores_of(enum datatype type, const void *data, int64_t count) {
    return (struct tensor){.name = slice_of("S"),
                           .type = type,
                           .rank = 1,
                           .shape = {count},
                           .data = {data, (size_t)count * datatype_size(type)}};
}

/* The classes as one text, split by blanks. */
static void assert_classes(struct tensor scores, uint32_t k, const char *expected) {
    struct tensor classes;
    struct status status =
        classification_encode(NULL, &scores, k, &(uint32_t){CLASSIFICATION_CLASSES_MAX}, arena, &classes);
    assert_string_equal(status.message, "");
    assert_int_equal(classes.type, DATATYPE_BYTES);
    status = tensor_check_size(&classes);
    assert_string_equal(status.message, "");
    char text[512] = "";
    size_t at = 0;
    for (size_t i = 0; i < (size_t)classes.shape[0]; i++) {
        uint32_t length;
        memcpy(&length, classes.data.data + at, sizeof length);
        strncat(text, i ? " " : "", 2);
        strncat(text, classes.data.data + at + 4, length);
        at += 4 + length;
    }
    assert_string_equal(text, expected);
}

static void best_come_first(void **state) {
    (void)state;
    const float scores[] = {0.1f, 0.9f, -3, 0.5f};
    assert_classes(scores_of(DATATYPE_FP32, scores, 4), 1, "0.900000:1");
    assert_classes(scores_of(DATATYPE_FP32, scores, 4), 3, "0.900000:1 0.500000:3 0.100000:0");
    assert_classes(scores_of(DATATYPE_FP32, scores, 4), 100, "0.900000:1 0.500000:3 0.100000:0 -3.000000:2");
}

static void equal_ones_go_by_index_and_nan_last(void **state) {
    (void)state;
    const double scores[] = {NAN, 2, 2, INFINITY, NAN, 2};
    assert_classes(scores_of(DATATYPE_FP64, scores, 6), 5, "inf:3 2.000000:1 2.000000:2 2.000000:5 nan:0");
}

/* Wide integers keep all their digits: as floating-point numbers these would be equal. */
static void integers_are_compared_as_such(void **state) {
    (void)state;
    const int64_t big[] = {9007199254740992, 9007199254740993, INT64_MIN};
    assert_classes(scores_of(DATATYPE_INT64, big, 3), 3,
                   "9007199254740993:1 9007199254740992:0 -9223372036854775808:2");
    const uint64_t huge[] = {1, UINT64_MAX, UINT64_MAX - 1};
    assert_classes(scores_of(DATATYPE_UINT64, huge, 3), 2, "18446744073709551615:1 18446744073709551614:2");
    const int8_t small[] = {-1, 127, -128};
    assert_classes(scores_of(DATATYPE_INT8, small, 3), 3, "127:1 -1:0 -128:2");
    const uint16_t middle[] = {65535, 0};
    assert_classes(scores_of(DATATYPE_UINT16, middle, 2), 2, "65535:0 0:1");
}

static void largest_double_fits(void **state) {
    (void)state;
    const double scores[] = {-1.7976931348623157e308};
    struct tensor tensor = scores_of(DATATYPE_FP64, scores, 1), classes;
    struct status status =
        classification_encode(NULL, &tensor, 1, &(uint32_t){CLASSIFICATION_CLASSES_MAX}, arena, &classes);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(classes.data.size, 4 + 1 + 309 + 7 + 2);
}

static void empty_outputs_have_no_classes(void **state) {
    (void)state;
    assert_classes(scores_of(DATATYPE_FP32, NULL, 0), 3, "");
}

static void types_without_an_order_are_refused(void **state) {
    (void)state;
    static const enum datatype types[] = {DATATYPE_BOOL, DATATYPE_FP16, DATATYPE_BF16, DATATYPE_BYTES};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct tensor scores = scores_of(types[i], "", 0), classes;
        struct status status =
            classification_encode(NULL, &scores, 1, &(uint32_t){CLASSIFICATION_CLASSES_MAX}, arena, &classes);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, datatype_name(types[i])));
    }
}

/* An engine's mistake is told, not read beyond. */
static void data_of_another_size_are_refused(void **state) {
    (void)state;
    const float scores[] = {1, 2, 3};
    struct tensor few = scores_of(DATATYPE_FP32, scores, 3), classes;
    few.data.size = 0;
    struct status status =
        classification_encode(NULL, &few, 1, &(uint32_t){CLASSIFICATION_CLASSES_MAX}, arena, &classes);
    assert_int_equal(status.code, STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "has 0 bytes"));
}

/* Both zeros are equal, each with its own text; halfway between two texts the even one is taken, as printf does. */
static void floats_have_six_decimals(void **state) {
    (void)state;
    const float scores[] = {-0.0f, 0.0f, 0x1p-7f, -INFINITY, 1e-9f, 16777216};
    assert_classes(scores_of(DATATYPE_FP32, scores, 6), 6,
                   "16777216.000000:5 0.007812:2 0.000000:4 -0.000000:0 0.000000:1 -inf:3");
}

/* What all outputs of an answer hold is bounded, not what is asked for where there is less. */
static void an_answer_holds_so_many_classes(void **state) {
    (void)state;
    enum { COUNT = CLASSIFICATION_CLASSES_MAX + 1 };
    static uint8_t scores[COUNT];
    struct tensor tensor = scores_of(DATATYPE_UINT8, scores, COUNT), classes;
    uint32_t left = CLASSIFICATION_CLASSES_MAX;
    struct status status = classification_encode(NULL, &tensor, UINT32_MAX, &left, arena, &classes);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "classification of output 'S': expected at most 65536 classes in an answer "
                                        "(65536 are left), got 1 rows of 65537");
    status = classification_encode(NULL, &tensor, COUNT - 1, &left, arena, &classes);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(classes.shape[0], COUNT - 1);
    assert_int_equal(left, 0);
    status = classification_encode(NULL, &tensor, 1, &left, arena, &classes);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    tensor.shape[0] = 0, tensor.data.size = 0;
    status = classification_encode(NULL, &tensor, 1, &left, arena, &classes);
    assert_int_equal(status.code, STATUS_OK);
    tensor.shape[0] = 2, tensor.data.size = 2, left = 5;
    status = classification_encode(NULL, &tensor, UINT32_MAX, &left, arena, &classes);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(left, 3);
}

static void agrees_with_sorting(void **state) {
    (void)state;
    uint32_t seed = 12345;
    for (int round = 0; round < 200; round++) {
        int32_t scores[40];
        uint32_t count = 1 + (seed >> 16) % 40, k = 1 + (seed >> 8) % 45;
        for (uint32_t i = 0; i < count; i++) {
            seed = seed * 1664525 + 1013904223;
            scores[i] = (int32_t)(seed >> 28) - 8;
        }
        struct tensor tensor = scores_of(DATATYPE_INT32, scores, count), classes;
        struct status status =
            classification_encode(NULL, &tensor, k, &(uint32_t){CLASSIFICATION_CLASSES_MAX}, arena, &classes);
        assert_int_equal(status.code, STATUS_OK);
        uint32_t kept = k < count ? k : count;
        assert_int_equal(classes.shape[0], kept);
        bool taken[40] = {false};
        const char *at = classes.data.data;
        for (uint32_t i = 0; i < kept; i++) {
            uint32_t best = UINT32_MAX;
            for (uint32_t c = 0; c < count; c++)
                if (!taken[c] && (best == UINT32_MAX || scores[c] > scores[best]))
                    best = c;
            taken[best] = true;
            char expected[32];
            int length = snprintf(expected, sizeof expected, "%d:%u", scores[best], best);
            assert_memory_equal(at + 4, expected, (size_t)length);
            at += 4 + length;
        }
        arena_reset(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(best_come_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_ones_go_by_index_and_nan_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(integers_are_compared_as_such, set_up, tear_down),
        cmocka_unit_test_setup_teardown(largest_double_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_outputs_have_no_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(types_without_an_order_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_of_another_size_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floats_have_six_decimals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_holds_so_many_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agrees_with_sorting, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
