/* Decimal digits: those that printf gives with the fewest that read back. */
#include "codec_test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "codec/shortest_decimal.h"

/* The text of the digits, with an exponent that strtod takes, without zeros at the end. */
static int write_number(char *text, size_t size, struct decimal number) {
    while (number.digits % 10 == 0) {
        number.digits /= 10;
        number.exponent++;
    }
    int digits = snprintf(text, size, "%llu", (unsigned long long)number.digits);
    snprintf(text + digits, size - (size_t)digits, "e%d", number.exponent);
    return digits;
}

/* How far a decimal is from the value in units that are the same for both, as exactly as a long double tells. */
static long double distance(const char *text, double value) {
    return fabsl(strtold(text, NULL) - (long double)value);
}

static void check_double(double value) {
    char text[48], printed[48];
    int count = write_number(text, sizeof text, shortest_decimal_of_double(value));
    if (strtod(text, NULL) != value)
        fail_msg("%.17g: %s does not read back", value, text);
    if (count > 1) { /* one digit less does not do, not even the nearest */
        snprintf(printed, sizeof printed, "%.*e", count - 2, value);
        if (strtod(printed, NULL) == value)
            fail_msg("%.17g: %s is longer than %s", value, text, printed);
    }
    snprintf(printed, sizeof printed, "%.*e", count - 1, value); /* the nearest of that many, which may not read back */
    if (strtod(printed, NULL) == value && distance(text, value) > distance(printed, value))
        fail_msg("%.17g: %s is farther away than %s", value, text, printed);
}

static void check_float(float value) {
    char text[48], printed[48];
    int count = write_number(text, sizeof text, shortest_decimal_of_float(value));
    if (strtof(text, NULL) != value)
        fail_msg("%.9g: %s does not read back", (double)value, text);
    if (count > 1) {
        snprintf(printed, sizeof printed, "%.*e", count - 2, (double)value);
        if (strtof(printed, NULL) == value)
            fail_msg("%.9g: %s is longer than %s", (double)value, text, printed);
    }
}

static void corner_cases_have_these_digits(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {0x0.fffffffffffffp-1022, "2225073858507201e-323"}, /* the largest subnormal */
        {DBL_MIN, "22250738585072014e-324"},
        {DBL_MAX, "17976931348623157e292"},
        {DBL_EPSILON, "2220446049250313e-31"},
        {1e21, "1e21"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {0x1.52d02c7e14af7p+76, "10000000000000001e7"}, /* the neighbours of the double that 1e23 stands for */
        {0x1.52d02c7e14af5p+76, "9999999999999997e7"},
        {9007199254740993e0, "9007199254740992e0"},
        {0x1p-44, "5684341886080802e-29"}, /* 5684341886080801 is nearer, but reads back as the number below */
        {2e-308, "2e-308"},
        {0.3, "3e-1"},
        {0.1 + 0.2, "30000000000000004e-17"},
        {0x1p-25, "29802322387695312e-24"}, /* ends in 3125: halfway, and 2 is even */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[48];
        write_number(text, sizeof text, shortest_decimal_of_double(cases[i].value));
        assert_string_equal(text, cases[i].text);
    }
}

static void powers_of_two_and_their_neighbours(void **state) {
    (void)state;
    for (int exponent = -1074; exponent < 1024; exponent++) {
        double power = ldexp(1, exponent);
        check_double(power);
        check_double(nextafter(power, INFINITY));
        if (exponent > -1074)
            check_double(nextafter(power, 0));
    }
    for (int exponent = -149; exponent < 128; exponent++) {
        float power = ldexpf(1, exponent);
        check_float(power);
        check_float(nextafterf(power, INFINITY));
        if (exponent > -149)
            check_float(nextafterf(power, 0));
    }
}

static void powers_of_ten_have_one_digit(void **state) {
    (void)state;
    for (int exponent = -323; exponent <= 308; exponent++) {
        char text[16], shortest[48];
        snprintf(text, sizeof text, "1e%d", exponent);
        write_number(shortest, sizeof shortest, shortest_decimal_of_double(strtod(text, NULL)));
        assert_string_equal(shortest, text);
    }
}

static void any_bits_are_short(void **state) {
    (void)state;
    uint64_t random = 3;
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = next_random(&random) >> 1;
        double value;
        if (i % 8 == 0)
            bits &= (UINT64_C(1) << 52) - 1; /* subnormal */
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value) && value > 0)
            check_double(value);
        uint32_t half = (uint32_t)(bits >> 32);
        float small;
        memcpy(&small, &half, sizeof small);
        if (isfinite(small) && small > 0)
            check_float(small);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corner_cases_have_these_digits),
        cmocka_unit_test(powers_of_two_and_their_neighbours),
        cmocka_unit_test(powers_of_ten_have_one_digit),
        cmocka_unit_test(any_bits_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
