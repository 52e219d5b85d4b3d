/* report_sections.c: the recipe's comparisons: batch sizes, batching techniques, instances, and all of it. */
#include "tools/figures/report_sections.h"

#include <stdio.h>

#include "tools/figures/analysis.h"
#include "tools/figures/html.h"
#include "tools/figures/scale.h"

enum { DIPS_SHOWN = 16, TEXT_MAX = 256 };

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- runs and pictures ---- */

static bool in_sweep(const struct measured_run *run, const char *sweep) {
    const char *own = run->settings.sweep;
    return own == NULL || sweep == NULL ? own == sweep : strcmp(own, sweep) == 0;
}

struct run_selection report_select(const struct report *report, const char *sweep) {
    struct run_selection selection = {.count = 0};
    for (size_t i = 0; i < report->run_count && selection.count < RUN_LIST_MAX; i++)
        if (in_sweep(&report->runs[i], sweep))
            selection.runs[selection.count++] = &report->runs[i];
    return selection;
}

static const struct figure_kind *kind_named(const char *name) {
    const struct figure_kind *kind = figure_kinds;
    while (strcmp(kind->name, name) != 0)
        kind++;
    return kind;
}

struct status report_figure(struct buf *out, struct arena *arena, const struct report *report, const char *name,
                            const struct run_selection *selection) {
    const struct figure_kind *kind = kind_named(name);
    struct run_selection shown = {.count = 0};
    for (size_t i = 0; i < selection->count; i++)
        if (kind->applies(selection->runs[i]))
            shown.runs[shown.count++] = selection->runs[i];
    if (shown.count == 0)
        return status_ok();
    struct figure_input input = {.arena = arena, .runs = shown.runs, .run_count = shown.count};
    input.text =
        (struct figure_text){kind->title, run_settings_text(arena, shown.runs, shown.count),
                             doubt_caption(arena, report->caption, measured_runs_doubts(shown.runs, shown.count))};
    if (input.text.subtitle == NULL || input.text.caption == NULL)
        return out_of_memory();
    buf_append_text(out, "<figure>\n");
    STATUS_TRY(kind->draw(out, &input));
    buf_append_text(out, "</figure>\n");
    return status_ok();
}

/* ---- maximum batch size ---- */

static bool has_static(const struct report *report) {
    return report_select(report, "static").count > 0;
}

/* The run with the smallest or largest client batch; the selection is not empty. */
static const struct measured_run *by_batch(const struct run_selection *selection, bool largest) {
    const struct measured_run *found = selection->runs[0];
    for (size_t i = 1; i < selection->count; i++) {
        double batch = selection->runs[i]->settings.batch_size;
        if (largest ? batch > found->settings.batch_size : batch < found->settings.batch_size)
            found = selection->runs[i];
    }
    return found;
}

static void write_ratio_row(struct buf *out, const struct measured_run *run, const struct measured_point *point,
                            const struct measured_run *base, const struct measured_point *base_point) {
    double compute = measured_point_compute_us(point), base_compute = measured_point_compute_us(base_point);
    html_row_begin(out);
    html_cell_load(out, measured_run_outstanding(base, base_point));
    html_cell_load(out, run->settings.batch_size);
    html_cell_load(out, point->load);
    html_cell_number(out, point->throughput);
    html_cell_number(out, point->latency_us / 1000);
    html_cell_number(out, compute / 1000);
    if (base_point->throughput > 0)
        html_cell_number(out, point->throughput / base_point->throughput);
    else
        html_cell_none(out);
    if (base_compute > 0)
        html_cell_number(out, compute / base_compute);
    else
        html_cell_none(out);
    html_row_end(out);
}

/* Batch sizes side by side wherever they have equally many questions outstanding. */
static void write_ratios(struct buf *out, const struct run_selection *selection) {
    static const char *const head[] = {"Outstanding",  "Client batch", "Concurrency",      "Inferences/s",
                                       "Latency (ms)", "Compute (ms)", "Throughput ratio", "Compute ratio"};
    const struct measured_run *base = by_batch(selection, false), *largest = by_batch(selection, true);
    html_table_begin(out);
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        html_head_cell(out, head[i]);
    html_head_end(out);
    for (size_t i = 0; i < base->point_count; i++) {
        double outstanding = measured_run_outstanding(base, &base->points[i]);
        if (analysis_point_at(largest, outstanding) == NULL)
            continue; /* not reachable with the largest batch */
        for (size_t r = 0; r < selection->count; r++) {
            const struct measured_point *point = analysis_point_at(selection->runs[r], outstanding);
            if (point != NULL)
                write_ratio_row(out, selection->runs[r], point, base, &base->points[i]);
        }
    }
    html_table_end(out);
}

