/* theme.h: how all figures and the report look: colours and type, as CSS, for light and dark.
 *
 * Colours are told apart with the common forms of colour blindness (after Okabe and Ito; tests/figures simulates them).
 * Plain CSS without variables, since librsvg knows none. Thread: constants only. */
#ifndef INFERD_TOOLS_FIGURES_THEME_H
#define INFERD_TOOLS_FIGURES_THEME_H

#include "base/buf.h"
#include "tools/figures/measured_run.h"

enum theme { THEME_AUTO, THEME_LIGHT, THEME_DARK }; /* AUTO: as the reader's system prefers */

/* Colours of series that have no order, and of those that have one (loads from low to high). The classes are sN and rN
 * for what is drawn by a stroke, sN-fill and rN-fill for what is filled. */
enum { THEME_SERIES = 8, THEME_RAMP = 6 };

/* Font sizes of the classes title, subtitle, label (and tick, key), caption: for layouts. */
enum { FONT_TITLE = 17, FONT_SUBTITLE = 13, FONT_LABEL = 12, FONT_CAPTION = 11 };

/* Rules for pictures. */
void theme_write_css(struct buf *out, enum theme theme);
/* Rules for the report around them. */
void theme_write_page_css(struct buf *out, enum theme theme);
/* Class of a bar's segment. */
const char *theme_part_class(enum latency_part part);

#endif
