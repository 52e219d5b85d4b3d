#include "tools/figures/curve_panel.h"

#include <math.h>
#include <stdio.h>

#include "tools/figures/panel_grid.h"
#include "tools/figures/svg.h"
#include "tools/figures/text_width.h"

enum { TOOLTIP_MAX = 256, TITLE_MAX = 64, LOGARITHMIC_FROM = 30 };

struct latency_axis {
    struct time_unit unit;
    struct scale scale;
    struct ticks ticks;
};

static struct latency_axis latency_axis_for(const struct curve_panel *panels, size_t count) {
    double min = INFINITY, max = 0;
    for (size_t p = 0; p < count; p++)
        for (size_t c = 0; c < panels[p].count; c++)
            for (size_t i = 0; i < panels[p].curves[c].count; i++) {
                double value = panels[p].curves[c].points[i].latency_us;
                max = fmax(max, value);
                if (value > 0)
                    min = fmin(min, value);
            }
    struct latency_axis axis = {.unit = time_unit_for(max)};
    if (max > 0 && max / min >= LOGARITHMIC_FROM)
        axis.scale = scale_logarithmic(min / axis.unit.us, max / axis.unit.us, &axis.ticks);
    else
        axis.scale = scale_from_zero(max / axis.unit.us, count == 1 ? 6 : 4, &axis.ticks);
    return axis;
}

/* How lines are named. */
enum label_style { LABELS_LONG, LABELS_SHORT, LABELS_IN_KEY };

static enum label_style label_style_for(const struct curve_panel *panels, size_t count) {
    if (count == 1)
        return LABELS_LONG;
    for (size_t p = 1; p < count; p++) {
        if (panels[p].count != panels[0].count)
            return LABELS_SHORT;
        for (size_t c = 0; c < panels[0].count; c++)
            if (strcmp(panels[p].curves[c].label, panels[0].curves[c].label) != 0)
                return LABELS_SHORT;
    }
    return LABELS_IN_KEY;
}

/* ---- one panel ---- */

static void draw_bottom_labels(struct buf *out, const struct curve_axis *axis, const struct box *box, bool beside) {
    if (axis->labels == NULL) {
        plot_frame_bottom_axis(out, &axis->scale, &axis->ticks, box, beside);
        return;
    }
    double free_from = -1e9;
    for (size_t i = 0; i < axis->ticks.count; i++) {
        double x = scale_at(&axis->scale, axis->ticks.values[i]);
        double half = text_width(slice_of(axis->labels[i]), FONT_LABEL, false) / 2;
        svg_line(out, "grid", round(x), box->top, round(x), box->bottom);
        if (x - half >= free_from) {
            svg_text(out, "label muted", x, box->bottom + 18, 'm', axis->labels[i]);
            free_from = x + half + 4;
        }
    }
}

static void draw_marks(struct buf *out, const struct curve *curve, const struct series *series,
                       const struct latency_axis *axis) {
    for (size_t i = 0; i < curve->count; i++) {
        const struct curve_point *point = &curve->points[i];
        char latency[TICK_TEXT_MAX], load[TICK_TEXT_MAX], tooltip[TOOLTIP_MAX];
        const char *element = series_open_mark(out, series, series->points[i], point->doubts != 0);
        svg_data(out, "latency-us", point->latency_us);
        svg_data(out, "load", point->load);
        if (point->rank >= 0)
            svg_data(out, "rank", point->rank);
        if (point->throughput >= 0)
            svg_data(out, "throughput", point->throughput);
        doubt_write_data(out, point->doubts);
        snprintf(tooltip, sizeof tooltip, "%s, load %s: %s %s%s", curve->label, load_text(point->load, load),
                 number_text(point->latency_us / axis->unit.us, latency), axis->unit.name,
                 doubt_tooltip(point->doubts));
        svg_close_tooltip(out, element, tooltip);
    }
}

