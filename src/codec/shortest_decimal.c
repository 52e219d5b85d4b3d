#include "codec/shortest_decimal.h"

#include <float.h>
#include <stdbool.h>
#include <string.h>

#include "codec/power_of_ten.h"

__extension__ typedef unsigned __int128 wide;

/* significand * 2^exponent. What reads back as this number reaches halfway to its neighbours, and both ends belong to
 * it when the significand is even (ties go to even); below a power of two the neighbour is half as far away. */
struct binary {
    uint64_t significand;
    int exponent;
    bool near_below;
};

static struct binary split(uint64_t bits, int fraction_bits, int exponent_bias) {
    uint64_t hidden = UINT64_C(1) << fraction_bits, fraction = bits & (hidden - 1);
    int exponent = (int)(bits >> fraction_bits);
    return (struct binary){
        .significand = exponent ? hidden | fraction : fraction, /* without the hidden bit: subnormal */
        .exponent = (exponent ? exponent : 1) - exponent_bias - fraction_bits,
        .near_below = fraction == 0 && exponent > 1,
    };
}

/* floor(x * log10(2)), floor(log10(3/4 * 2^x)) and floor(x * log2(10)), for all x that come up here. */
static int floor_log10_pow2(int x) {
    return (int)((int64_t)x * 1262611 >> 22);
}
static int floor_log10_three_quarters_pow2(int x) {
    return (int)(((int64_t)x * 1262611 - 524031) >> 22);
}
static int floor_log2_pow10(int x) {
    return (int)((int64_t)x * 1741647 >> 19);
}

/* factor * power / 2^128, rounded to odd: a fraction of any size sets the last bit. So the product can be compared with
 * even numbers as if it were exact. The power is above the true one by less than 2^-127 of it, which shows in the
 * second word as 1 at most, while a true fraction is never so small. */
static uint64_t multiply_to_odd(struct power_of_ten power, uint64_t factor) {
    wide low = (wide)power.low * factor, sum = (wide)power.high * factor + (uint64_t)(low >> 64);
    return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
}

/* The number and the ends of its interval in quarters of 10^k. The interval is wider than 10^k and narrower than
 * 10^(k+1): it holds a multiple of the former and at most one of the latter, which is shorter. */
static struct decimal shortest(struct binary x) {
    int k = x.near_below ? floor_log10_three_quarters_pow2(x.exponent) : floor_log10_pow2(x.exponent);
    int shift = x.exponent + floor_log2_pow10(-k) + 1;
    struct power_of_ten power = power_of_ten(-k);
    uint64_t quarters = 4 * x.significand, odd = x.significand & 1;
    uint64_t value = multiply_to_odd(power, quarters << shift);
    uint64_t lowest = multiply_to_odd(power, (quarters - (x.near_below ? 1 : 2)) << shift) + odd;
    uint64_t highest = multiply_to_odd(power, (quarters + 2) << shift) - odd;

    uint64_t below = value / 4, tens = below / 10;
    if (tens > 0) {
        bool lower_fits = lowest <= 40 * tens, upper_fits = 40 * (tens + 1) <= highest;
        if (lower_fits != upper_fits)
            return (struct decimal){tens + upper_fits, k + 1};
    }
    bool lower_fits = lowest <= 4 * below, upper_fits = 4 * (below + 1) <= highest;
    if (lower_fits != upper_fits)
        return (struct decimal){below + upper_fits, k};
    uint64_t half = 4 * below + 2; /* both fit: the nearer one, halfway the even one */
    return (struct decimal){below + (value > half || (value == half && (below & 1))), k};
}

struct decimal shortest_decimal_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return shortest(split(bits, FLT_MANT_DIG - 1, 127));
}

struct decimal shortest_decimal_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return shortest(split(bits, DBL_MANT_DIG - 1, 1023));
}
