/* search.h: which loads are measured, and when that is enough: a plain range, halving, or doubling until saturation.
 *
 * A pure decision: the load to measure next, from what the points so far have shown. */
#ifndef INFERD_TOOLS_PERF_SEARCH_H
#define INFERD_TOOLS_PERF_SEARCH_H

#include "tools/perf/point.h"

enum search_kind { SEARCH_LINEAR, SEARCH_BINARY, SEARCH_SATURATION };

enum { SEARCH_POINTS_MAX = 4096 };

struct search {
    enum search_kind kind;
    struct perf_range range;
    bool whole; /* loads are whole numbers */
    bool open;  /* rates: sustained or not; else throughput that grows or not */
    /* State. */
    size_t measured;
    bool is_cut;      /* ended by SEARCH_POINTS_MAX, with loads that are left */
    double good, bad; /* highest load that held, lowest that did not; 0: none yet */
    double best;      /* highest throughput so far */
};

/* The first load. */
double search_begin(struct search *search);
/* The next load after `last` was measured; false at the end. */
bool search_next(struct search *search, const struct point *last, double *ret);

#endif
