/* Numbers as JSON text. A float is printed in the fewest digits that read back as itself.
 *
 * To find them, n digits are computed in a wider type (double for float, long double for double) and read back there.
 * The arithmetic is off by a few units in the last place of the wider type; the candidate is taken only when both ends
 * of an interval that surely holds the true decimal round to the value. What cannot be proved so goes the slow way, by
 * printf. */
#include "codec/json_write.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 20 };

/* ---- integers ---- */

/* Writes the digits so that they end before `end`; returns where they start. */
static char *digits_before(char *end, uint64_t value) {
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return end;
}

size_t json_format_u64(char *to, uint64_t value) {
    char digits[DIGITS_MAX], *start = digits_before(digits + DIGITS_MAX, value);
    size_t size = (size_t)(digits + DIGITS_MAX - start);
    memcpy(to, start, size);
    return size;
}

size_t json_format_i64(char *to, int64_t value) {
    if (value >= 0)
        return json_format_u64(to, (uint64_t)value);
    *to = '-';
    return 1 + json_format_u64(to + 1, 0 - (uint64_t)value);
}

/* ---- layout of decimal digits ---- */

/* From 10^-4 to below 10^16 plainly, else with an exponent. */
enum { PLAIN_POINT_MIN = -3, PLAIN_POINT_MAX = 16 };

static char *put_zeros(char *to, int count) {
    memset(to, '0', (size_t)count);
    return to + count;
}

static char *put_digits(char *to, const char *digits, int count) {
    memcpy(to, digits, (size_t)count);
    return to + count;
}

/* Writes digits * 10^exponent, digits > 0. */
static size_t layout(char *to, uint64_t digits, int exponent) {
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    char text[DIGITS_MAX], *first = digits_before(text + DIGITS_MAX, digits), *start = to;
    int count = (int)(text + DIGITS_MAX - first), point = count + exponent; /* digits before the decimal point */
    if (point < PLAIN_POINT_MIN || point > PLAIN_POINT_MAX) {
        to = put_digits(to, first, 1);
        if (count > 1) {
            *to++ = '.';
            to = put_digits(to, first + 1, count - 1);
        }
        *to++ = 'e';
        to += json_format_i64(to, point - 1);
    } else if (point <= 0) {
        to = put_digits(to, "0.", 2);
        to = put_digits(put_zeros(to, -point), first, count);
    } else if (point >= count) {
        to = put_zeros(put_digits(to, first, count), point - count);
        to = put_digits(to, ".0", 2);
    } else {
        to = put_digits(to, first, point);
        *to++ = '.';
        to = put_digits(to, first + point, count - point);
    }
    return (size_t)(to - start);
}

/* What needs no digits: zero, infinities, NaN. Returns 0 for other values. */
static size_t format_special(char *to, double value) {
    const char *text = value == 0     ? (signbit(value) ? "-0.0" : "0.0")
                       : isnan(value) ? "NaN"
                       : isinf(value) ? (value < 0 ? "-Infinity" : "Infinity")
                                      : "";
    size_t size = strlen(text);
    memcpy(to, text, size);
    return size;
}

/* A whole number, of those below the limit, between which and its neighbours lies at most 1: it needs all its digits.
 * The value is positive. */
static bool is_whole(double value, double limit) {
    return value < limit && value == (double)(uint64_t)value;
}

static size_t format_whole(char *to, double value) {
    size_t size = json_format_u64(to, (uint64_t)value);
    memcpy(to + size, ".0", 2);
    return size + 2;
}

/* "%.*e" text into digits and exponent. */
static void parse_printed(const char *text, uint64_t *ret_digits, int *ret_exponent) {
    uint64_t digits = 0;
    int behind_point = 0;
    bool point = false;
    for (; *text != 'e'; text++) {
        if (*text < '0' || *text > '9') {
            point = true;
            continue;
        }
        digits = digits * 10 + (uint64_t)(*text - '0');
        behind_point += point;
    }
    *ret_digits = digits;
    *ret_exponent = (int)strtol(text + 1, NULL, 10) - behind_point;
}

