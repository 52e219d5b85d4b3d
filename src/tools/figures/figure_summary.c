/* figure_summary.c: throughput against average latency: up and to the left is better. */
#include "tools/figures/figure.h"

#include <math.h>
#include <stdio.h>

#include "tools/figures/mark.h"
#include "tools/figures/panel_grid.h"
#include "tools/figures/series.h"
#include "tools/figures/svg.h"

enum { STEPS = 6, TITLE_MAX = 128, TOOLTIP_MAX = 256 };

struct summary {
    const struct figure_input *input;
    struct time_unit unit;
    struct scale latency, throughput;
    struct ticks latency_ticks, throughput_ticks;
    struct series *series; /* one a run */
    struct label_field field;
};

static void find_scales(struct summary *summary) {
    double latency = 0, throughput = 0;
    for (size_t r = 0; r < summary->input->run_count; r++)
        for (size_t i = 0; i < summary->input->runs[r]->point_count; i++) {
            latency = fmax(latency, summary->input->runs[r]->points[i].latency_us);
            throughput = fmax(throughput, summary->input->runs[r]->points[i].throughput);
        }
    summary->unit = time_unit_for(latency);
    summary->latency = scale_from_zero(latency / summary->unit.us, STEPS + 2, &summary->latency_ticks);
    summary->throughput = scale_from_zero(throughput * 1.02, STEPS, &summary->throughput_ticks);
}

static struct status place_points(struct summary *summary, const struct box *box) {
    const struct figure_input *input = summary->input;
    summary->latency.page_from = box->left;
    summary->latency.page_to = box->right;
    summary->throughput.page_from = box->bottom;
    summary->throughput.page_to = box->top;
    summary->series = arena_calloc(input->arena, input->run_count, sizeof *summary->series);
    if (summary->series == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t r = 0; r < input->run_count; r++) {
        const struct measured_run *run = input->runs[r];
        struct plot_point *points = arena_calloc(input->arena, run->point_count, sizeof *points);
        if (points == NULL)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
        for (size_t i = 0; i < run->point_count; i++)
            points[i] = (struct plot_point){scale_at(&summary->latency, run->points[i].latency_us / summary->unit.us),
                                            scale_at(&summary->throughput, run->points[i].throughput)};
        struct series *series = &summary->series[r];
        *series =
            (struct series){.label = run->label, .mark = series_mark(r), .points = points, .count = run->point_count};
        series->colour = series_colour(r, &series->dashed);
    }
    return status_ok();
}

static void draw_marks(struct buf *out, const struct summary *summary, size_t r) {
    const struct measured_run *run = summary->input->runs[r];
    char load[TICK_TEXT_MAX], latency[TICK_TEXT_MAX], throughput[TICK_TEXT_MAX], tooltip[TOOLTIP_MAX];
    for (size_t i = 0; i < run->point_count; i++) {
        const struct measured_point *point = &run->points[i];
        const char *element =
            series_open_mark(out, &summary->series[r], summary->series[r].points[i], point->doubts != 0);
        svg_data(out, "load", point->load);
        svg_data(out, "latency-us", point->latency_us);
        svg_data(out, "throughput", point->throughput);
        doubt_write_data(out, point->doubts);
        snprintf(tooltip, sizeof tooltip, "%.100s, %s %s: %s inferences/s, %s %s%s", run->label,
                 measured_run_load_name(run), load_text(point->load, load), number_text(point->throughput, throughput),
                 number_text(point->latency_us / summary->unit.us, latency), summary->unit.name,
                 doubt_tooltip(point->doubts));
        svg_close_tooltip(out, element, tooltip);
    }
}

static void draw_series(struct buf *out, struct summary *summary, bool labels) {
    for (size_t r = 0; r < summary->input->run_count; r++)
        series_draw_line(out, &summary->series[r]);
    for (size_t r = 0; r < summary->input->run_count; r++) {
        svg_group_begin(out, "series");
        svg_data_text(out, "run", summary->input->runs[r]->label);
        svg_group_body(out);
        draw_marks(out, summary, r);
        svg_group_end(out);
        series_add_to(&summary->series[r], &summary->field);
    }
    for (size_t r = 0; labels && r < summary->input->run_count; r++)
        series_draw_label(out, &summary->series[r], &summary->field);
}

/* What stands for the average in runs that do not tell it; 0 where all do. */
static double stand_in(const struct figure_input *input) {
    double rank = 0;
    for (size_t r = 0; r < input->run_count; r++)
        rank = fmax(rank, input->runs[r]->average_rank);
    return rank;
}

/* Above THEME_SERIES lines their labels would be in each other's way: then a key names them. */
static size_t make_key(const struct figure_input *input, struct key_entry key[static FRAME_MAX_KEY]) {
    if (input->run_count <= THEME_SERIES)
        return 0;
    size_t count = input->run_count < FRAME_MAX_KEY ? input->run_count : FRAME_MAX_KEY;
    for (size_t i = 0; i < count; i++) {
        key[i] = (struct key_entry){.text = input->runs[i]->label, .mark = series_mark(i)};
        key[i].colour = series_colour(i, &key[i].dashed);
    }
    return count;
}

struct status figure_summary(struct buf *out, const struct figure_input *input) {
    struct summary summary = {.input = input};
    find_scales(&summary);
    struct key_entry key[FRAME_MAX_KEY];
    size_t key_count = make_key(input, key);
    struct panel_grid grid = panel_grid_for(1, plot_frame_tick_room(&summary.throughput_ticks), 12);
    struct box area;
    plot_frame_begin(out, &input->text, key, key_count, panel_grid_height(&grid), input->css, &area);
    struct box box = panel_grid_box(&grid, &area, 0);
    char bottom[TITLE_MAX];
    double rank = stand_in(input);
    if (rank > 0)
        snprintf(bottom, sizeof bottom, "Average batch latency (%s), or p%g where a file does not tell it",
                 summary.unit.name, rank);
    else
        snprintf(bottom, sizeof bottom, "Average batch latency (%s)", summary.unit.name);
    struct axis_titles titles = {"Throughput (inferences/s)", "up and to the left is better", bottom, false};
    STATUS_TRY(place_points(&summary, &box));
    STATUS_TRY(label_field_create(input->arena, &box, &summary.field));
    panel_grid_axis_titles(out, &grid, &area, &titles);
    plot_frame_left_axis(out, &summary.throughput, &summary.throughput_ticks, &box, true);
    plot_frame_bottom_axis(out, &summary.latency, &summary.latency_ticks, &box, false);
    draw_series(out, &summary, key_count == 0);
    plot_frame_end(out);
    return status_ok();
}
