/* figure_breakdown.c: one panel a run, on common scales. */
#include "tools/figures/breakdown_panel.h"
#include "tools/figures/figure.h"
#include "tools/figures/panel_grid.h"

#include <stdio.h>

enum { TITLE_MAX = 64, STEPS_ALONE = 6, STEPS_AMONG_MANY = 4 };

struct status figure_breakdown(struct buf *out, const struct figure_input *input) {
    struct breakdown_scales scales =
        breakdown_scales_for(input->runs, input->run_count, input->run_count == 1 ? STEPS_ALONE : STEPS_AMONG_MANY);
    struct panel_grid grid = panel_grid_for(input->run_count, plot_frame_tick_room(&scales.latency_ticks),
                                            plot_frame_tick_room(&scales.throughput_ticks));
    struct key_entry key[PART_COUNT];
    size_t key_count = breakdown_key(input->runs, input->run_count, key);
    struct box area;
    plot_frame_begin(out, &input->text, key, key_count, panel_grid_height(&grid), input->css, &area);
    char left[TITLE_MAX];
    snprintf(left, sizeof left, "Latency (%s)", scales.unit.name);
    static const char *const bottom[] = {[LOADS_CONCURRENCY] = "Concurrency (requests in flight)",
                                         [LOADS_RATE] = "Request rate (requests/s)",
                                         [LOADS_BOTH] =
                                             "Concurrency (requests in flight), or request rate (requests/s)"};
    struct axis_titles titles = {left, "Throughput (inferences/s)",
                                 bottom[measured_runs_load_mix(input->runs, input->run_count)], true};
    panel_grid_axis_titles(out, &grid, &area, &titles);
    for (size_t i = 0; i < input->run_count; i++) {
        struct breakdown_panel panel = {
            .area = panel_grid_box(&grid, &area, i),
            .left_labels = panel_grid_is_first_column(&grid, i),
            .right_labels = panel_grid_is_last_column(&grid, i),
            .load_labels = true,
        };
        panel_grid_title(out, &grid, &panel.area, input->runs[i]->label);
        breakdown_panel_draw(out, input->runs[i], &scales, &panel);
    }
    plot_frame_end(out);
    return status_ok();
}
