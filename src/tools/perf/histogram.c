#include "tools/perf/histogram.h"

#include <string.h>

#define VALUE_MAX (((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1)

/* Rows of HISTOGRAM_HALF buckets: row 0 and 1 hold single values, each further one twice the width of the one before.
 */
static size_t index_of(uint64_t value) {
    if (value < 2 * HISTOGRAM_HALF)
        return (size_t)value;
    if (value > VALUE_MAX)
        value = VALUE_MAX;
    unsigned shift = 64 - (unsigned)__builtin_clzll(value) - HISTOGRAM_PRECISION_BITS;
    return (size_t)shift * HISTOGRAM_HALF + (size_t)(value >> shift);
}

static uint64_t low_of(size_t index) {
    if (index < 2 * HISTOGRAM_HALF)
        return index;
    size_t shift = index / HISTOGRAM_HALF - 1;
    return (uint64_t)(index - shift * HISTOGRAM_HALF) << shift;
}

static uint64_t high_of(size_t index) {
    size_t shift = index < 2 * HISTOGRAM_HALF ? 0 : index / HISTOGRAM_HALF - 1;
    return low_of(index) + ((uint64_t)1 << shift) - 1;
}

void histogram_clear(struct histogram *histogram) {
    memset(histogram, 0, sizeof *histogram);
}

void histogram_record(struct histogram *histogram, uint64_t value_ns) {
    histogram->counts[index_of(value_ns)]++;
    if (histogram->total == 0 || value_ns < histogram->min_ns)
        histogram->min_ns = value_ns;
    if (value_ns > histogram->max_ns)
        histogram->max_ns = value_ns;
    histogram->total++;
}

void histogram_add(struct histogram *histogram, const struct histogram *from) {
    if (from->total == 0)
        return;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] += from->counts[i];
    if (histogram->total == 0 || from->min_ns < histogram->min_ns)
        histogram->min_ns = from->min_ns;
    if (from->max_ns > histogram->max_ns)
        histogram->max_ns = from->max_ns;
    histogram->total += from->total;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percentile) {
    if (histogram->total == 0)
        return 0;
    double exact = percentile / 100 * (double)histogram->total;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0)
        rank++;
    if (rank >= histogram->total)
        return histogram->max_ns;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            uint64_t middle = low_of(i) + (high_of(i) - low_of(i)) / 2;
            return middle < histogram->min_ns   ? histogram->min_ns
                   : middle > histogram->max_ns ? histogram->max_ns
                                                : middle;
        }
    }
    return histogram->max_ns;
}

bool histogram_next(const struct histogram *histogram, size_t *at, struct histogram_bucket *ret) {
    while (*at < HISTOGRAM_BUCKETS && histogram->counts[*at] == 0)
        ++*at;
    if (*at == HISTOGRAM_BUCKETS)
        return false;
    *ret = (struct histogram_bucket){low_of(*at), high_of(*at), histogram->counts[*at]};
    ++*at;
    return true;
}
