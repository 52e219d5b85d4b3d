#include "tools/figures/breakdown_panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/figures/figure.h"
#include "tools/figures/svg.h"
#include "tools/figures/text_width.h"

enum { TOOLTIP_MAX = 256, BAR_MAX = 56, DOT_ROOM = 12 };
static const double LEAST_HEIGHT = 0.01; /* what a coordinate can tell: no mark is empty */

static double stack_of(const struct measured_point *point) {
    double sum = 0;
    for (int p = 0; p < PART_COUNT; p++)
        sum += point->parts_us[p];
    return sum;
}

struct breakdown_scales breakdown_scales_for(const struct measured_run *const *runs, size_t count, int steps) {
    double latency = 0, throughput = 0;
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < runs[r]->point_count; i++) {
            latency = fmax(latency, stack_of(&runs[r]->points[i]));
            throughput = fmax(throughput, runs[r]->points[i].throughput);
        }
    struct breakdown_scales scales = {.unit = time_unit_for(latency)};
    /* A little air above, so that the line's marks are not cut. */
    scale_pair_from_zero(latency / scales.unit.us * 1.01, throughput * 1.02, steps, &scales.latency,
                         &scales.latency_ticks, &scales.throughput, &scales.throughput_ticks);
    return scales;
}

static bool is_measured(const struct measured_run *const *runs, size_t count, int part) {
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < runs[r]->point_count; i++)
            if (runs[r]->points[i].parts_us[part] > 0)
                return true;
    return false;
}

/* "Compute: infer" after "Compute: input" is "infer". */
static const char *key_text(const char *previous, const char *name) {
    const char *colon = strstr(name, ": ");
    if (colon == NULL || previous == NULL || strncmp(previous, name, (size_t)(colon - name)) != 0)
        return name;
    return colon + 2;
}

size_t breakdown_key(const struct measured_run *const *runs, size_t count, struct key_entry key[static PART_COUNT]) {
    size_t entries = 0;
    const char *previous = NULL;
    for (int p = 0; p < PART_COUNT; p++) {
        if (!is_measured(runs, count, p))
            continue;
        const char *name = latency_parts[p].short_name;
        key[entries++] =
            (struct key_entry){key_text(previous, name), theme_part_class((enum latency_part)p), NULL, 0, false};
        previous = name;
    }
    return entries;
}

/* ---- bars ---- */

/* Where the i-th of the run's bars is. */
static double bar_center(const struct measured_run *run, const struct box *area, size_t i) {
    double band = (area->right - area->left) / (double)run->point_count;
    return area->left + band * ((double)i + 0.5);
}

static double bar_width(const struct measured_run *run, const struct box *area) {
    double band = (area->right - area->left) / (double)run->point_count;
    return fmin(BAR_MAX, band > 6 ? band * 0.72 : band * 0.9);
}

static void draw_bar(struct buf *out, const struct measured_run *run, size_t i, const struct breakdown_scales *scales,
                     const struct scale *scale, const struct box *area) {
    const struct measured_point *point = &run->points[i];
    double width = bar_width(run, area), x = bar_center(run, area, i) - width / 2, sum = 0;
    char load[TICK_TEXT_MAX], value[TICK_TEXT_MAX], tooltip[TOOLTIP_MAX];
    for (int p = 0; p < PART_COUNT; p++) {
        if (point->parts_us[p] <= 0)
            continue;
        double from = scale_at(scale, sum / scales->unit.us);
        sum += point->parts_us[p];
        double to = scale_at(scale, sum / scales->unit.us);
        snprintf(tooltip, sizeof tooltip, "%s %s: %s %s %s", measured_run_load_name(run), load_text(point->load, load),
                 latency_parts[p].short_name, number_text(point->parts_us[p] / scales->unit.us, value),
                 scales->unit.name);
        svg_open(out, "rect", theme_part_class((enum latency_part)p));
        svg_number(out, "x", x);
        svg_number(out, "y", to);
        svg_number(out, "width", width);
        svg_number(out, "height", fmax(from - to, LEAST_HEIGHT));
        svg_data(out, "load", point->load);
        svg_data_text(out, "part", latency_parts[p].column);
        svg_data(out, "us", point->parts_us[p]);
        svg_close_tooltip(out, "rect", tooltip);
    }
}

