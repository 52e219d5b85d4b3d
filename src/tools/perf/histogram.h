/* histogram.h: counts of durations in buckets whose width grows with the value, after Gil Tene's HdrHistogram.
 *
 * Values below 2048 ns are exact; above, a bucket is at most 1/1024 of its value wide. Memory is the same however many
 * values there are (260 KiB), recording costs a few instructions. Thread: one owner. Source: hdrhistogram.org. */
#ifndef INFERD_TOOLS_PERF_HISTOGRAM_H
#define INFERD_TOOLS_PERF_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_PRECISION_BITS = 11, /* values below 2^11 have a bucket each */
    HISTOGRAM_VALUE_BITS = 43,     /* 2^43 ns are 2.4 hours: longer ones count as that */
    HISTOGRAM_HALF = 1 << (HISTOGRAM_PRECISION_BITS - 1),
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_PRECISION_BITS + 2) * HISTOGRAM_HALF
};

struct histogram {
    uint64_t total;
    uint64_t min_ns, max_ns; /* exact; 0 when nothing was recorded */
    uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t value_ns);
/* Adds all that `from` holds. */
void histogram_add(struct histogram *histogram, const struct histogram *from);
/* The smallest value that at least `percentile` (0..100) percent of the recorded ones do not pass, to 0.1 %; 0 when
 * nothing was recorded. */
uint64_t histogram_percentile(const struct histogram *histogram, double percentile);

/* Walks over the buckets that hold something: *at starts at 0; false at the end. */
struct histogram_bucket {
    uint64_t low_ns, high_ns; /* first and last value that belong to it */
    uint64_t count;
};
bool histogram_next(const struct histogram *histogram, size_t *at, struct histogram_bucket *ret);

#endif
