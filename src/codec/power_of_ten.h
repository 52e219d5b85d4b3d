/* power_of_ten.h: powers of ten in 128 bits, for numbers that are turned into decimal digits.
 * Thread: none of its own. */
#ifndef INFERD_CODEC_POWER_OF_TEN_H
#define INFERD_CODEC_POWER_OF_TEN_H

#include <stdint.h>

enum { POWER_OF_TEN_MIN = -324, POWER_OF_TEN_MAX = 324 };

/* 10^exponent scaled by a power of two, so that the highest of the 128 bits is set, and rounded up. */
struct power_of_ten {
    uint64_t high, low;
};

/* POWER_OF_TEN_MIN <= exponent <= POWER_OF_TEN_MAX. Exact from 0 to 55. */
struct power_of_ten power_of_ten(int exponent);

#endif
