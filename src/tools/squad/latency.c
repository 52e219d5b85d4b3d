/* latency.c: see latency.h. */
#include "tools/squad/latency.h"

#include <stdlib.h>

#include "base/clock.h"

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double to_ms(uint64_t ns) {
    return (double)ns / (double)NS_PER_MS;
}

static double percentile(const uint64_t *sorted, size_t count, size_t percent) {
    size_t rank = (count / 100) * percent + ((count % 100) * percent + 99) / 100; /* ceil, without overflow */
    return to_ms(sorted[rank > 0 ? rank - 1 : 0]);
}

struct latency_summary latency_summarize(uint64_t *samples, size_t count) {
    struct latency_summary summary = {0};
    if (count == 0)
        return summary;
    qsort(samples, count, sizeof *samples, compare);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += to_ms(samples[i]);
    summary.average = sum / (double)count;
    summary.p50 = percentile(samples, count, 50);
    summary.p95 = percentile(samples, count, 95);
    summary.p99 = percentile(samples, count, 99);
    summary.max = to_ms(samples[count - 1]);
    return summary;
}
