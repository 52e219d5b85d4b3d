/* figure_distribution.c: the cumulative distribution of latencies, as a step for each of many quantiles. */
#include "tools/figures/figure.h"

#include <math.h>
#include <stdio.h>

#include "tools/figures/panel_grid.h"
#include "tools/figures/series.h"
#include "tools/figures/svg.h"

enum { LOADS_SHOWN = 6, QUANTILES = 200, LOGARITHMIC_FROM = 30, TITLE_MAX = 64 };

struct distribution {
    const struct profile_experiment *shown[LOADS_SHOWN];
    size_t count;
    struct time_unit unit;
    struct scale latency, share;
    struct ticks latency_ticks, share_ticks;
};

/* The experiments that stand for all of those with answers. */
static void choose(const struct profile *profile, struct distribution *ret) {
    size_t filled = 0, last_index = 0;
    for (size_t i = 0; i < profile->experiment_count; i++)
        filled += profile->experiments[i].count > 0;
    size_t shown = filled < LOADS_SHOWN ? filled : LOADS_SHOWN;
    for (size_t i = 0; i < profile->experiment_count && ret->count < shown; i++) {
        if (profile->experiments[i].count == 0)
            continue;
        size_t wanted = shown <= 1 ? filled - 1 : ret->count * (filled - 1) / (shown - 1);
        if (last_index++ == wanted)
            ret->shown[ret->count++] = &profile->experiments[i];
    }
}

static void find_scales(struct distribution *distribution) {
    double min = INFINITY, max = 0;
    for (size_t e = 0; e < distribution->count; e++) {
        min = fmin(min, fmax(distribution->shown[e]->latencies_us[0], 1e-3));
        max = fmax(max, distribution->shown[e]->latencies_us[distribution->shown[e]->count - 1]);
    }
    distribution->unit = time_unit_for(max);
    if (max / min >= LOGARITHMIC_FROM)
        distribution->latency =
            scale_logarithmic(min / distribution->unit.us, max / distribution->unit.us, &distribution->latency_ticks);
    else
        distribution->latency = scale_from_zero(max / distribution->unit.us, 8, &distribution->latency_ticks);
    distribution->share = scale_from_zero(100, 5, &distribution->share_ticks);
}

static struct status make_series(struct arena *arena, const struct distribution *distribution, size_t e,
                                 struct series *ret) {
    const struct profile_experiment *experiment = distribution->shown[e];
    struct plot_point *points = arena_calloc(arena, QUANTILES + 1, sizeof *points);
    const char *label =
        arena_printf(arena, "%s %g", experiment->is_rate ? "request rate" : "concurrency", experiment->load);
    if (points == NULL || label == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t q = 0; q <= QUANTILES; q++) {
        double rank = 100.0 * (double)q / QUANTILES;
        double latency = profile_percentile_us(experiment, rank) / distribution->unit.us;
        points[q] =
            (struct plot_point){scale_at(&distribution->latency, latency), scale_at(&distribution->share, rank)};
    }
    *ret = (struct series){
        .label = label, .colour = series_ramp_colour(e, distribution->count), .points = points, .count = QUANTILES + 1};
    return status_ok();
}

/* The percentiles that people ask for, as marks that carry their values. */
static void draw_marks(struct buf *out, const struct distribution *distribution, size_t e,
                       const struct series *series) {
    static const double ranks[] = {50, 90, 95, 99};
    const struct profile_experiment *experiment = distribution->shown[e];
    char value[TICK_TEXT_MAX], tooltip[TITLE_MAX * 2];
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        double us = profile_percentile_us(experiment, ranks[i]);
        struct plot_point at = {scale_at(&distribution->latency, us / distribution->unit.us),
                                scale_at(&distribution->share, ranks[i])};
        const char *element = series_open_mark(out, series, at, experiment->doubts != 0);
        svg_data(out, "load", experiment->load);
        svg_data(out, "rank", ranks[i]);
        svg_data(out, "latency-us", us);
        doubt_write_data(out, experiment->doubts);
        snprintf(tooltip, sizeof tooltip, "%s: p%g %s %s%s", series->label, ranks[i],
                 number_text(us / distribution->unit.us, value), distribution->unit.name,
                 doubt_tooltip(experiment->doubts));
        svg_close_tooltip(out, element, tooltip);
    }
}

static struct status draw_series(struct buf *out, struct arena *arena, const struct distribution *distribution,
                                 const struct box *box) {
    struct series series[LOADS_SHOWN];
    struct label_field field;
    STATUS_TRY(label_field_create(arena, box, &field));
    for (size_t e = 0; e < distribution->count; e++) {
        STATUS_TRY(make_series(arena, distribution, e, &series[e]));
        series_draw_line(out, &series[e]);
        series_add_to(&series[e], &field);
    }
    for (size_t e = 0; e < distribution->count; e++)
        draw_marks(out, distribution, e, &series[e]);
    for (size_t e = 0; e < distribution->count; e++) {
        struct series middle = series[e]; /* named where the line is steep, not at its end, where all lines meet */
        middle.count = QUANTILES / 2;
        series_draw_label(out, &middle, &field);
    }
    return status_ok();
}

struct status figure_distribution(struct buf *out, const struct figure_input *input, const struct profile *profile) {
    struct distribution distribution = {.count = 0};
    choose(profile, &distribution);
    if (distribution.count == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: no request was answered", profile->file);
    find_scales(&distribution);
    struct panel_grid grid = panel_grid_for(1, plot_frame_tick_room(&distribution.share_ticks), 12);
    struct box area;
    plot_frame_begin(out, &input->text, NULL, 0, panel_grid_height(&grid), input->css, &area);
    struct box box = panel_grid_box(&grid, &area, 0);
    distribution.latency.page_from = box.left;
    distribution.latency.page_to = box.right;
    distribution.share.page_from = box.bottom;
    distribution.share.page_to = box.top;
    char bottom[TITLE_MAX];
    snprintf(bottom, sizeof bottom, "Latency (%s%s)", distribution.unit.name,
             distribution.latency.logarithmic ? ", log scale" : "");
    struct axis_titles titles = {"Requests answered (%)", "", bottom, false};
    panel_grid_axis_titles(out, &grid, &area, &titles);
    plot_frame_left_axis(out, &distribution.share, &distribution.share_ticks, &box, true);
    plot_frame_bottom_axis(out, &distribution.latency, &distribution.latency_ticks, &box, false);
    STATUS_TRY(draw_series(out, input->arena, &distribution, &box));
    plot_frame_end(out);
    return status_ok();
}
