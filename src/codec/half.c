#include "codec/half.h"

#include <math.h>
#include <string.h>

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 0x1F, mantissa = half & 0x3FF;
    if (exponent == 0x1F)
        return float_of(sign | 0x7F800000 | mantissa << 13);
    if (exponent)
        return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    float value = (float)mantissa * 0x1p-24f; /* zero or subnormal: exact in float */
    return sign ? -value : value;
}

/* Shifts right by `shift` (1..31), rounding to nearest, ties to even. */
static uint32_t shift_round(uint32_t value, unsigned shift) {
    uint32_t half = 1u << (shift - 1), rest = value & ((1u << shift) - 1), result = value >> shift;
    return result + (rest > half || (rest == half && (result & 1)));
}

uint16_t half_from_float(float value) {
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) /* NaN: keep the upper payload, make it quiet */
        return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
    if (magnitude >= 0x477FF000) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude >= 0x38800000) /* normal: from 2^-14; a carry out of the mantissa raises the exponent as it should */
        return (uint16_t)(sign | shift_round(magnitude - (112u << 23), 13));
    unsigned exponent = magnitude >> 23;
    if (exponent < 102) /* below half of the smallest subnormal */
        return (uint16_t)sign;
    return (uint16_t)(sign | shift_round((magnitude & 0x7FFFFF) | 0x800000, 126 - exponent));
}

float bfloat16_to_float(uint16_t bits) {
    return float_of((uint32_t)bits << 16);
}

uint16_t bfloat16_from_float(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)shift_round(bits, 16);
}

/* The float that is odd where it is not exact: what is then rounded again to fewer bits is as if rounded once. */
static float float_to_odd(double value) {
    float near = (float)value;
    if (isnan(value) || (double)near == value)
        return near;
    uint32_t bits = bits_of(near);
    if (fabs((double)near) > fabs(value))
        bits--; /* towards zero */
    return float_of(bits | 1);
}

uint16_t half_from_double(double value) {
    return half_from_float(float_to_odd(value));
}

uint16_t bfloat16_from_double(double value) {
    return bfloat16_from_float(float_to_odd(value));
}
