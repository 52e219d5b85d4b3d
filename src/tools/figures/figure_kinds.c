/* figure_kinds.c: the table of figures that are drawn from runs. */
#include "tools/figures/figure.h"

static bool has_parts(const struct measured_run *run) {
    return measured_run_has_parts(run);
}

static bool always(const struct measured_run *run) {
    return run->point_count > 0;
}

static bool has_tail(const struct measured_run *run) {
    return run->shown_ranks >= 2;
}

const struct figure_kind figure_kinds[FIGURE_KINDS] = {
    {"breakdown", "Where the latency goes", true, has_parts, figure_breakdown},
    {"summary", "Throughput against average batch latency", false, always, figure_summary},
    {"rate", "Latency percentiles against throughput", false, always, figure_rate},
    {"percentiles", "Latency by percentile", false, has_tail, figure_percentiles},
};
