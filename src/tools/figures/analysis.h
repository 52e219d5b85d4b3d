/* analysis.h: what the report computes from the runs. Pure functions. Thread: values only. */
#ifndef INFERD_TOOLS_FIGURES_ANALYSIS_H
#define INFERD_TOOLS_FIGURES_ANALYSIS_H

#include "tools/figures/measured_run.h"

/* The point with that many questions outstanding (batch times concurrency), or NULL. Request rates have none. */
const struct measured_point *analysis_point_at(const struct measured_run *run, double outstanding);
/* The point with the highest throughput. */
const struct measured_point *analysis_peak(const struct measured_run *run);
/* The point of least load whose throughput is within `tolerance` (0.03) of the highest: more load only adds latency. */
const struct measured_point *analysis_saturation(const struct measured_run *run, double tolerance);

/* The loads whose time in the server's queue is lower than at the loads before and after them: with dynamic batching
 * these are where requests in flight fill whole batches. Writes indices of points; returns how many, at most `room`. */
size_t analysis_queue_dips(const struct measured_run *run, size_t *ret_indices, size_t room);

/* rank 0: the average; where the run lacks the percentile the average too. */
double analysis_latency_us(const struct measured_run *run, const struct measured_point *point, double rank);

struct choice {
    const struct measured_run *run; /* NULL: no setting keeps the limit */
    const struct measured_point *point;
    double latency_us;
};
/* The highest throughput whose latency keeps the limit. What is less than ANALYSIS_NOISE below it counts as equal, and
 * of equal ones the lowest latency wins. Points that the generator has limited and those with failed requests do not
 * count. single_only: only runs whose clients send one question a request. */
struct choice analysis_recommend(const struct measured_run *runs, size_t count, double limit_us, double rank,
                                 bool single_only);
#define ANALYSIS_NOISE 0.03

#endif
