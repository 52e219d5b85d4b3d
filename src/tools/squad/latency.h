/* latency.h: average and percentiles over every sample of a run (exact: the samples are kept and sorted). */
#ifndef INFERD_TOOLS_SQUAD_LATENCY_H
#define INFERD_TOOLS_SQUAD_LATENCY_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds; all 0 without samples. */
struct latency_summary {
    double average, p50, p95, p99, max;
};

/* Sorts the samples (nanoseconds) in place. A percentile is the smallest sample that is not below so many percent of
 * all (nearest rank). */
struct latency_summary latency_summarize(uint64_t *samples, size_t count);

#endif
