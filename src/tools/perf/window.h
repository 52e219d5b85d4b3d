/* window.h: one measurement window, and what several of them say together.
 *
 * A window is a stretch of time under constant load: the requests that ended in it, what the server counted, and what
 * the generator itself used. A point is the sum of the last windows, with its confidence interval. */
#ifndef INFERD_TOOLS_PERF_WINDOW_H
#define INFERD_TOOLS_PERF_WINDOW_H

#include "tools/perf/sample.h"
#include "tools/perf/server_statistics.h"

enum { WINDOWS_STABLE = 3 }; /* so many have to agree */

/* What the generator's thread has used so far. */
struct generator_usage {
    uint64_t cpu_ns;
    uint64_t starved_ns; /* ready to run, but the CPU was another's; GENERATOR_UNKNOWN_NS where nobody tells */
};
#define GENERATOR_UNKNOWN_NS UINT64_MAX
struct generator_usage generator_usage_now(void);
/* What was used from `before` to `after`. Of what one of them does not know, none was. */
struct generator_usage generator_usage_between(const struct generator_usage *before,
                                               const struct generator_usage *after);

struct window {
    uint64_t start_ns, end_ns; /* monotonic */
    bool sliced;               /* the sample's slices are equal parts of its time */
    struct sample sample;
    struct server_snapshot before, after;
    struct generator_usage usage_before, usage_after;
};

double window_seconds(const struct window *window);
double window_throughput(const struct window *window); /* inferences per second */
/* What stability is judged by: the mean, or a percentile when that is not below 0; ns. */
double window_latency_ns(const struct window *window, double percentile);

/* True when the largest of `count` values is at most `percent` above the smallest, and none is 0. */
bool window_values_agree(const double *values, size_t count, double percent);

/* Half the width of the 95 % confidence interval of a mean, from the means of batches of it (Student's t). NAN when
 * there are fewer than two. Source: Law, Simulation Modeling and Analysis, the method of batch means. */
double window_confidence(const double *batch_means, size_t count);

/* Several windows as one. */
struct window_sum {
    struct sample sample;
    struct server_snapshot server; /* the difference; valid only if every window's is */
    uint64_t start_ns, end_ns;     /* of the first and of the last window */
    double seconds;
    struct generator_usage usage;
    size_t window_count;
    double throughput_confidence; /* inferences per second, +-; NAN: of one window nobody can tell */
    double latency_confidence_ns; /* of the mean; likewise */
};
/* Adds the windows into `ret`, whose memory is the caller's. */
void window_sum_up(const struct window *const *windows, size_t count, struct window_sum *ret);

#endif
