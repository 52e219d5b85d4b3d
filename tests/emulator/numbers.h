/* numbers.h: bf16, fp16 and fp8 (E4M3) by their definitions (IEEE 754; OCP 8-bit Floating Point Specification), for
 * what the emulated cuBLASLt reads and writes and for tests. Written apart from what the engine converts with. */
#ifndef INFERD_TESTS_EMULATOR_NUMBERS_H
#define INFERD_TESTS_EMULATOR_NUMBERS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

struct number_format {
    int exponent_bits, fraction_bits;
    double largest; /* what is larger becomes infinite, or in E4M3 the largest */
};

static const struct number_format number_bf16 = {8, 7, 3.38953138925153547590470800371487866880e38};
static const struct number_format number_fp16 = {5, 10, 65504};
static const struct number_format number_e4m3 = {4, 3, 448};

static inline double number_decode(const struct number_format *format, uint32_t bits) {
    const int bias = (1 << (format->exponent_bits - 1)) - 1, top = (1 << format->exponent_bits) - 1;
    const int exponent = (int)(bits >> format->fraction_bits) & top;
    const int fraction = (int)bits & ((1 << format->fraction_bits) - 1);
    const double sign = bits >> (format->exponent_bits + format->fraction_bits) & 1 ? -1 : 1;
    if (format->exponent_bits == 4 ? exponent == top && fraction == 7 : exponent == top && fraction)
        return (double)NAN;
    if (format->exponent_bits != 4 && exponent == top)
        return sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - format->fraction_bits);
    return sign * ldexp(fraction + (1 << format->fraction_bits), exponent - bias - format->fraction_bits);
}

/* To the nearest, of two as near to the even one. */
static inline uint32_t number_encode(const struct number_format *format, double number) {
    const int bias = (1 << (format->exponent_bits - 1)) - 1, shift = format->fraction_bits;
    const uint32_t sign = (uint32_t)(signbit(number) ? 1 : 0) << (format->exponent_bits + shift);
    const uint32_t top = ((1U << format->exponent_bits) - 1) << shift;
    double size = fabs(number);
    int exponent = 0;
    if (isnan(number))
        return sign | top | ((1U << shift) - 1);
    frexp(size, &exponent); /* size = 0.5 .. 1 times 2^exponent */
    exponent = exponent - 1 < 1 - bias || size == 0 ? 1 - bias : exponent - 1;
    size = rint(ldexp(size, shift - exponent)); /* in units of the last place */
    if (ldexp(size, exponent - shift) > format->largest)
        return sign | (format->exponent_bits == 4 ? top | 6 : top);
    if (size < ldexp(1, shift))
        return sign | (uint32_t)size;
    return sign | (((uint32_t)(exponent + bias) << shift) + (uint32_t)size - (1U << shift));
}

#endif
