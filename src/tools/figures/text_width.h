/* text_width.h: how wide text will be, so that a layout can be made without a font. The measures are those of DejaVu
 * Sans, the widest of the usual sans-serif fonts: what fits by them fits everywhere. */
#ifndef INFERD_TOOLS_FIGURES_TEXT_WIDTH_H
#define INFERD_TOOLS_FIGURES_TEXT_WIDTH_H

#include "base/slice.h"

/* In the unit of `size` (the font size). Characters outside ASCII count as one em if wide, else as a digit. */
double text_width(struct slice text, double size, bool bold);
/* How many bytes of the text fit into `width`, cut after a blank where possible (the blank is not counted; the whole
 * text when it fits). At least one character. *ret_next: where the rest begins. For breaking lines. */
size_t text_width_break(struct slice text, double size, double width, size_t *ret_next);
/* The text, or its beginning with "..." (one character) in the place of what does not fit. Returns `room`. */
const char *text_width_shorten(const char *text, double size, double width, bool bold, char *room, size_t room_size);

#endif
