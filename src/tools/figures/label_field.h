/* label_field.h: finds places for the labels of lines, next to them, where they cover neither each other nor, as far as
 * can be, any line. Lengths in pixels. Thread: one owner. */
#ifndef INFERD_TOOLS_FIGURES_LABEL_FIELD_H
#define INFERD_TOOLS_FIGURES_LABEL_FIELD_H

#include "base/arena.h"
#include "tools/figures/plot_frame.h"

struct plot_point {
    double x, y;
};

enum { LABEL_FIELD_OBSTACLES = 16384, LABEL_FIELD_LABELS = 128 };

struct label_field {
    struct box area; /* labels stay within it */
    struct plot_point *obstacles;
    size_t obstacle_count;
    struct box *taken;
    size_t taken_count;
};

/* Memory from the arena. */
struct status label_field_create(struct arena *arena, const struct box *area,
                                 struct label_field *ret) STATUS_MUST_CHECK;
/* A piece of a line that labels should not cover. */
void label_field_add_line(struct label_field *field, struct plot_point from, struct plot_point to);

/* The best place for a text of that width near one of the anchors (the points of its line in order; the last are
 * preferred): *ret is the left end of its baseline. *ret_anchor: where a leader line is to begin, when the result is
 * false: then the text lies far from its line. */
bool label_field_place(struct label_field *field, const struct plot_point *anchors, size_t count, double width,
                       struct plot_point *ret, struct plot_point *ret_anchor);

#endif
