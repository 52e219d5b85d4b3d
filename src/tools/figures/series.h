/* series.h: lines with marks and a label of their own, as the plots of latency and throughput have them. */
#ifndef INFERD_TOOLS_FIGURES_SERIES_H
#define INFERD_TOOLS_FIGURES_SERIES_H

#include "tools/figures/label_field.h"

enum { SERIES_LABEL_WIDTH = 260, SERIES_MAX = 24 };

/* One line. `colour`: "s0" or "r3" (theme.h); `mark`: its shape (mark.h). */
struct series {
    const char *label;
    const char *colour;
    int mark;
    bool dashed;
    const struct plot_point *points;
    size_t count;
};

/* The line itself (nothing for a single point). */
void series_draw_line(struct buf *out, const struct series *series);
/* Opens the mark at a point, hollow for one that says little about the server; the caller adds data and closes it with
 * a tooltip for the element returned. */
const char *series_open_mark(struct buf *out, const struct series *series, struct plot_point at, bool hollow);
/* Tells the field where the line runs. */
void series_add_to(const struct series *series, struct label_field *field);
/* Writes the label in the line's colour, where the field has room. */
void series_draw_label(struct buf *out, const struct series *series, struct label_field *field);

/* Labels of lines that end at the same x: in a column to the right of it, apart from each other, as near to their ends
 * as that allows; from those that were moved a thin line leads back. */
void series_draw_label_column(struct buf *out, const struct series *series, size_t count, const struct box *box);

/* The class of the i-th series without order, and whether its colour has been used before. */
const char *series_colour(size_t i, bool *ret_dashed);
/* The shape of its marks (mark.h), another one where colour and dashes come round again. */
int series_mark(size_t i);
/* The class for the i-th of `count` ordered series. */
const char *series_ramp_colour(size_t i, size_t count);

#endif
