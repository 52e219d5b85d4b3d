/* schedule.h: when requests are to be sent: the one interface between the generator and each way of loading a server.
 *
 * The generator asks `next` again and again. A closed-loop schedule looks at how many requests are in flight; an
 * open-loop one at its plan alone, and its due times are what latencies count from, however late the generator is.
 * Schedules: concurrency (schedule_closed.c); one that grows (schedule_periodic.c); constant and Poisson rate,
 * intervals (schedule_open.c); a list of times (schedule_timed.c). */
#ifndef INFERD_TOOLS_PERF_SCHEDULE_H
#define INFERD_TOOLS_PERF_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum schedule_verdict {
    SCHEDULE_SEND, /* one request now */
    SCHEDULE_WAIT, /* nothing before time_ns or the next answer */
    SCHEDULE_END   /* nothing any more */
};

enum { SCHEDULE_ANY_ENTRY = -1 };

struct schedule_step {
    uint64_t time_ns; /* SEND: when it was due; WAIT: when to ask again, UINT64_MAX for "after an answer" */
    int64_t entry;    /* which entry of the workload; SCHEDULE_ANY_ENTRY: the next in turn */
};

struct schedule;
struct schedule_ops {
    bool open_loop; /* latencies count from time_ns */
    void (*begin)(struct schedule *schedule, uint64_t now_ns);
    enum schedule_verdict (*next)(struct schedule *schedule, uint64_t now_ns, size_t in_flight,
                                  struct schedule_step *ret);
    /* An answer of a request has come, which has had `before` already; `final` ends the request, well or not. May be
     * NULL. */
    void (*answered)(struct schedule *schedule, size_t before, bool final);
};

struct schedule {
    const struct schedule_ops *ops;
};

/* Each is made in the arena; RESOURCE_EXHAUSTED when it is full. */

/* As many requests in flight as `concurrency` says. */
struct status schedule_concurrency(struct arena *arena, size_t concurrency, struct schedule **ret) STATUS_MUST_CHECK;

/* `start` requests, then `step` more (up to `end` in all) whenever each of the latest has had `period` answers. */
struct status schedule_periodic(struct arena *arena, size_t start, size_t end, size_t step, size_t period,
                                struct schedule **ret) STATUS_MUST_CHECK;

/* `rate` requests a second, evenly spaced, or with exponential gaps of that mean from the seed. */
struct status schedule_rate(struct arena *arena, double rate, bool poisson, uint64_t seed,
                            struct schedule **ret) STATUS_MUST_CHECK;

/* Gaps one after the other, over and over. The array is borrowed; a sum of 0 is refused (INVALID_ARGUMENT). */
struct status schedule_intervals(struct arena *arena, const uint64_t *gaps_ns, size_t count,
                                 struct schedule **ret) STATUS_MUST_CHECK;
/* Entry i of the workload at times_ns[i] since the start, then the end. The array is borrowed, and must not fall. */
struct status schedule_timed(struct arena *arena, const uint64_t *times_ns, size_t count,
                             struct schedule **ret) STATUS_MUST_CHECK;
/* Reads a file of gaps: whole microseconds, one a line. Errors name path and line. */
struct status schedule_read_intervals(struct arena *arena, const char *path, const uint64_t **ret_gaps_ns,
                                      size_t *ret_count) STATUS_MUST_CHECK;

#endif
