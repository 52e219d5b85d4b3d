/* report_page.h: one HTML page that tells what was measured: the recipe's sections, a recommendation, all tables and
 * the environment. It has its pictures in it, needs no other file and runs no script. */
#ifndef INFERD_TOOLS_FIGURES_REPORT_PAGE_H
#define INFERD_TOOLS_FIGURES_REPORT_PAGE_H

#include "tools/figures/figure.h"
#include "tools/figures/theme.h"

struct report {
    const char *title, *caption;
    enum theme theme;
    const struct measured_run *runs;
    size_t run_count;
    const struct csv_table *environment; /* columns name, value; may be without rows */
    double latency_limit_us;             /* 0: no recommendation */
    double limit_rank;                   /* the percentile that the limit bounds; 0: the average */
};

struct status report_page_write(struct buf *out, struct arena *arena, const struct report *report) STATUS_MUST_CHECK;

/* "p99" -> 99, "average" -> 0. */
double report_rank_of(const char *name);

#endif
