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

/* Moved to their places the exponent's bits say 2^112 too little, of subnormal numbers too. Without branches, so that a
 * loop of them becomes one of vectors. */
static inline float to_float(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7FFF) << 13, sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t special = magnitude >= 0x0F800000 ? 0x7F800000 : 0; /* infinity and NaN: the largest exponent again */
    return float_of(bits_of(float_of(magnitude) * 0x1p112f) | special | sign);
}

float half_to_float(uint16_t half) {
    return to_float(half);
}

void half_to_floats(const void *halves, size_t count, float *ret) {
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const char *)halves + i * sizeof half, sizeof half);
        ret[i] = to_float(half);
    }
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

void bfloat16_to_floats(const void *numbers, size_t count, float *ret) {
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, (const char *)numbers + i * sizeof bits, sizeof bits);
        ret[i] = float_of((uint32_t)bits << 16);
    }
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
