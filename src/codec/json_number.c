/* Numbers as JSON text. A float is printed in the fewest digits that read back as itself. */
#include "codec/json_write.h"

#include <math.h>
#include <string.h>

#include "codec/shortest_decimal.h"

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

/* Writes a number above zero. */
static size_t layout(char *to, struct decimal number) {
    uint64_t digits = number.digits;
    int exponent = number.exponent;
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
    return layout(to, shortest_decimal_of_float(value));
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
    return layout(to, shortest_decimal_of_double(value));
}
