/* panel_grid.h: one plot or small multiples: panels of equal size in rows, on shared scales, each with a title when
 * there are several. Thread: values only. */
#ifndef INFERD_TOOLS_FIGURES_PANEL_GRID_H
#define INFERD_TOOLS_FIGURES_PANEL_GRID_H

#include "tools/figures/plot_frame.h"

struct panel_grid {
    size_t count, columns, rows;
    double panel_height;          /* of a plot */
    double left_room, right_room; /* for the labels of axes, once per row */
};

struct panel_grid panel_grid_for(size_t count, double left_room, double right_room);
/* What plot_frame_begin is to leave. */
double panel_grid_height(const struct panel_grid *grid);
/* The box of the i-th plot within the area of the frame. */
struct box panel_grid_box(const struct panel_grid *grid, const struct box *area, size_t i);
bool panel_grid_is_first_column(const struct panel_grid *grid, size_t i);
bool panel_grid_is_last_column(const struct panel_grid *grid, size_t i); /* or the last panel */
/* Titles of the axes of the whole: above the first row on the left and on the right (where there is no right axis, how
 * to read the plot), and below the last row. "" for none. The right one comes with a sample of its line, when
 * `right_line` is set. */
struct axis_titles {
    const char *left, *right, *bottom;
    bool right_line;
};
void panel_grid_axis_titles(struct buf *out, const struct panel_grid *grid, const struct box *area,
                            const struct axis_titles *titles);
/* The panel's title, cut to its width; nothing when it is the only panel. */
void panel_grid_title(struct buf *out, const struct panel_grid *grid, const struct box *panel, const char *title);

#endif
