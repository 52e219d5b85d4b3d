/* progress.h: shows how far a run is: two live bars (sent, received) on a terminal, plain lines at intervals elsewhere.
 *
 * Time is handed in, so that tests choose it. Thread: one owner. Honours NO_COLOR (no-color.org) and TERM=dumb. */
#ifndef INFERD_TOOLS_SQUAD_PROGRESS_H
#define INFERD_TOOLS_SQUAD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum progress_style { PROGRESS_LINES, PROGRESS_BARS, PROGRESS_COLOR_BARS };

struct progress {
    FILE *out; /* borrowed */
    enum progress_style style;
    const char *unit; /* "windows" */
    int width;        /* columns of a bar line */
    uint64_t total;
    uint64_t start_ns;
    uint64_t shown_ns;   /* when it was last drawn */
    bool any;            /* it has been drawn */
    uint64_t shown_sent; /* what was drawn */
    uint64_t shown_received;
};

/* What suits the stream: bars when it is a terminal that can move its cursor. */
enum progress_style progress_style_of(FILE *out);
/* Draws the first state at once. `unit` is borrowed. */
void progress_begin(struct progress *progress, FILE *out, enum progress_style style, const char *unit, uint64_t total,
                    uint64_t now_ns);
/* Draws when it is time to: bars at most 10 times a second, lines every 2 seconds and, as time passes, up to 30. */
void progress_update(struct progress *progress, uint64_t sent, uint64_t received, uint64_t now_ns);
/* Draws the last state and leaves the cursor below it. */
void progress_end(struct progress *progress, uint64_t sent, uint64_t received, uint64_t now_ns);

#endif