static struct status draw_curves(struct buf *out, struct arena *arena, const struct curve_panel *panel,
                                 const struct latency_axis *latency, const struct curve_axis *axis,
                                 const struct box *box, enum label_style labels) {
    struct series series[SERIES_MAX];
    struct label_field field;
    STATUS_TRY(label_field_create(arena, box, &field));
    for (size_t c = 0; c < panel->count; c++) {
        const struct curve *curve = &panel->curves[c];
        struct plot_point *points = arena_calloc(arena, curve->count, sizeof *points);
        if (points == NULL)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
        for (size_t i = 0; i < curve->count; i++)
            points[i] = (struct plot_point){scale_at(&axis->scale, curve->points[i].x),
                                            scale_at(&latency->scale, curve->points[i].latency_us / latency->unit.us)};
        series[c] = (struct series){labels == LABELS_SHORT ? curve->short_label : curve->label,
                                    curve->colour,
                                    curve->mark,
                                    false,
                                    points,
                                    curve->count};
        series_draw_line(out, &series[c]);
        series_add_to(&series[c], &field);
    }
    for (size_t c = 0; c < panel->count; c++)
        if (panel->curves[c].marks)
            draw_marks(out, &panel->curves[c], &series[c], latency);
    if (labels == LABELS_IN_KEY)
        return status_ok();
    if (axis->lines_end_together) {
        series_draw_label_column(out, series, panel->count, box);
        return status_ok();
    }
    for (size_t c = panel->count; c-- > 0;) /* the last is the most telling: it chooses first */
        series_draw_label(out, &series[c], &field);
    return status_ok();
}

static struct status draw_panel(struct buf *out, const struct figure_input *input, const struct curve_panel *panel,
                                const struct latency_axis *shared, const struct curve_axis *axis, const struct box *box,
                                enum label_style labels, bool beside) {
    struct latency_axis latency = *shared;
    struct curve_axis other = *axis;
    latency.scale.page_from = box->bottom;
    latency.scale.page_to = box->top;
    other.scale.page_from = box->left;
    other.scale.page_to = box->right;
    draw_bottom_labels(out, &other, box, beside);
    svg_group_begin(out, "curves");
    svg_data_text(out, "run", panel->title);
    svg_group_body(out);
    STATUS_TRY(draw_curves(out, input->arena, panel, &latency, &other, box, labels));
    svg_group_end(out);
    return status_ok();
}

static void draw_left_axis(struct buf *out, const struct latency_axis *shared, const struct box *box, bool labels) {
    struct scale scale = shared->scale;
    scale.page_from = box->bottom;
    scale.page_to = box->top;
    plot_frame_left_axis(out, &scale, &shared->ticks, box, labels);
}

struct status curve_panels_draw(struct buf *out, const struct figure_input *input, const struct curve_panel *panels,
                                size_t count, const struct curve_axis *axis) {
    struct latency_axis latency = latency_axis_for(panels, count);
    struct panel_grid grid = panel_grid_for(count, plot_frame_tick_room(&latency.ticks), 12);
    enum label_style labels = label_style_for(panels, count);
    struct key_entry key[SERIES_MAX];
    size_t key_count = labels == LABELS_IN_KEY ? panels[0].count : 0;
    for (size_t c = 0; c < key_count; c++)
        key[c] = (struct key_entry){
            .text = panels[0].curves[c].label, .colour = panels[0].curves[c].colour, .mark = panels[0].curves[c].mark};
    struct box area;
    plot_frame_begin(out, &input->text, key, key_count, panel_grid_height(&grid), input->css, &area);
    char left[TITLE_MAX];
    snprintf(left, sizeof left, "Latency (%s%s)", latency.unit.name, latency.scale.logarithmic ? ", log scale" : "");
    struct axis_titles titles = {left, "", axis->title, false};
    panel_grid_axis_titles(out, &grid, &area, &titles);
    for (size_t i = 0; i < count; i++) {
        struct box box = panel_grid_box(&grid, &area, i);
        panel_grid_title(out, &grid, &box, panels[i].title);
        draw_left_axis(out, &latency, &box, panel_grid_is_first_column(&grid, i));
        STATUS_TRY(draw_panel(out, input, &panels[i], &latency, axis, &box, labels, count > 1));
    }
    plot_frame_end(out);
    return status_ok();
}
