/* report_tables.c: every number that was measured, and the environment. */
#include "tools/figures/html.h"
#include "tools/figures/report_sections.h"
#include "tools/figures/scale.h"
#include "tools/figures/svg.h"

#include <math.h>
#include <stdio.h>

enum { HEAD_MAX = 64 };

/* A run's parts that are measured at all. */
static bool shows_part(const struct measured_run *run, int part) {
    return run->has_part[part];
}

static struct time_unit unit_of(const struct measured_run *run) {
    double longest = 0;
    for (size_t i = 0; i < run->point_count; i++)
        longest = fmax(longest, run->points[i].latency_us);
    return time_unit_for(longest);
}

static void write_head(struct buf *out, const struct measured_run *run, struct time_unit unit) {
    char text[HEAD_MAX];
    html_head_cell(out, run->is_rate ? "Request rate" : "Concurrency");
    html_head_cell(out, "Inferences/s");
    snprintf(text, sizeof text, "Average (%s)", unit.name);
    html_head_cell(out, text);
    for (int p = 0; p < PART_COUNT; p++)
        if (shows_part(run, p))
            html_head_cell(out, latency_parts[p].short_name);
    for (size_t i = 0; i < run->rank_count; i++) {
        snprintf(text, sizeof text, "p%g", run->ranks[i]);
        html_head_cell(out, text);
    }
    if (measured_runs_doubts(&run, 1) != 0)
        html_head_text(out, "Doubt");
    html_head_end(out);
}

static void write_row(struct buf *out, const struct measured_run *run, const struct measured_point *point,
                      struct time_unit unit) {
    html_row_begin(out);
    html_cell_load(out, point->load);
    html_cell_number(out, point->throughput);
    html_cell_number(out, point->latency_us / unit.us);
    for (int p = 0; p < PART_COUNT; p++)
        if (shows_part(run, p))
            html_cell_number(out, point->parts_us[p] / unit.us);
    for (size_t i = 0; i < run->rank_count; i++)
        html_cell_number(out, point->percentiles_us[i] / unit.us);
    if (measured_runs_doubts(&run, 1) != 0)
        html_cell_text(out, doubt_text(point->doubts));
    html_row_end(out);
}

struct status report_write_tables(struct buf *out, struct arena *arena, const struct report *report) {
    html_element(out, "p", "note", "Times are in the unit of the average.");
    for (size_t r = 0; r < report->run_count; r++) {
        const struct measured_run *run = &report->runs[r];
        const char *settings = run_settings_text(arena, &run, 1);
        struct time_unit unit = unit_of(run);
        if (settings == NULL)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
        buf_append_text(out, "<details><summary>");
        svg_escape(out, slice_of(run->label));
        buf_append_text(out, "</summary>\n");
        html_element(out, "p", "note", "%s", settings);
        html_table_begin(out);
        write_head(out, run, unit);
        for (size_t i = 0; i < run->point_count; i++)
            write_row(out, run, &run->points[i], unit);
        html_table_end(out);
        buf_append_text(out, "</details>\n");
    }
    return status_ok();
}

struct status report_write_environment(struct buf *out, struct arena *arena, const struct report *report) {
    html_table_begin(out);
    html_head_text(out, "What");
    html_head_text(out, "Value");
    html_head_end(out);
    for (size_t row = 0; row < report->environment->row_count; row++) {
        html_row_begin(out);
        for (size_t column = 0; column < 2; column++) {
            const char *text = arena_strdup(arena, csv_table_cell(report->environment, row, column));
            if (text == NULL)
                return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
            html_cell_text(out, text);
        }
        html_row_end(out);
    }
    html_table_end(out);
    return status_ok();
}
