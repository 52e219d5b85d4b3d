/* Six decimals: the same text as printf's. */
#include "codec_test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "codec/fixed_point.h"

static void check(double value) {
    char text[FIXED_POINT_MAX], wanted[FIXED_POINT_MAX];
    int length = fixed_point_format(text, sizeof text, value);
    assert_int_equal(length, snprintf(wanted, sizeof wanted, "%f", value));
    assert_string_equal(text, wanted);
}

static void corner_cases_are_as_printf_has_them(void **state) {
    (void)state;
    static const double cases[] = {
        0,         1,         0.5,     0.1,    0.9999995, 0.99999949999, 1e-7,    5e-7,     0.5e-6,
        0x1p-7,    0x3p-7,    0x1p-20, 0x1p-6, 0x1p-21,   0x1p-22,       0x1p-74, 0x1p-75,  0x1.fffffffffffffp-22,
        DBL_MIN,   DBL_MAX,   5e-324,  1e15,   0x1p41,    0x1p42,        0x1p43,  0x1p44,   0x1.fffffffffffffp41,
        0x1p52,    0x1p53,    0x1p63,  0x1p64, 123456.25, 2.0000005,     NAN,     INFINITY, 0.0000005,
        0.0000015, 0.0000025,
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(cases[i]);
        check(-cases[i]);
    }
    for (int i = 1; i < 4096; i++) /* many of them halfway between two texts */
        check(i * 0x1p-7 / 15625);
    for (int i = 1; i < 4096; i++)
        check(i * 0x1p-9);
}

static void any_bits_are_as_printf_has_them(void **state) {
    (void)state;
    uint64_t random = 11;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = next_random(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 2)
            value = ldexp((double)(int64_t)bits, -(int)(bits % 100) - 10);
        check(value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corner_cases_are_as_printf_has_them),
        cmocka_unit_test(any_bits_are_as_printf_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
