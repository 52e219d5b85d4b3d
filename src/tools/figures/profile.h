/* profile.h: every request of a measurement, from the JSON that perf_analyzer (--profile-export-file) and `inferd perf`
 * write: {"experiments":[{"experiment":{"mode","value"},"requests":[{"timestamp","response_timestamps":[]}]}]}, times
 * in nanoseconds. A request's latency ends with its last response.
 * Bounds: PROFILE_MAX_*. Thread: immutable once read. */
#ifndef INFERD_TOOLS_FIGURES_PROFILE_H
#define INFERD_TOOLS_FIGURES_PROFILE_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

enum { PROFILE_MAX_BYTES = 256 << 20, PROFILE_MAX_EXPERIMENTS = 1024 };
#define PROFILE_MAX_LOAD 1e15

struct profile_experiment {
    double load;
    bool is_rate;
    unsigned doubts;      /* doubt.h */
    double *latencies_us; /* ascending */
    size_t count;         /* of answered requests; may be 0 */
};

struct profile {
    const char *file;
    struct profile_experiment *experiments; /* by load */
    size_t experiment_count;
};

/* Errors: INVALID_ARGUMENT naming the file and what is wrong in it. */
struct status profile_load(struct arena *arena, const char *path, struct profile *ret) STATUS_MUST_CHECK;
/* The same from text; `file` is kept as the profile's name. */
struct status profile_parse(struct arena *arena, struct slice json, const char *file,
                            struct profile *ret) STATUS_MUST_CHECK;

/* The smallest measured latency that at least `rank` percent of the requests did not pass (nearest rank). The
 * experiment must not be empty. */
double profile_percentile_us(const struct profile_experiment *experiment, double rank);

#endif
