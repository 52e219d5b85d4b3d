#include "tools/figures/plot_frame.h"

#include <math.h>
#include <stdio.h>

#include "tools/figures/mark.h"
#include "tools/figures/svg.h"
#include "tools/figures/text_width.h"

enum {
    LINE_TITLE = 23,
    LINE_SUBTITLE = 18,
    LINE_KEY = 20,
    LINE_CAPTION = 16,
    SWATCH = 11,
    SAMPLE = 26, /* of a line */
    SWATCH_GAP = 6,
    KEY_GAP = 18,
    KEY_TEXT_WIDTH = 380,
    CLASS_MAX = 64,
    TEXT_MAX = 400,
    TICK_GAP = 8,
};

/* ---- text in lines ---- */

static size_t count_lines(const char *text, double size, double width) {
    struct slice rest = slice_of(text);
    size_t lines = 0;
    while (rest.size > 0) {
        size_t next;
        text_width_break(rest, size, width, &next);
        rest = (struct slice){rest.data + next, rest.size - next};
        lines++;
    }
    return lines;
}

static double line_height(double size) {
    return size >= FONT_TITLE ? LINE_TITLE : size >= FONT_SUBTITLE ? LINE_SUBTITLE : LINE_CAPTION;
}

double plot_frame_paragraph(struct buf *out, const char *class, double x, double y, double width, double size,
                            const char *text) {
    struct slice rest = slice_of(text);
    while (rest.size > 0) {
        size_t next, length = text_width_break(rest, size, width, &next);
        char line[TEXT_MAX];
        snprintf(line, sizeof line, "%.*s", (int)(length < TEXT_MAX ? length : TEXT_MAX - 1), rest.data);
        svg_text(out, class, x, y, 's', line);
        y += line_height(size);
        rest = (struct slice){rest.data + next, rest.size - next};
    }
    return y;
}

/* ---- the key ---- */

/* The swatch or piece of line at x; y is the middle. */
static void draw_sample(struct buf *out, const struct key_entry *entry, double x, double y) {
    char class[CLASS_MAX];
    if (entry->colour == NULL) {
        svg_rect(out, entry->class, x, y - SWATCH / 2.0, SWATCH, SWATCH);
        return;
    }
    snprintf(class, sizeof class, "line %s%s", entry->colour, entry->dashed ? " dashed" : "");
    svg_line(out, class, x, y, x + SAMPLE, y);
    mark_open(out, entry->colour, entry->mark, x + SAMPLE / 2.0, y, false);
    svg_close(out);
}

/* Lays out the entries in rows; draws them when `out` is not NULL. Returns the number of rows. */
static size_t lay_out_key(struct buf *out, const struct key_entry *key, size_t count, double top) {
    double x = FRAME_MARGIN;
    size_t row = 0;
    for (size_t i = 0; i < count; i++) {
        char text[TEXT_MAX];
        double sample = (key[i].colour != NULL ? SAMPLE : SWATCH) + SWATCH_GAP;
        text_width_shorten(key[i].text, FONT_LABEL, KEY_TEXT_WIDTH, false, text, sizeof text);
        double width = sample + text_width(slice_of(text), FONT_LABEL, false);
        if (x > FRAME_MARGIN && x + width > FRAME_WIDTH - FRAME_MARGIN) {
            x = FRAME_MARGIN;
            row++;
        }
        double middle = top + (double)row * LINE_KEY + SWATCH / 2.0;
        if (out != NULL) {
            draw_sample(out, &key[i], x, middle);
            svg_text(out, "label ink", x + sample, middle + 4.5, 's', text);
        }
        x += width + KEY_GAP;
    }
    return count > 0 ? row + 1 : 0;
}

