#include "tools/figures/series.h"

#include <math.h>
#include <stdio.h>

#include "tools/figures/mark.h"
#include "tools/figures/svg.h"
#include "tools/figures/text_width.h"

enum { CLASS_MAX = 64, LABEL_MAX = 128, COLUMN_LINE = 15, COLUMN_GAP = 20, SPREAD_ROUNDS = 200 };

void series_draw_line(struct buf *out, const struct series *series) {
    char class[CLASS_MAX];
    if (series->count < 2)
        return;
    snprintf(class, sizeof class, "line %s%s", series->colour, series->dashed ? " dashed" : "");
    svg_path_begin(out, class);
    for (size_t i = 0; i < series->count; i++)
        svg_path_point(out, series->points[i].x, series->points[i].y, i == 0);
    svg_path_end(out);
    svg_data_text(out, "series", series->label);
    svg_close(out);
}

const char *series_open_mark(struct buf *out, const struct series *series, struct plot_point at, bool hollow) {
    return mark_open(out, series->colour, series->mark, at.x, at.y, hollow);
}

void series_add_to(const struct series *series, struct label_field *field) {
    for (size_t i = 0; i < series->count; i++)
        label_field_add_line(field, series->points[i > 0 ? i - 1 : 0], series->points[i]);
}

void series_draw_label(struct buf *out, const struct series *series, struct label_field *field) {
    char class[CLASS_MAX], text[LABEL_MAX];
    struct plot_point place, anchor;
    if (series->count == 0)
        return;
    text_width_shorten(series->label, FONT_LABEL, SERIES_LABEL_WIDTH, true, text, sizeof text);
    double width = text_width(slice_of(text), FONT_LABEL, true);
    if (!label_field_place(field, series->points, series->count, width, &place, &anchor)) {
        snprintf(class, sizeof class, "leader %s", series->colour);
        svg_line(out, class, anchor.x, anchor.y, place.x > anchor.x ? place.x - 3 : place.x + width / 2, place.y - 4);
    }
    snprintf(class, sizeof class, "strong halo %s-fill", series->colour);
    svg_text(out, class, place.x, place.y, 's', text);
}

/* ---- a column of labels ---- */

/* Moves neighbours that are too near apart, both by the same, until none is; then all into the box. `ys` are ascending.
 */
static void spread(double *ys, size_t count, double top, double bottom) {
    bool moved = true;
    for (int round = 0; moved && round < SPREAD_ROUNDS; round++) {
        moved = false;
        for (size_t i = 1; i < count; i++) {
            double missing = COLUMN_LINE - (ys[i] - ys[i - 1]);
            if (missing < 0.1)
                continue;
            ys[i - 1] -= missing / 2;
            ys[i] += missing / 2;
            moved = true;
        }
    }
    for (size_t i = 0; i < count; i++)
        ys[i] = fmax(ys[i], top + (double)i * COLUMN_LINE);
    for (size_t i = count; i-- > 0;)
        ys[i] = fmin(ys[i], bottom - (double)(count - 1 - i) * COLUMN_LINE);
}

static double end_of(const struct series *series) {
    return series->points[series->count - 1].y;
}

static void draw_column_label(struct buf *out, const struct series *series, double y) {
    char class[CLASS_MAX], text[LABEL_MAX];
    struct plot_point end = series->points[series->count - 1];
    if (fabs(y - end.y) > 4) {
        snprintf(class, sizeof class, "leader %s", series->colour);
        svg_line(out, class, end.x + 6, end.y, end.x + COLUMN_GAP - 3, y);
    }
    snprintf(class, sizeof class, "strong halo %s-fill", series->colour);
    text_width_shorten(series->label, FONT_LABEL, SERIES_LABEL_WIDTH, true, text, sizeof text);
    svg_text(out, class, end.x + COLUMN_GAP, y + 4, 's', text);
}

void series_draw_label_column(struct buf *out, const struct series *series, size_t count, const struct box *box) {
    const struct series *order[SERIES_MAX];
    double ys[SERIES_MAX];
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && end_of(order[at - 1]) > end_of(&series[i]); at--)
            order[at] = order[at - 1];
        order[at] = &series[i];
    }
    for (size_t i = 0; i < count; i++)
        ys[i] = end_of(order[i]);
    spread(ys, count, box->top + COLUMN_LINE / 2, box->bottom - COLUMN_LINE / 2);
    for (size_t i = 0; i < count; i++)
        draw_column_label(out, order[i], ys[i]);
}

/* ---- colours ---- */

const char *series_colour(size_t i, bool *ret_dashed) {
    static const char *const names[THEME_SERIES] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"};
    *ret_dashed = i / THEME_SERIES % 2 == 1;
    return names[i % THEME_SERIES];
}

int series_mark(size_t i) {
    return (int)((i + i / ((size_t)2 * THEME_SERIES)) % MARK_SHAPES);
}

const char *series_ramp_colour(size_t i, size_t count) {
    static const char *const names[THEME_RAMP] = {"r0", "r1", "r2", "r3", "r4", "r5"};
    if (count <= 1)
        return names[THEME_RAMP - 2];
    return names[(i * (THEME_RAMP - 1) + (count - 1) / 2) / (count - 1)];
}
