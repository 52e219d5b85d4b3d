/* measurement.h: the windows of one point: which is under way, what the server counted over each, and whether there
 * have been enough. The generator tells it of answers and of time; it asks the driver for statistics, and judges. */
#ifndef INFERD_TOOLS_PERF_MEASUREMENT_H
#define INFERD_TOOLS_PERF_MEASUREMENT_H

#include "tools/perf/generator.h"

enum {
    MEASUREMENT_RING = 8,    /* windows kept: those to be judged, the one under way, some whose statistics are late */
    MEASUREMENT_LATE_MAX = 4 /* windows that may wait for their statistics */
};

struct measurement;

/* A question for statistics: its answer is the end of one window and the start of the next. */
struct measurement_boundary {
    struct measurement *measurement;
    bool pending;
    struct server_snapshot snapshot;
};

struct measurement {
    const struct generator_setup *setup;
    struct window *windows[MEASUREMENT_RING]; /* owned */
    struct measurement_boundary boundaries[MEASUREMENT_RING + 1];
    bool begun;     /* the first window has */
    size_t current; /* index of the window under way */
    size_t judged;  /* windows before this one have been looked at */
    bool done;      /* nothing more is measured */
    bool stable;    /* why: the last windows agree */
    bool stopped;   /* or: it was told to */
    bool succeeded; /* some request has */
    size_t pending_snapshots;
    struct generator_tail tail;
};

struct status measurement_open(struct measurement *measurement, const struct generator_setup *setup) STATUS_MUST_CHECK;
void measurement_close(struct measurement *measurement);

/* The first window begins. */
void measurement_begin(struct measurement *measurement, uint64_t now_ns);
/* Ends the windows whose time is over. */
void measurement_pass_time(struct measurement *measurement, uint64_t now_ns);
/* When the window under way ends by time; UINT64_MAX when it does not. */
uint64_t measurement_window_end(const struct measurement *measurement);
/* An answer; it may end a window. The slice is filled in here. */
void measurement_record(struct measurement *measurement, struct sample_request *request);
/* A good answer that came when nothing more was measured, so long behind when its request was due. */
void measurement_note_late(struct measurement *measurement, uint64_t latency_ns);
/* Looks at the windows that are complete; sets done. */
void measurement_judge(struct measurement *measurement);
/* The window under way, and its number from 1; NULL before the first and behind the last. */
const struct window *measurement_window(const struct measurement *measurement, size_t *ret_number);
/* Ends the window under way, if it has any answers, and the measurement. */
void measurement_stop(struct measurement *measurement, uint64_t now_ns);
/* The result of the last windows. Errors: no request succeeded, with the first failure of the commonest class;
 * CANCELLED when it was stopped before any was answered. */
struct status measurement_sum_up(struct measurement *measurement, struct generator_result *ret) STATUS_MUST_CHECK;

/* The status of an answer. One that is good, but was seen only after its time was over, as when this thread had waited
 * for a CPU, has failed like one that never came: DEADLINE_EXCEEDED. */
struct status measurement_timely(const struct measurement_plan *plan, const struct infer_result *result);

#endif
