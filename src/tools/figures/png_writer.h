/* png_writer.h: turns an SVG into a PNG of twice its size, by running rsvg-convert (Debian: librsvg2-bin), without a
 * shell. */
#ifndef INFERD_TOOLS_FIGURES_PNG_WRITER_H
#define INFERD_TOOLS_FIGURES_PNG_WRITER_H

#include "base/arena.h"
#include "base/status.h"

/* Writes SVG_PATH with the ending .png. Errors: NOT_FOUND when rsvg-convert is not in PATH, INTERNAL when it fails. */
struct status png_writer_convert(struct arena *arena, const char *svg_path) STATUS_MUST_CHECK;

#endif
