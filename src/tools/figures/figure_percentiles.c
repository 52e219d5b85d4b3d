/* figure_percentiles.c: latency over the percentile. The axis is that of "nines": each step to the right leaves a tenth
 * of the requests, so the tail has as much room as the rest. */
#include "tools/figures/curve_panel.h"

#include <math.h>

enum { LOADS_SHOWN = 6, RANK_MARKS = 7 };

static double nines(double rank) {
    return -log10(1 - rank / 100);
}

/* The loads that stand for all: the first, the last, and evenly between. */
static size_t shown_point(size_t i, size_t shown, size_t count) {
    return shown <= 1 ? count - 1 : i * (count - 1) / (shown - 1);
}

static struct status make_curve(struct arena *arena, const struct measured_run *run, const struct measured_point *point,
                                struct curve *ret) {
    ret->points = arena_calloc(arena, run->shown_ranks, sizeof *ret->points);
    ret->label = arena_printf(arena, "%s %g", measured_run_load_name(run), point->load);
    ret->short_label = arena_printf(arena, "%g", point->load);
    if (ret->points == NULL || ret->label == NULL || ret->short_label == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    ret->count = run->shown_ranks;
    ret->marks = true;
    for (size_t i = 0; i < run->shown_ranks; i++)
        ret->points[i] = (struct curve_point){
            nines(run->ranks[i]), point->percentiles_us[i], point->load, -1, run->ranks[i], point->doubts};
    return status_ok();
}

static struct status make_panel(struct arena *arena, const struct measured_run *run, struct curve_panel *ret) {
    size_t shown = run->point_count < LOADS_SHOWN ? run->point_count : LOADS_SHOWN;
    ret->title = run->label;
    ret->count = shown;
    for (size_t i = 0; i < shown; i++) {
        STATUS_TRY(make_curve(arena, run, &run->points[shown_point(i, shown, run->point_count)], &ret->curves[i]));
        ret->curves[i].colour = series_ramp_colour(i, shown);
    }
    return status_ok();
}

struct status figure_percentiles(struct buf *out, const struct figure_input *input) {
    static const double marked[RANK_MARKS] = {50, 75, 90, 95, 99, 99.9, 99.99};
    static const char *const names[RANK_MARKS] = {"50", "75", "90", "95", "99", "99.9", "99.99"};
    struct curve_panel *panels = arena_calloc(input->arena, input->run_count, sizeof *panels);
    if (panels == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    double lowest = 50, highest = 99;
    for (size_t r = 0; r < input->run_count; r++) {
        const struct measured_run *run = input->runs[r];
        STATUS_TRY(make_panel(input->arena, run, &panels[r]));
        lowest = fmin(lowest, run->ranks[0]);
        highest = fmax(highest, run->ranks[run->shown_ranks - 1]);
    }
    /* A little room on the right, so that labels fit beside the ends of the lines. */
    struct curve_axis axis = {.title = "Percentile of requests", .labels = names, .lines_end_together = true};
    static const char *const titles[] = {
        [LOADS_CONCURRENCY] = "Percentile of requests; each line is one concurrency",
        [LOADS_RATE] = "Percentile of requests; each line is one request rate (requests/s)",
        [LOADS_BOTH] = "Percentile of requests; each line is one concurrency or request rate"};
    if (input->run_count > 1)
        axis.title = titles[measured_runs_load_mix(input->runs, input->run_count)];
    axis.scale = (struct scale){.from = nines(lowest), .to = nines(highest) + (nines(highest) - nines(lowest)) * 0.22};
    for (size_t i = 0; i < RANK_MARKS && marked[i] <= highest; i++)
        axis.ticks.values[axis.ticks.count++] = nines(marked[i]);
    return curve_panels_draw(out, input, panels, input->run_count, &axis);
}
