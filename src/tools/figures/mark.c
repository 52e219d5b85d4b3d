#include "tools/figures/mark.h"

#include <stdio.h>

#include "tools/figures/svg.h"

enum { CLASS_MAX = 64, RADIUS = 4 };

/* A closed shape around a point, by its corners in units of the radius. */
static const char *open_polygon(struct buf *out, const char *class, double x, double y, const double (*corners)[2],
                                size_t count) {
    svg_path_begin(out, class);
    for (size_t i = 0; i < count; i++)
        svg_path_point(out, x + corners[i][0] * RADIUS, y + corners[i][1] * RADIUS, i == 0);
    buf_append_char(out, 'Z');
    svg_path_end(out);
    return "path";
}

const char *mark_open(struct buf *out, const char *colour, int shape, double x, double y, bool hollow) {
    static const double square[][2] = {{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}};
    static const double triangle[][2] = {{0, -1.25}, {1.15, 0.8}, {-1.15, 0.8}};
    static const double diamond[][2] = {{0, -1.35}, {1.35, 0}, {0, 1.35}, {-1.35, 0}};
    char class[CLASS_MAX];
    snprintf(class, sizeof class, hollow ? "%s hollow" : "%s-fill mark-edge", colour);
    switch (shape % MARK_SHAPES) {
    case 1:
        return open_polygon(out, class, x, y, square, 4);
    case 2:
        return open_polygon(out, class, x, y, triangle, 3);
    case 3:
        return open_polygon(out, class, x, y, diamond, 4);
    default:
        svg_open(out, "circle", class);
        svg_number(out, "cx", x);
        svg_number(out, "cy", y);
        svg_number(out, "r", RADIUS);
        return "circle";
    }
}