static struct status write_static(struct buf *out, struct arena *arena, const struct report *report) {
    struct run_selection selection = report_select(report, "static");
    const struct measured_run *base = by_batch(&selection, false), *largest = by_batch(&selection, true);
    char low[TICK_TEXT_MAX], high[TICK_TEXT_MAX];
    html_element(
        out, "p", NULL,
        "Clients send batches of a fixed size. The highest throughput is %s inferences/s with a client batch of "
        "%g and %s with %g. The comparison is fair at equally many outstanding questions, batch times "
        "concurrency.",
        number_text(analysis_peak(base)->throughput, low), base->settings.batch_size,
        number_text(analysis_peak(largest)->throughput, high), largest->settings.batch_size);
    STATUS_TRY(report_figure(out, arena, report, "summary", &selection));
    html_element(out, "h3", NULL, "At equally many outstanding questions, against client batch %g",
                 base->settings.batch_size);
    write_ratios(out, &selection);
    return report_figure(out, arena, report, "breakdown", &selection);
}

/* ---- batching techniques ---- */

static bool has_dynamic(const struct report *report) {
    return report_select(report, "dynamic").count > 0;
}

static void write_dips(struct buf *out, const struct measured_run *run) {
    size_t dips[DIPS_SHOWN], count = analysis_queue_dips(run, dips, DIPS_SHOWN);
    char text[TEXT_MAX] = "";
    for (size_t i = 0, size = 0; i < count && size < sizeof text; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%g", i > 0 ? ", " : "", run->points[dips[i]].load);
    html_cell_text(out, count > 0 ? text : "none");
}

static void write_dynamic_table(struct buf *out, const struct run_selection *selection) {
    static const char *const head[] = {"Setting", "Highest inferences/s", "Reached at concurrency",
                                       "Latency there (ms)", "Server queue is lower than on both sides at"};
    enum { COLUMNS = sizeof head / sizeof head[0] };
    html_table_begin(out);
    for (size_t i = 0; i < COLUMNS; i++)
        (i == 0 || i == COLUMNS - 1 ? html_head_text : html_head_cell)(out, head[i]);
    html_head_end(out);
    for (size_t r = 0; r < selection->count; r++) {
        const struct measured_run *run = selection->runs[r];
        const struct measured_point *point = analysis_saturation(run, ANALYSIS_NOISE);
        html_row_begin(out);
        html_cell_text(out, run->label);
        html_cell_number(out, analysis_peak(run)->throughput);
        html_cell_load(out, point->load);
        html_cell_number(out, point->latency_us / 1000);
        write_dips(out, run);
        html_row_end(out);
    }
    html_table_end(out);
}

/* The run with the highest throughput of those that have a delay; the sweep's base without one counts when it is alone.
 */
static const struct measured_run *best_dynamic(const struct run_selection *selection) {
    const struct measured_run *best = NULL;
    for (size_t i = 0; i < selection->count; i++) {
        const struct measured_run *run = selection->runs[i];
        bool better = best == NULL || analysis_peak(run)->throughput > analysis_peak(best)->throughput;
        if (run->settings.delay_ms > 0 && better)
            best = run;
    }
    return best != NULL ? best : selection->runs[0];
}

static struct status write_dynamic(struct buf *out, struct arena *arena, const struct report *report) {
    struct run_selection selection = report_select(report, "dynamic"), fixed = report_select(report, "static");
    struct run_selection both = selection;
    const struct measured_run *best = best_dynamic(&selection);
    char dynamic[TICK_TEXT_MAX], largest[TICK_TEXT_MAX], percent[TICK_TEXT_MAX];
    number_text(analysis_peak(best)->throughput, dynamic);
    if (fixed.count > 0) {
        const struct measured_run *batch = by_batch(&fixed, true);
        const struct measured_point *peak = analysis_peak(batch);
        both.runs[both.count++] = batch;
        html_element(
            out, "p", NULL,
            "The server makes batches from single questions. \"%s\" reaches %s inferences/s at concurrency %g, "
            "%s %% of the %s that static batches of %g reach at concurrency %g with the client's help.",
            best->label, dynamic, analysis_peak(best)->load,
            number_text(peak->throughput > 0 ? 100 * analysis_peak(best)->throughput / peak->throughput : 0, percent),
            number_text(peak->throughput, largest), batch->settings.batch_size, peak->load);
    } else {
        html_element(out, "p", NULL,
                     "The server makes batches from single questions. \"%s\" reaches the most, %s inferences/s at "
                     "concurrency %g.",
                     best->label, dynamic, analysis_peak(best)->load);
    }
    STATUS_TRY(report_figure(out, arena, report, "summary", &both));
    write_dynamic_table(out, &selection);
    html_element(out, "p", "note",
                 "With a queue delay, requests in flight that fill whole batches of a preferred size need not wait for "
                 "company: the time in the queue dips at its multiples. Where computing takes much longer than the "
                 "delay, waiting for the instance hides this.");
    return report_figure(out, arena, report, "breakdown", &selection);
}

/* ---- instances ---- */

static bool has_instances(const struct report *report) {
    return report_select(report, "instances").count > 0;
}

static struct status write_instances(struct buf *out, struct arena *arena, const struct report *report) {
    struct run_selection selection = report_select(report, "instances");
    const struct measured_run *fewest = selection.runs[0], *most = selection.runs[0];
    for (size_t i = 1; i < selection.count; i++) {
        if (selection.runs[i]->settings.instances < fewest->settings.instances)
            fewest = selection.runs[i];
        if (selection.runs[i]->settings.instances > most->settings.instances)
            most = selection.runs[i];
    }
    const struct measured_point *few = analysis_peak(fewest), *many = analysis_peak(most);
    char a[TICK_TEXT_MAX], b[TICK_TEXT_MAX], ratio[TICK_TEXT_MAX];
    html_element(out, "p", NULL,
                 "Several instances of the model run side by side, without batching. The highest throughput is %s "
                 "inferences/s with %g and %s with %g, %s times.",
                 number_text(few->throughput, a), fewest->settings.instances, number_text(many->throughput, b),
                 most->settings.instances,
                 number_text(few->throughput > 0 ? many->throughput / few->throughput : 0, ratio));
    STATUS_TRY(report_figure(out, arena, report, "summary", &selection));
    return report_figure(out, arena, report, "breakdown", &selection);
}

/* ---- everything ---- */

static bool always(const struct report *report) {
    return report->run_count > 0;
}

static struct status write_summary(struct buf *out, struct arena *arena, const struct report *report) {
    static const char *const kinds[] = {"summary", "rate", "percentiles"};
    struct run_selection selection = {.count = 0};
    for (size_t r = 0; r < report->run_count; r++)
        selection.runs[selection.count++] = &report->runs[r];
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        STATUS_TRY(report_figure(out, arena, report, kinds[k], &selection));
    return status_ok();
}

static bool has_others(const struct report *report) {
    return report_select(report, NULL).count > 0;
}

static struct status write_others(struct buf *out, struct arena *arena, const struct report *report) {
    struct run_selection selection = report_select(report, NULL);
    return report_figure(out, arena, report, "breakdown", &selection);
}

static bool has_limit(const struct report *report) {
    return report->latency_limit_us > 0 && report->run_count > 0;
}

static bool has_environment(const struct report *report) {
    return report->environment->row_count > 0;
}

const struct report_section report_sections[REPORT_SECTIONS] = {
    {"recommendation", "Recommendation", true, has_limit, report_write_advice},
    {"batch-size", "Maximum batch size", true, has_static, write_static},
    {"batching", "Batching techniques", true, has_dynamic, write_dynamic},
    {"instances", "Instance count", true, has_instances, write_instances},
    {"runs", "Runs", true, has_others, write_others},
    {"summary", "Summary", true, always, write_summary},
    {"tables", "All numbers", true, always, report_write_tables},
    {"environment", "Environment", false, has_environment, report_write_environment},
};
