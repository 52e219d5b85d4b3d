/* curve_panel.h: latencies as lines over some other value, in panels on common scales: the part that the figures of
 * rates and of percentiles share. */
#ifndef INFERD_TOOLS_FIGURES_CURVE_PANEL_H
#define INFERD_TOOLS_FIGURES_CURVE_PANEL_H

#include "tools/figures/figure.h"
#include "tools/figures/series.h"

/* A point of a curve, and what it stands for. */
struct curve_point {
    double x, latency_us;
    double load, throughput, rank; /* negative: not told */
    unsigned doubts;               /* doubt.h */
};

struct curve {
    const char *label, *short_label; /* beside the line of a lone panel, and of one of several */
    const char *colour;
    int mark; /* mark.h */
    struct curve_point *points;
    size_t count;
    bool marks;
};

struct curve_panel {
    const char *title;
    struct curve curves[SERIES_MAX];
    size_t count;
};

/* How the other axis is made. */
struct curve_axis {
    const char *title;
    struct scale scale; /* page_* are set by the panel */
    struct ticks ticks;
    const char *const *labels; /* of the ticks; NULL: as tick_text says */
    bool lines_end_together;   /* at the same value */
};

/* The whole figure. Where several panels have the same lines, a key names them. The latency axis begins at 0, and is
 * logarithmic where latencies differ too much for that. */
struct status curve_panels_draw(struct buf *out, const struct figure_input *input, const struct curve_panel *panels,
                                size_t count, const struct curve_axis *axis) STATUS_MUST_CHECK;

#endif
