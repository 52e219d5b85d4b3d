/* svg.h: writes one SVG picture into a buf: elements, attributes and text, escaped.
 *
 * An element is opened, given attributes, and closed: empty, with a tooltip, or with text. Classes carry all looks
 * (theme.h); numbers that a mark stands for go into data-* attributes in full precision, so that whoever has the
 * picture has the data. Coordinates are in pixels of the view box, to a hundredth.
 * Text that is no valid UTF-8, or holds characters that XML does not allow, is written with U+FFFD in their place.
 * Errors: memory shortage shows in buf_failed. Thread: as the buf. Source: SVG 1.1, XML 1.0. */
#ifndef INFERD_TOOLS_FIGURES_SVG_H
#define INFERD_TOOLS_FIGURES_SVG_H

#include "base/buf.h"

/* Escaped for an attribute or for text; HTML takes the same. */
void svg_escape(struct buf *out, struct slice text);

/* <svg>, with a name for those who cannot see it. `css`: rules for a picture that stands alone, or NULL. */
void svg_begin(struct buf *out, double width, double height, const char *name, struct slice css);
void svg_end(struct buf *out);

void svg_open(struct buf *out, const char *element, const char *class);
void svg_number(struct buf *out, const char *attribute, double value);
void svg_attribute(struct buf *out, const char *attribute, const char *value);
void svg_data(struct buf *out, const char *name, double value); /* data-NAME */
void svg_data_text(struct buf *out, const char *name, const char *value);
void svg_close(struct buf *out); /* /> */
void svg_close_tooltip(struct buf *out, const char *element, const char *tooltip);
void svg_group_begin(struct buf *out, const char *class); /* leaves the element open for attributes */
void svg_group_body(struct buf *out);
void svg_group_end(struct buf *out);

void svg_line(struct buf *out, const char *class, double x1, double y1, double x2, double y2);
void svg_rect(struct buf *out, const char *class, double x, double y, double width, double height);
/* `anchor`: 's'tart, 'm'iddle or 'e'nd of the text is at x; y is its baseline. */
void svg_text(struct buf *out, const char *class, double x, double y, char anchor, const char *text);

/* Points of a line, appended to a path under construction. */
void svg_path_begin(struct buf *out, const char *class);
void svg_path_point(struct buf *out, double x, double y, bool first);
void svg_path_end(struct buf *out); /* closes the d attribute; more attributes and svg_close follow */

#endif
