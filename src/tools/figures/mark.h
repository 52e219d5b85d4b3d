/* mark.h: the shapes that stand for measured points, so that lines differ by more than their colours. */
#ifndef INFERD_TOOLS_FIGURES_MARK_H
#define INFERD_TOOLS_FIGURES_MARK_H

#include <stdbool.h>

#include "base/buf.h"

enum { MARK_SHAPES = 4 }; /* circle, square, triangle, diamond */

/* Opens the shape's element around a point, filled by the class COLOUR-fill (theme.h: "s0", "r3"), or with nothing but
 * an edge of the colour; the caller adds data and closes it. Returns the element's name. */
const char *mark_open(struct buf *out, const char *colour, int shape, double x, double y, bool hollow);

#endif