/* A decimal exponent of the value, at most one too small. */
static int decimal_exponent(double value) {
    int binary;
    frexp(value, &binary);
    return (int)floor((binary - 1) * 0.30102999566398120);
}

/* ---- float ---- */

enum { FLOAT_POWER_MAX = 53 };
static const double float_powers[FLOAT_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
    1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35,
    1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48, 1e49, 1e50, 1e51, 1e52, 1e53,
};

static double scale_double(double value, int power) {
    return power >= 0 ? value * float_powers[power] : value / float_powers[-power];
}

/* Three roundings of at most half a unit each, in scale and in scaling back: 2^-50 is ample. */
static const double float_margin = 0x1p-50;

static bool try_float(float value, int count, int exponent, uint64_t *ret_digits, int *ret_exponent) {
    int power = count - 1 - exponent;
    if (power > FLOAT_POWER_MAX || power < -FLOAT_POWER_MAX)
        return false;
    uint64_t digits = (uint64_t)(scale_double((double)value, power) + 0.5);
    double back = scale_double((double)digits, -power);
    double margin = power <= 0 && back < 0x1p53 ? 0 : float_margin; /* whole numbers below 2^53 are exact */
    if ((float)(back * (1 - margin)) != value || (float)(back * (1 + margin)) != value)
        return false;
    *ret_digits = digits;
    *ret_exponent = -power;
    return true;
}

size_t json_format_float(char *to, float value) {
    size_t size = format_special(to, (double)value);
    if (size)
        return size;
    if (value < 0) {
        *to = '-';
        return 1 + json_format_float(to + 1, -value);
    }
    if (is_whole((double)value, 0x1p24))
        return format_whole(to, (double)value);
    uint64_t digits = 0;
    int exponent = decimal_exponent((double)value), power = 0;
    for (int count = value < FLT_MIN ? 1 : FLT_DIG; count <= FLT_DECIMAL_DIG; count++)
        if (try_float(value, count, exponent, &digits, &power))
            return layout(to, digits, power);
    char text[48];
    for (int count = 1; count <= FLT_DECIMAL_DIG; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    parse_printed(text, &digits, &power);
    return layout(to, digits, power);
}

/* ---- double ---- */

/* All exact in a long double of 64 bits or more. */
enum { DOUBLE_POWER_MAX = 27 };
static const long double double_powers[DOUBLE_POWER_MAX + 1] = {
    1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
    1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L,
};
static const long double double_margin = 0x1p-61L;

static long double scale_long(long double value, int power) {
    return power >= 0 ? value * double_powers[power] : value / double_powers[-power];
}

static bool try_double(double value, int count, int exponent, uint64_t *ret_digits, int *ret_exponent) {
    int power = count - 1 - exponent;
    if (LDBL_MANT_DIG < 64 || power > DOUBLE_POWER_MAX || power < -DOUBLE_POWER_MAX)
        return false;
    uint64_t digits = (uint64_t)(scale_long((long double)value, power) + 0.5L);
    long double back = scale_long((long double)digits, -power);
    long double margin = power <= 0 && back < 0x1p64L ? 0 : double_margin;
    if ((double)(back * (1 - margin)) != value || (double)(back * (1 + margin)) != value)
        return false;
    *ret_digits = digits;
    *ret_exponent = -power;
    return true;
}

size_t json_format_double(char *to, double value) {
    size_t size = format_special(to, value);
    if (size)
        return size;
    if (value < 0) {
        *to = '-';
        return 1 + json_format_double(to + 1, -value);
    }
    if (is_whole(value, 0x1p53))
        return format_whole(to, value);
    uint64_t digits = 0;
    int exponent = decimal_exponent(value), power = 0;
    for (int count = DBL_DIG; count <= DBL_DECIMAL_DIG; count++)
        if (try_double(value, count, exponent, &digits, &power))
            return layout(to, digits, power);
    char text[48];
    for (int count = 1; count <= DBL_DECIMAL_DIG; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, value);
        if (strtod(text, NULL) == value)
            break;
    }
    parse_printed(text, &digits, &power);
    return layout(to, digits, power);
}
