/* run_watch.h: what goes on beside a load: windows are shown, requests are kept for the files, the server's metrics are
 * asked for, Ctrl-C is heard. It is the generator's observer. Thread: one owner. */
#ifndef INFERD_TOOLS_PERF_RUN_WATCH_H
#define INFERD_TOOLS_PERF_RUN_WATCH_H

#include "tools/perf/interrupt.h"
#include "tools/perf/perf_progress.h"
#include "tools/perf/report_files.h"

enum { RUN_WATCH_CLEANING_S = 2 };

struct run_watch {
    const struct perf_options *options; /* borrowed, as the files */
    struct report_files *files;
    struct metrics_watch *metrics; /* owned; NULL: they are not collected */
    struct perf_progress progress;
    struct interrupt interrupt;
    bool told_interrupt;
    bool cleaning;       /* the run is over: what it has changed at the server is put back */
    uint64_t give_up_ns; /* until when that is waited for after Ctrl-C; 0: none has come */
};

/* Asks for metrics once with --collect-metrics; `model` is borrowed. Behind it Ctrl-C is heard. Errors: as of
 * metrics_watch_open and interrupt_open. */
struct status run_watch_open(struct run_watch *watch, const struct perf_options *options, struct report_files *files,
                             struct slice model) STATUS_MUST_CHECK;
/* Tells what went wrong beside the load. Also after a failure of the above, or on a zeroed one whose interrupt.fd is
 * -1. */
void run_watch_close(struct run_watch *watch);
struct generator_observer run_watch_observer(struct run_watch *watch);
/* A load begins. */
void run_watch_load(struct run_watch *watch, double load);
/* It is over: adds to the point what was seen beside it. */
void run_watch_point(struct run_watch *watch, const struct generator_result *result, struct point *point);
bool run_watch_is_interrupted(const struct run_watch *watch);
/* An infer_patience_f, of a watch: without Ctrl-C, for ever; behind it not at all before and under the load, and for
 * RUN_WATCH_CLEANING_S in all once the run is over. */
bool run_watch_is_patient(void *watch, uint64_t asked_ns);
/* The run is over: what is asked from here on puts the server back as it was. */
void run_watch_clean(struct run_watch *watch);

#endif
