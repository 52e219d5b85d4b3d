/* figure.h: the kinds of figures, one function and one file each.
 *
 * Each writes one complete SVG into `out`. All figures of several runs put them on the same scales. Those that need
 * what a run does not have (parts, percentiles) leave that run out; figure_kinds[].applies tells whether any is left.
 * Thread: as the buf. */
#ifndef INFERD_TOOLS_FIGURES_FIGURE_H
#define INFERD_TOOLS_FIGURES_FIGURE_H

#include "tools/figures/measured_run.h"
#include "tools/figures/plot_frame.h"
#include "tools/figures/profile.h"

struct figure_input {
    struct arena *arena; /* scratch, and what lives as long as the caller's other data */
    const struct measured_run *const *runs;
    size_t run_count;
    struct figure_text text;
    struct slice css;
};

/* Stacked bars of the latency's parts, with the throughput as a line (the recipe's figure for one setting). */
struct status figure_breakdown(struct buf *out, const struct figure_input *input) STATUS_MUST_CHECK;
/* Throughput against average latency, a line a run (the recipe's summary). */
struct status figure_summary(struct buf *out, const struct figure_input *input) STATUS_MUST_CHECK;
/* Latency percentiles against throughput: where the server begins to saturate. */
struct status figure_rate(struct buf *out, const struct figure_input *input) STATUS_MUST_CHECK;
/* Latency over the percentile, a line a load, the high percentiles spread out. */
struct status figure_percentiles(struct buf *out, const struct figure_input *input) STATUS_MUST_CHECK;
/* The share of requests that were answered within a time, a line a load, from each request of a profile. */
struct status figure_distribution(struct buf *out, const struct figure_input *input,
                                  const struct profile *profile) STATUS_MUST_CHECK;

struct figure_kind {
    const char *name;  /* of the file and of --figure */
    const char *title; /* "Latency by part" */
    bool per_run;      /* also drawn for each run by itself */
    bool (*applies)(const struct measured_run *run);
    struct status (*draw)(struct buf *out, const struct figure_input *input);
};
enum { FIGURE_KINDS = 4 };
#define FIGURE_OF_PROFILES "distribution" /* the kind that is drawn from profiles */
extern const struct figure_kind figure_kinds[FIGURE_KINDS];

#endif
