#include "core/latency_histogram.h"

#include <stddef.h>

#include "base/clock.h"

const uint64_t latency_bounds_ns[LATENCY_BOUND_COUNT] = {
    50 * NS_PER_US,  100 * NS_PER_US, 200 * NS_PER_US, 500 * NS_PER_US, /* fractions of a millisecond */
    1 * NS_PER_MS,   2 * NS_PER_MS,   5 * NS_PER_MS,   10 * NS_PER_MS,  20 * NS_PER_MS, 50 * NS_PER_MS,
    100 * NS_PER_MS, 200 * NS_PER_MS, 500 * NS_PER_MS, /* fractions of a second */
    1 * NS_PER_S,    2 * NS_PER_S,    5 * NS_PER_S,    10 * NS_PER_S,   30 * NS_PER_S,  60 * NS_PER_S,
};

/* The bucket is the number of bounds below the value: a binary search of five steps, one multiple of two each. */
void latency_histogram_add(struct latency_histogram *histogram, uint64_t ns) {
    size_t bucket = 0;
    for (size_t step = 16; step > 0; step /= 2)
        if (bucket + step <= LATENCY_BOUND_COUNT && latency_bounds_ns[bucket + step - 1] < ns)
            bucket += step;
    histogram->counts[bucket]++;
    histogram->sum_ns += ns;
}
