#include "tools/figures/panel_grid.h"

#include <math.h>

#include "tools/figures/svg.h"
#include "tools/figures/text_width.h"

enum {
    ABOVE = 26,       /* titles of the upper axes */
    BELOW = 44,       /* labels and title of the lower axis */
    PANEL_TITLE = 24, /* of one of several */
    PANEL_BELOW = 24, /* labels of its lower axis */
    ROW_GAP = 12,
    COLUMN_GAP = 22,
    TITLE_MAX = 256
};

struct panel_grid panel_grid_for(size_t count, double left_room, double right_room) {
    size_t columns = count == 1 ? 1 : count <= 4 ? 2 : 3;
    return (struct panel_grid){
        .count = count,
        .columns = columns,
        .rows = (count + columns - 1) / columns,
        .panel_height = columns == 1   ? 330
                        : columns == 2 ? 190
                                       : 150,
        .left_room = left_room,
        .right_room = right_room,
    };
}

static double row_height(const struct panel_grid *grid) {
    return grid->count == 1 ? grid->panel_height : PANEL_TITLE + grid->panel_height + PANEL_BELOW + ROW_GAP;
}

double panel_grid_height(const struct panel_grid *grid) {
    double last = grid->count == 1 ? 0 : -PANEL_BELOW - ROW_GAP;
    return ABOVE + (double)grid->rows * row_height(grid) + last + BELOW;
}

struct box panel_grid_box(const struct panel_grid *grid, const struct box *area, size_t i) {
    double left = area->left + grid->left_room, right = area->right - grid->right_room;
    double width = (right - left - COLUMN_GAP * (double)(grid->columns - 1)) / (double)grid->columns;
    size_t row = i / grid->columns, column = i % grid->columns;
    double top = area->top + ABOVE + (double)row * row_height(grid) + (grid->count > 1 ? PANEL_TITLE : 0);
    double x = left + (double)column * (width + COLUMN_GAP);
    return (struct box){x, top, x + width, top + grid->panel_height};
}

bool panel_grid_is_first_column(const struct panel_grid *grid, size_t i) {
    return i % grid->columns == 0;
}

bool panel_grid_is_last_column(const struct panel_grid *grid, size_t i) {
    return i % grid->columns == grid->columns - 1 || i == grid->count - 1;
}

void panel_grid_axis_titles(struct buf *out, const struct panel_grid *grid, const struct box *area,
                            const struct axis_titles *titles) {
    double y = area->top + ABOVE - 12;
    svg_text(out, "label muted", area->left, y, 's', titles->left);
    svg_text(out, titles->right_line ? "label ink" : "label muted", area->right, y, 'e', titles->right);
    if (titles->right_line && titles->right[0] != '\0') {
        double x = area->right - text_width(slice_of(titles->right), FONT_LABEL, false) - 34;
        svg_open(out, "line", "line throughput");
        svg_number(out, "x1", x);
        svg_number(out, "y1", y - 4);
        svg_number(out, "x2", x + 26);
        svg_number(out, "y2", y - 4);
        svg_close(out);
        svg_open(out, "circle", "throughput-fill mark-edge");
        svg_number(out, "cx", x + 13);
        svg_number(out, "cy", y - 4);
        svg_number(out, "r", 3.5);
        svg_close(out);
    }
    struct box last = panel_grid_box(grid, area, grid->count - 1);
    struct box first = panel_grid_box(grid, area, 0), edge = panel_grid_box(grid, area, grid->columns - 1);
    double bottom = last.bottom + BELOW - 8;
    svg_text(out, "label muted", round((first.left + edge.right) / 2), bottom, 'm', titles->bottom);
}

void panel_grid_title(struct buf *out, const struct panel_grid *grid, const struct box *panel, const char *title) {
    char text[TITLE_MAX];
    if (grid->count > 1)
        svg_text(out, "strong ink", panel->left, panel->top - 9, 's',
                 text_width_shorten(title, FONT_LABEL, panel->right - panel->left, true, text, sizeof text));
}
