/* shortest_decimal.h: the fewest decimal digits that read back as the same float or double; of several, those nearest
 * to it. Source: Raffaello Giulietti, "The Schubfach way to render doubles", 2022. Thread: none of its own. */
#ifndef INFERD_CODEC_SHORTEST_DECIMAL_H
#define INFERD_CODEC_SHORTEST_DECIMAL_H

#include <stdint.h>

/* digits * 10^exponent; the digits may end in zeros. */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* The value is finite and above zero. */
struct decimal shortest_decimal_of_float(float value);
struct decimal shortest_decimal_of_double(double value);

#endif
