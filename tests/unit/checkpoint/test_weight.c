/* Number formats, shapes, sorted sets. */
#include "checkpoint/weight.h"

#include <math.h>

#include "scratch.h"

/* The value of an IEEE number by its definition, from its fields. */
static double value_of(uint32_t bits, int exponent_bits, int fraction_bits) {
    int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
    int exponent = (int)(bits >> fraction_bits) & top;
    double fraction = (double)(bits & ((1u << fraction_bits) - 1)) / (double)(1u << fraction_bits);
    double sign = bits >> (exponent_bits + fraction_bits) ? -1 : 1;
    if (exponent == top)
        return fraction != 0 ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1 + fraction, exponent - bias) : ldexp(fraction, 1 - bias));
}

static void check_all(enum weight_type type, int exponent_bits, int fraction_bits) {
    for (uint32_t bits = 0; bits <= 0xffff; bits++) {
        uint16_t stored = (uint16_t)bits;
        float got;
        weight_to_float(type, (const char *)&stored, 1, &got);
        double expected = value_of(bits, exponent_bits, fraction_bits);
        if (isnan(expected))
            assert_true(isnan(got));
        else
            assert_true((double)got == expected && !signbit(got) == !signbit(expected));
    }
}

static void every_half_and_bfloat16(void **state) {
    (void)state;
    check_all(WEIGHT_F16, 5, 10);
    check_all(WEIGHT_BF16, 8, 7);
}

static void floats_at_odd_addresses(void **state) {
    (void)state;
    const float numbers[] = {1.5f, -0.0f, 3e38f};
    char bytes[sizeof numbers + 1];
    float got[3];
    memcpy(bytes + 1, numbers, sizeof numbers);
    weight_to_float(WEIGHT_F32, bytes + 1, 3, got);
    assert_memory_equal(got, numbers, sizeof numbers);
}

static void element_counts(void **state) {
    (void)state;
    int64_t count = -1;
    assert_true(weight_element_count(NULL, 0, &count) && count == 1);
    assert_true(weight_element_count((int64_t[]){3, 4}, 2, &count) && count == 12);
    assert_true(weight_element_count((int64_t[]){1, 0, INT64_MAX}, 3, &count) && count == 0);
    assert_true(weight_element_count((int64_t[]){INT64_MAX}, 1, &count) && count == INT64_MAX);
    assert_false(weight_element_count((int64_t[]){INT64_MAX, 2}, 2, &count));
    assert_false(weight_element_count((int64_t[]){INT64_C(1) << 32, INT64_C(1) << 31}, 2, &count));
    assert_false(weight_element_count((int64_t[]){0, INT64_MAX, 2}, 3, &count));
    assert_false(weight_element_count((int64_t[]){4, -1}, 2, &count));
}

static void shape_texts(void **state) {
    (void)state;
    char text[WEIGHT_SHAPE_TEXT_SIZE];
    int64_t longest[WEIGHT_RANK_MAX];
    weight_shape_text((int64_t[]){2, 384}, 2, text);
    assert_string_equal(text, "[2, 384]");
    weight_shape_text(NULL, 0, text);
    assert_string_equal(text, "[]");
    for (size_t i = 0; i < WEIGHT_RANK_MAX; i++)
        longest[i] = INT64_MIN;
    weight_shape_text(longest, WEIGHT_RANK_MAX, text);
    assert_int_equal(text[strlen(text) - 1], ']');
}

static void sets_find_every_name(void **state) {
    (void)state;
    struct weight items[] = {
        {.name = SLICE_LITERAL("b")}, {.name = SLICE_LITERAL("ab")}, {.name = {NULL, 0}}, {.name = SLICE_LITERAL("a")}};
    assert_null(weight_sort(items, 4));
    struct weight_set set = {items, 4};
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(weight_find(&set, items[i].name), &items[i]);
    assert_null(weight_find(&set, SLICE_LITERAL("abc")));
    assert_null(weight_find(&(struct weight_set){NULL, 0}, SLICE_LITERAL("a")));
    items[0].name = items[3].name;
    assert_non_null(weight_sort(items, 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_and_bfloat16), cmocka_unit_test(floats_at_odd_addresses),
        cmocka_unit_test(element_counts),          cmocka_unit_test(shape_texts),
        cmocka_unit_test(sets_find_every_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
