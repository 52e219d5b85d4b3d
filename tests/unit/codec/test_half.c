/* FP16 and BF16: every bit pattern, and rounding against the definition. */
#include "codec_test.h"

#include <math.h>

#include "codec/half.h"

/* By the definition of binary16. */
static double half_value(unsigned bits) {
    int exponent = (int)(bits >> 10 & 31), mantissa = (int)(bits & 1023);
    double magnitude = exponent == 31  ? (mantissa ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(mantissa, -24)
                                       : ldexp(1024 + mantissa, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static void every_half_is_exact_and_comes_back(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        float value = half_to_float((uint16_t)bits);
        double wanted = half_value(bits);
        if (isnan(wanted)) {
            assert_true(isnan(value));
            assert_true((half_from_float(value) & 0x7E00) == 0x7E00);
            continue;
        }
        assert_true((double)value == wanted && !signbit(value) == !signbit(wanted));
        assert_int_equal(half_from_float(value), bits);
    }
}

/* Many at once, from an odd address: the same as one by one. */
static void converts_many(void **state) {
    (void)state;
    enum { COUNT = 0x10000 };
    char *from = malloc(2 * COUNT + 1);
    float *halves = calloc(COUNT, sizeof *halves), *brains = calloc(COUNT, sizeof *brains);
    assert_true(from && halves && brains);
    for (unsigned bits = 0; bits < COUNT; bits++)
        memcpy(from + 1 + 2 * bits, &(uint16_t){(uint16_t)bits}, 2);
    half_to_floats(from + 1, COUNT, halves);
    bfloat16_to_floats(from + 1, COUNT, brains);
    for (unsigned bits = 0; bits < COUNT; bits++) {
        float half = half_to_float((uint16_t)bits), brain = bfloat16_to_float((uint16_t)bits);
        assert_memory_equal(&halves[bits], &half, sizeof half);
        assert_memory_equal(&brains[bits], &brain, sizeof brain);
    }
    free(from);
    free(halves);
    free(brains);
}

static void floats_round_to_the_nearest_half(void **state) {
    (void)state;
    uint64_t random = 3;
    for (unsigned bits = 0; bits < 0x7C00; bits++) { /* between each half and the next */
        double low = half_value(bits), high = bits == 0x7BFF ? 65536 : half_value(bits + 1), middle = (low + high) / 2;
        float below = nextafterf((float)middle, 0), above = nextafterf((float)middle, INFINITY);
        assert_int_equal(half_from_float(below), bits);
        assert_int_equal(half_from_float(above), bits + 1);
        assert_int_equal(half_from_float((float)middle), bits & 1 ? bits + 1 : bits); /* a tie goes to even */
        double part = (double)(next_random(&random) % 1000) / 1000;
        float value = (float)(low + (high - low) * part);
        if ((double)value != middle)
            assert_int_equal(half_from_float(-value), 0x8000 | ((double)value < middle ? bits : bits + 1));
    }
    assert_int_equal(half_from_float(1e10f), 0x7C00);
    assert_int_equal(half_from_float(-INFINITY), 0xFC00);
    assert_int_equal(half_from_float(1e-10f), 0);
}

/* Around the middle between a value and the next, nearer than a float can tell. */
static void doubles_are_rounded_once(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 0x7C00; bits++) {
        double low = half_value(bits), high = bits == 0x7BFF ? 65536 : half_value(bits + 1), middle = (low + high) / 2;
        assert_int_equal(half_from_double(nextafter(middle, 0)), bits);
        assert_int_equal(half_from_double(nextafter(middle, INFINITY)), bits + 1);
        assert_int_equal(half_from_double(middle), bits & 1 ? bits + 1 : bits);
        assert_int_equal(half_from_double(-nextafter(middle, INFINITY)), 0x8000 | (bits + 1));
        assert_int_equal(half_from_double(low), bits);
    }
    for (unsigned bits = 0; bits < 0x7F80; bits++) {
        double low = (double)bfloat16_to_float((uint16_t)bits);
        double high = bits == 0x7F7F ? 0x1p128 : (double)bfloat16_to_float((uint16_t)(bits + 1));
        double middle = (low + high) / 2;
        assert_int_equal(bfloat16_from_double(nextafter(middle, 0)), bits);
        assert_int_equal(bfloat16_from_double(nextafter(middle, INFINITY)), bits + 1);
        assert_int_equal(bfloat16_from_double(middle), bits & 1 ? bits + 1 : bits);
        assert_int_equal(bfloat16_from_double(-nextafter(middle, 0)), 0x8000 | bits);
    }
    assert_int_equal(half_from_double(1e300), 0x7C00);
    assert_int_equal(bfloat16_from_double(-1e300), 0xFF80);
    assert_int_equal(half_from_double(1e-300), 0);
    assert_int_equal(bfloat16_from_double(-1e-300), 0x8000);
    assert_int_equal(half_from_double(INFINITY), 0x7C00);
    assert_true((half_from_double((double)NAN) & 0x7E00) == 0x7E00);
    assert_true((bfloat16_from_double((double)NAN) & 0x7FC0) == 0x7FC0);
}

static void bfloat16_is_the_upper_half_of_a_float(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        float value = bfloat16_to_float((uint16_t)bits);
        if (isnan(value))
            assert_true((bfloat16_from_float(value) & 0x7FC0) == 0x7FC0);
        else
            assert_int_equal(bfloat16_from_float(value), bits);
    }
    assert_int_equal(bfloat16_from_float(1.00390625f), 0x3F80);   /* 1 + 2^-8: a tie, to even */
    assert_int_equal(bfloat16_from_float(1.01171875f), 0x3F82);   /* 1 + 3 * 2^-8: a tie, to even */
    assert_int_equal(bfloat16_from_float(1.00390637f), 0x3F81);   /* just above the tie */
    assert_int_equal(bfloat16_from_float(3.4028235e38f), 0x7F80); /* rounds up to infinity */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_exact_and_comes_back),    cmocka_unit_test(converts_many),
        cmocka_unit_test(floats_round_to_the_nearest_half),      cmocka_unit_test(doubles_are_rounded_once),
        cmocka_unit_test(bfloat16_is_the_upper_half_of_a_float),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
