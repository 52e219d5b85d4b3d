#include "codec/fixed_point.h"

#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec/json_write.h"

enum { DECIMALS = 6, MILLION = 1000000 };
enum { FRACTION_BITS = DBL_MANT_DIG - 1, EXPONENT_MASK = 0x7ff, EXPONENT_BIAS = 1023 + FRACTION_BITS };

/* Millionths in value = significand / 2^shift, to nearest and, halfway, to even. 0 < shift. */
static uint64_t to_millionths(uint64_t significand, int shift) {
    __extension__ typedef unsigned __int128 wide;
    if (shift > 74)
        return 0; /* the product below has 73 bits: it is less than half of 2^shift */
    wide product = (wide)significand * MILLION, half = (wide)1 << (shift - 1), rest = product & (2 * half - 1);
    wide whole = product >> shift;
    return (uint64_t)(whole + (rest > half || (rest == half && (whole & 1))));
}

int fixed_point_format(char *text, size_t size, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> FRACTION_BITS) & EXPONENT_MASK;
    /* Without a fraction, too large for millionths in 64 bits, infinite or not a number: they are rare. */
    if (exponent >= EXPONENT_BIAS - 10)
        return snprintf(text, size, "%f", value);
    uint64_t hidden = exponent ? UINT64_C(1) << FRACTION_BITS : 0;
    uint64_t millionths = to_millionths((bits & ((UINT64_C(1) << FRACTION_BITS) - 1)) | hidden,
                                        EXPONENT_BIAS - (exponent ? exponent : 1));
    char *to = text;
    if (bits >> 63)
        *to++ = '-';
    to += json_format_u64(to, millionths / MILLION);
    *to++ = '.';
    uint64_t decimals = millionths % MILLION;
    for (int i = DECIMALS; i-- > 0; decimals /= 10)
        to[i] = (char)('0' + decimals % 10);
    to[DECIMALS] = '\0';
    return (int)(to + DECIMALS - text);
}
