/* perf_progress.h: how a measurement goes, while it goes: on a terminal one live line, elsewhere a line for each
 * window, at most one a second. Times are handed in. Thread: one owner. */
#ifndef INFERD_TOOLS_PERF_PERF_PROGRESS_H
#define INFERD_TOOLS_PERF_PERF_PROGRESS_H

#include <stdio.h>

#include "base/terminal.h"
#include "tools/perf/window.h"

enum { PERF_PROGRESS_LABEL_MAX = 64, PERF_PROGRESS_LINE_MAX = 256 };

struct perf_progress {
    FILE *out; /* borrowed; NULL: nothing is shown */
    enum terminal_kind kind;
    char label[PERF_PROGRESS_LABEL_MAX]; /* "concurrency 4" */
    uint64_t shown_ns;
    bool open; /* the cursor stands behind a live line */
};

/* A window, under way or complete. */
struct perf_progress_view {
    size_t number; /* from 1 */
    const struct window *window;
    uint64_t now_ns; /* or when it ended */
    struct generator_usage usage;
};

void perf_progress_begin(struct perf_progress *progress, FILE *out, enum terminal_kind kind);
/* A load begins. */
void perf_progress_load(struct perf_progress *progress, const char *label);
/* Draws the live line anew, at most four times a second. */
void perf_progress_tick(struct perf_progress *progress, const struct perf_progress_view *view);
/* A window is complete. */
void perf_progress_window(struct perf_progress *progress, const struct perf_progress_view *view);
/* Takes the live line away, so that something else can be written. */
void perf_progress_clear(struct perf_progress *progress);

#endif
