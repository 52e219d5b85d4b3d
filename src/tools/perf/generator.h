/* generator.h: sends a workload by a schedule, and measures in windows until the results are stable.
 *
 * One thread, one loop: ask the schedule, send what is due, poll the driver until the next due time or the end of the
 * window. Snapshots of the server's statistics are asked for at each end of a window and arrive while the load goes on.
 */
#ifndef INFERD_TOOLS_PERF_GENERATOR_H
#define INFERD_TOOLS_PERF_GENERATOR_H

#include "base/options.h"
#include "tools/perf/driver.h"
#include "tools/perf/schedule.h"
#include "tools/perf/sequences.h"
#include "tools/perf/window.h"
#include "tools/perf/workload.h"

enum { GENERATOR_IN_FLIGHT_MAX = 1 << 17, GENERATOR_PARAMETERS_MAX = OPTION_LIST_MAX + 1 };

/* When a window ends, and when there have been enough. */
struct measurement_plan {
    uint64_t window_ns;       /* time windows; 0: count windows */
    uint64_t window_requests; /* of a count window */
    uint64_t request_count;   /* send exactly so many, as one window; 0: until stable */
    uint64_t warmup_requests; /* answers that come before the first window */
    size_t max_trials;        /* windows */
    double stability_percent;
    double percentile;   /* that has to be stable; below 0: the mean */
    uint64_t limit_ns;   /* latency threshold: three windows over it are enough; 0: none */
    uint64_t goal_ns;    /* latency of a good answer; 0: none */
    uint64_t timeout_ns; /* an answer that takes longer is none; 0: any is */
    uint64_t drain_ns;   /* how long to wait for what is in flight at the end */
};

/* One request, as the profile export wants it. Times are monotonic. */
struct generator_record {
    size_t entry;
    uint64_t due_ns;
    uint64_t sequence_id; /* 0: none */
    const uint64_t *response_ns;
    size_t response_count;
    const struct infer_tensor *outputs; /* of the last answer */
    size_t output_count;
};

/* Now and then, for a live display. */
struct generator_tick {
    uint64_t now_ns;
    size_t number;               /* of the window under way, from 1 */
    const struct window *window; /* without an end yet; NULL: none has begun */
};
enum generator_order {
    GENERATOR_GO_ON,
    GENERATOR_STOP, /* measure no more, and wait for what is in flight */
    GENERATOR_QUIT  /* do not even wait */
};

/* Who is told what happens; any may be NULL. */
struct generator_observer {
    void *user;
    void (*on_window)(void *user, size_t number, const struct window *window);      /* from 1 */
    void (*on_record)(void *user, const struct generator_record *record);           /* good requests */
    enum generator_order (*on_tick)(void *user, const struct generator_tick *tick); /* about ten times a second */
};

struct generator_setup {
    struct driver *driver;
    struct workload *workload;
    struct slice model, version;
    bool has_statistics;
    struct server_models models;
    const struct infer_client_parameter *parameters; /* of every request */
    size_t parameter_count;                          /* at most GENERATOR_PARAMETERS_MAX */
    const struct slice
        *outputs; /* those that are asked for, with their place in shared memory; none: all, in answers */
    const struct infer_region *output_regions;
    size_t output_count;
    bool batched;                /* the first dimension of every input is the batch */
    struct sequences *sequences; /* NULL: requests belong to none */
    struct measurement_plan plan;
    struct generator_observer observer;
};

/* What was in flight when the measurement was over, and so is in no window. */
struct generator_tail {
    uint64_t answered;   /* well, within the plan's drain_ns */
    uint64_t slowest_ns; /* the longest that one of those came behind when its request was due */
    uint64_t unanswered; /* the rest: failed, or given up then */
};

struct generator_result {
    bool stable;
    bool stopped;  /* by GENERATOR_STOP: the last window is cut short */
    size_t trials; /* windows measured */
    struct generator_tail tail;
    struct window_sum sum; /* of the last windows; of all when there was no stability to reach */
};

/* Runs one point; ret (large: not for the stack) is the caller's memory. Errors: the driver cannot take requests; no
 * request at all succeeded (with the first failure); CANCELLED when it was stopped before that; RESOURCE_EXHAUSTED. */
struct status generator_measure(const struct generator_setup *setup, struct schedule *schedule,
                                struct generator_result *ret) STATUS_MUST_CHECK;

#endif
