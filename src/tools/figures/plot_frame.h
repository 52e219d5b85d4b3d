/* plot_frame.h: what surrounds every figure: title, settings, key and caption around an area for the plot; and axes.
 *
 * The picture's height grows with the lines that its texts take, so the plot area keeps its size. Lengths in pixels.
 * Thread: as the buf. */
#ifndef INFERD_TOOLS_FIGURES_PLOT_FRAME_H
#define INFERD_TOOLS_FIGURES_PLOT_FRAME_H

#include "base/buf.h"
#include "tools/figures/scale.h"
#include "tools/figures/theme.h"

struct box {
    double left, top, right, bottom;
};

/* The texts of a figure. */
struct figure_text {
    const char *title;
    const char *subtitle; /* the settings; may be "" */
    const char *caption;  /* the machine; may be "" */
};

/* A swatch, or a piece of line with its mark, and its name. */
struct key_entry {
    const char *text;
    const char *class;  /* of the swatch */
    const char *colour; /* of a line (theme.h); NULL for a swatch */
    int mark;
    bool dashed;
};

enum { FRAME_WIDTH = 880, FRAME_MARGIN = 24, FRAME_MAX_KEY = 256 };

/* Writes <svg> and the texts; *ret_area: what is left for axes and plot, `height` high and as wide as the margins let.
 * css: see svg_begin. */
void plot_frame_begin(struct buf *out, const struct figure_text *text, const struct key_entry *key, size_t key_count,
                      double height, struct slice css, struct box *ret_area);
void plot_frame_end(struct buf *out);

/* Text over the plot, in as many lines as it needs; returns the baseline after the last. */
double plot_frame_paragraph(struct buf *out, const char *class, double x, double y, double width, double size,
                            const char *text);
/* The widest label of these ticks, and a gap. */
double plot_frame_tick_room(const struct ticks *ticks);

/* Grid lines across the area and labels left of it (or right of it, without lines). */
void plot_frame_left_axis(struct buf *out, const struct scale *scale, const struct ticks *ticks, const struct box *area,
                          bool labels);
void plot_frame_right_axis(struct buf *out, const struct scale *scale, const struct ticks *ticks,
                           const struct box *area);
/* Labels below the area, at each tick or at equal distances; the last one stays within it, or is left out, when another
 * plot lies `beside`. */
void plot_frame_bottom_axis(struct buf *out, const struct scale *scale, const struct ticks *ticks,
                            const struct box *area, bool beside);

#endif
