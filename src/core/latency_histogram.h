/* latency_histogram.h: how many requests took how long, counted in fixed buckets. Buckets of several servers add up, so
 * that a percentile over all of them can be computed, which sums and means do not allow.
 *
 * Thread: none of its own; statistics.c books under its lock. */
#ifndef INFERD_CORE_LATENCY_HISTOGRAM_H
#define INFERD_CORE_LATENCY_HISTOGRAM_H

#include <stdint.h>

enum { LATENCY_BOUND_COUNT = 19 };

/* Upper bounds, inclusive, ascending: 50 us to 60 s in steps of 1, 2, 5, with 30 s and 60 s at the end. */
extern const uint64_t latency_bounds_ns[LATENCY_BOUND_COUNT];

struct latency_histogram {
    uint64_t counts[LATENCY_BOUND_COUNT + 1]; /* of each bucket alone; the last is for what passes all bounds */
    uint64_t sum_ns;
};

void latency_histogram_add(struct latency_histogram *histogram, uint64_t ns);

#endif