/* Every how many bars have a label: 1, 2, 5, 10, 20, ... so that labels keep apart. */
static size_t label_stride(const struct measured_run *run, const struct box *area) {
    static const size_t strides[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000};
    enum { STRIDES = sizeof strides / sizeof strides[0], LABEL_GAP = 6 };
    double widest = 0, band = (area->right - area->left) / (double)run->point_count;
    char text[TICK_TEXT_MAX];
    for (size_t i = 0; i < run->point_count; i++)
        widest = fmax(widest, text_width(slice_of(load_text(run->points[i].load, text)), FONT_LABEL, false));
    size_t at = 0;
    while (at + 1 < STRIDES && (double)strides[at] * band < widest + LABEL_GAP)
        at++;
    return strides[at];
}

/* The first bar too, where there is room before the first that the stride names. */
static void draw_load_labels(struct buf *out, const struct measured_run *run, const struct box *area) {
    size_t stride = label_stride(run, area);
    char text[TICK_TEXT_MAX];
    for (size_t i = 0; i < run->point_count; i++)
        if ((i + 1) % stride == 0 || (i == 0 && (stride > 2 || run->point_count == 1)))
            svg_text(out, "label muted", bar_center(run, area, i), area->bottom + 18, 'm',
                     load_text(run->points[i].load, text));
}

/* ---- the line ---- */

static void draw_line(struct buf *out, const char *class, const struct measured_run *run, const struct scale *scale,
                      const struct box *area) {
    if (run->point_count < 2)
        return;
    svg_path_begin(out, class);
    for (size_t i = 0; i < run->point_count; i++)
        svg_path_point(out, bar_center(run, area, i), scale_at(scale, run->points[i].throughput), i == 0);
    svg_path_end(out);
    svg_close(out);
}

static void draw_dots(struct buf *out, const struct measured_run *run, const struct scale *scale,
                      const struct box *area) {
    double band = (area->right - area->left) / (double)run->point_count;
    char load[TICK_TEXT_MAX], value[TICK_TEXT_MAX], tooltip[TOOLTIP_MAX];
    for (size_t i = 0; i < run->point_count; i++) {
        const struct measured_point *point = &run->points[i];
        snprintf(tooltip, sizeof tooltip, "%s %s: %s inferences/s%s", measured_run_load_name(run),
                 load_text(point->load, load), number_text(point->throughput, value), doubt_tooltip(point->doubts));
        bool edge = band >= DOT_ROOM || run->point_count == 1;
        svg_open(out, "circle",
                 point->doubts ? "throughput hollow"
                 : edge        ? "throughput-fill mark-edge"
                               : "throughput-fill");
        doubt_write_data(out, point->doubts);
        svg_number(out, "cx", bar_center(run, area, i));
        svg_number(out, "cy", scale_at(scale, point->throughput));
        svg_number(out, "r", band >= DOT_ROOM ? 3.5 : 1.5);
        svg_data(out, "load", point->load);
        svg_data(out, "throughput", point->throughput);
        svg_close_tooltip(out, "circle", tooltip);
    }
}

void breakdown_panel_draw(struct buf *out, const struct measured_run *run, const struct breakdown_scales *scales,
                          const struct breakdown_panel *panel) {
    const struct box *area = &panel->area;
    struct scale latency = scales->latency, throughput = scales->throughput;
    latency.page_from = throughput.page_from = area->bottom;
    latency.page_to = throughput.page_to = area->top;
    svg_group_begin(out, "breakdown");
    svg_data_text(out, "run", run->label);
    svg_group_body(out);
    plot_frame_left_axis(out, &latency, &scales->latency_ticks, area, panel->left_labels);
    if (panel->right_labels)
        plot_frame_right_axis(out, &throughput, &scales->throughput_ticks, area);
    for (size_t i = 0; i < run->point_count; i++)
        draw_bar(out, run, i, scales, &latency, area);
    if (panel->load_labels)
        draw_load_labels(out, run, area);
    draw_line(out, "line-halo", run, &throughput, area);
    draw_line(out, "line throughput", run, &throughput, area);
    draw_dots(out, run, &throughput, area);
    svg_group_end(out);
}