void plot_frame_begin(struct buf *out, const struct figure_text *text, const struct key_entry *key, size_t key_count,
                      double height, struct slice css, struct box *ret_area) {
    double width = FRAME_WIDTH - 2 * FRAME_MARGIN;
    size_t titles = count_lines(text->title, FONT_TITLE * 1.12, width); /* it is bold */
    size_t subtitles = count_lines(text->subtitle, FONT_SUBTITLE, width);
    size_t captions = count_lines(text->caption, FONT_CAPTION, width);
    double key_top = 18 + (double)titles * LINE_TITLE + (double)subtitles * LINE_SUBTITLE + 8;
    double top = key_top + (double)lay_out_key(NULL, key, key_count, 0) * LINE_KEY + (key_count > 0 ? 6 : 0);
    double total = top + height + (captions > 0 ? 6 + (double)captions * LINE_CAPTION : 0) + 10;
    svg_begin(out, FRAME_WIDTH, total, text->title, css);
    double y = plot_frame_paragraph(out, "title ink", FRAME_MARGIN, 34, width / 1.12, FONT_TITLE, text->title);
    plot_frame_paragraph(out, "subtitle muted", FRAME_MARGIN, y - 2, width, FONT_SUBTITLE, text->subtitle);
    lay_out_key(out, key, key_count, key_top);
    plot_frame_paragraph(out, "caption muted", FRAME_MARGIN, top + height + 6 + FONT_CAPTION, width, FONT_CAPTION,
                         text->caption);
    *ret_area = (struct box){FRAME_MARGIN, top, FRAME_WIDTH - FRAME_MARGIN, top + height};
}

void plot_frame_end(struct buf *out) {
    svg_end(out);
}

/* ---- axes ---- */

double plot_frame_tick_room(const struct ticks *ticks) {
    double widest = 0;
    char text[TICK_TEXT_MAX];
    for (size_t i = 0; i < ticks->count; i++)
        widest = fmax(widest, text_width(slice_of(tick_text(ticks, i, text)), FONT_LABEL, false));
    return ceil(widest) + TICK_GAP;
}

void plot_frame_left_axis(struct buf *out, const struct scale *scale, const struct ticks *ticks, const struct box *area,
                          bool labels) {
    char text[TICK_TEXT_MAX];
    for (size_t i = 0; i < ticks->count; i++) {
        double y = scale_at(scale, ticks->values[i]);
        bool is_base = i == 0;
        svg_line(out, is_base ? "axis" : "grid", area->left, round(y), area->right, round(y));
        if (labels)
            svg_text(out, "label muted", area->left - TICK_GAP, y + 4, 'e', tick_text(ticks, i, text));
    }
}

void plot_frame_right_axis(struct buf *out, const struct scale *scale, const struct ticks *ticks,
                           const struct box *area) {
    char text[TICK_TEXT_MAX];
    for (size_t i = 0; i < ticks->count; i++)
        svg_text(out, "label muted", area->right + TICK_GAP, scale_at(scale, ticks->values[i]) + 4, 's',
                 tick_text(ticks, i, text));
}

/* Every how many ticks have a label, so that all of them keep apart. */
static size_t label_stride(const struct scale *scale, const struct ticks *ticks) {
    char text[TICK_TEXT_MAX];
    size_t stride = 1;
    for (bool fits = false; !fits; stride += !fits) {
        double free_from = -INFINITY;
        fits = true;
        for (size_t i = 0; i < ticks->count && fits; i += stride) {
            double x = scale_at(scale, ticks->values[i]);
            double half = text_width(slice_of(tick_text(ticks, i, text)), FONT_LABEL, false) / 2;
            fits = x - half >= free_from;
            free_from = x + half + TICK_GAP;
        }
    }
    return stride;
}

void plot_frame_bottom_axis(struct buf *out, const struct scale *scale, const struct ticks *ticks,
                            const struct box *area, bool beside) {
    char text[TICK_TEXT_MAX];
    size_t stride = label_stride(scale, ticks);
    double free_from = -INFINITY;
    for (size_t i = 0; i < ticks->count; i++) {
        double x = scale_at(scale, ticks->values[i]);
        double half = text_width(slice_of(tick_text(ticks, i, text)), FONT_LABEL, false) / 2;
        svg_line(out, "grid", round(x), area->top, round(x), area->bottom);
        if (beside && x + half > area->right)
            x = area->right - half;
        if (i % stride != 0 || x - half < free_from) /* one that was moved may have no room */
            continue;
        svg_text(out, "label muted", x, area->bottom + 18, 'm', text);
        free_from = x + half + TICK_GAP;
    }
}
