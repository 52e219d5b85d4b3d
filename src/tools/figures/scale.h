/* scale.h: from values to places on a page, and which values an axis marks.
 *
 * Linear axes mark multiples of a round number (1, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten), logarithmic ones the
 * powers of ten and, where there are few, 2 and 5 between them. Thread: values only. */
#ifndef INFERD_TOOLS_FIGURES_SCALE_H
#define INFERD_TOOLS_FIGURES_SCALE_H

#include <stdbool.h>
#include <stddef.h>

struct scale {
    double from, to;           /* values; of a logarithmic scale both are above 0 */
    double page_from, page_to; /* where they lie */
    bool logarithmic;
};

/* On a logarithmic scale what is below its beginning lies there. */
double scale_at(const struct scale *scale, double value);

enum { TICKS_MAX = 32, TICK_TEXT_MAX = 32 };
struct ticks {
    double values[TICKS_MAX];
    size_t count;
    double step; /* of a linear scale; 0: of a logarithmic one */
};

/* A scale from 0 to a round number at or above `max`, with about `wanted` steps; max 0 or less gives 0 to 1. */
struct scale scale_from_zero(double max, int wanted, struct ticks *ret_ticks);
/* Two of them with equally many steps, so that both axes of a plot share the grid lines. */
void scale_pair_from_zero(double max_a, double max_b, int wanted, struct scale *ret_a, struct ticks *ret_ticks_a,
                          struct scale *ret_b, struct ticks *ret_ticks_b);
/* A logarithmic scale that holds both (0 < min <= max), ending at ticks; of more than six decades the upper six. */
struct scale scale_logarithmic(double min, double max, struct ticks *ret_ticks);

/* The i-th tick as a label: as many decimals as tell the ticks apart; large ones as "12k", "1.5M", all of a linear axis
 * alike. Returns `text`. */
const char *tick_text(const struct ticks *ticks, size_t i, char text[static TICK_TEXT_MAX]);
/* A number for people with about three digits: 0.123, 4.56, 78.9, 1234. */
const char *number_text(double value, char text[static TICK_TEXT_MAX]);

/* A load: 1, 20, 12.5, without needless zeros. */
const char *load_text(double value, char text[static TICK_TEXT_MAX]);

/* The unit in which times up to max_us read best. */
struct time_unit {
    const char *name; /* "µs", "ms" or "s" */
    double us;        /* microseconds in it */
};
struct time_unit time_unit_for(double max_us);

#endif
