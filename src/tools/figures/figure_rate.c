/* figure_rate.c: latency percentiles against throughput. A closed loop's line ends steeply where more requests in
 * flight no longer bring more throughput. */
#include "tools/figures/curve_panel.h"

#include <math.h>

/* Line for the `which`-th percentile, or for the average when that is negative. */
static struct status make_curve(struct arena *arena, const struct measured_run *run, int which, struct curve *ret) {
    ret->points = arena_calloc(arena, run->point_count, sizeof *ret->points);
    if (ret->points == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    ret->count = run->point_count;
    ret->marks = true;
    for (size_t i = 0; i < run->point_count; i++) {
        const struct measured_point *point = &run->points[i];
        ret->points[i] = (struct curve_point){
            .x = point->throughput,
            .latency_us = which < 0 ? point->latency_us : point->percentiles_us[which],
            .load = point->load,
            .throughput = point->throughput,
            .rank = which < 0 ? -1 : run->ranks[which],
            .doubts = point->doubts,
        };
    }
    return status_ok();
}

static struct status make_panel(struct arena *arena, const struct measured_run *run, struct curve_panel *ret) {
    ret->title = run->label;
    if (run->shown_ranks == 0) {
        STATUS_TRY(make_curve(arena, run, -1, &ret->curves[0]));
        ret->curves[0].label = ret->curves[0].short_label = "average";
        ret->curves[0].colour = series_ramp_colour(0, 1);
        ret->count = 1;
        return status_ok();
    }
    for (size_t i = 0; i < run->shown_ranks; i++) {
        struct curve *curve = &ret->curves[ret->count++];
        STATUS_TRY(make_curve(arena, run, (int)i, curve));
        curve->label = curve->short_label = arena_printf(arena, "p%g", run->ranks[i]);
        curve->mark = (int)i;
        curve->colour = series_ramp_colour(i, run->shown_ranks);
        if (curve->label == NULL)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    }
    return status_ok();
}

struct status figure_rate(struct buf *out, const struct figure_input *input) {
    struct curve_panel *panels = arena_calloc(input->arena, input->run_count, sizeof *panels);
    if (panels == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    double throughput = 0;
    for (size_t r = 0; r < input->run_count; r++) {
        STATUS_TRY(make_panel(input->arena, input->runs[r], &panels[r]));
        for (size_t i = 0; i < input->runs[r]->point_count; i++)
            throughput = fmax(throughput, input->runs[r]->points[i].throughput);
    }
    struct curve_axis axis = {.title = "Throughput (inferences/s)"};
    axis.scale = scale_from_zero(throughput * 1.05, input->run_count == 1 ? 8 : 5, &axis.ticks);
    return curve_panels_draw(out, input, panels, input->run_count, &axis);
}
