/* breakdown_panel.h: the recipe's bars in a box: for each load a bar of the latency's parts, and the throughput as a
 * line on a second axis. One panel is a figure, several side by side on the same scales are small multiples. */
#ifndef INFERD_TOOLS_FIGURES_BREAKDOWN_PANEL_H
#define INFERD_TOOLS_FIGURES_BREAKDOWN_PANEL_H

#include "tools/figures/measured_run.h"
#include "tools/figures/plot_frame.h"

struct breakdown_scales {
    struct scale latency, throughput; /* of values in the unit, and per second; page_* are set by the panel */
    struct ticks latency_ticks, throughput_ticks;
    struct time_unit unit;
};

/* Scales on which all of the runs fit, with about `steps` ticks. */
struct breakdown_scales breakdown_scales_for(const struct measured_run *const *runs, size_t count, int steps);
/* The parts that any of the runs has and that are not zero everywhere. */
size_t breakdown_key(const struct measured_run *const *runs, size_t count, struct key_entry key[static PART_COUNT]);

struct breakdown_panel {
    struct box area; /* of the bars */
    bool left_labels, right_labels, load_labels;
};
void breakdown_panel_draw(struct buf *out, const struct measured_run *run, const struct breakdown_scales *scales,
                          const struct breakdown_panel *panel);

#endif
