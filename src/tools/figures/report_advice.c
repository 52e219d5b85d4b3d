/* report_advice.c: which setting to take. */
#include "tools/figures/analysis.h"
#include "tools/figures/html.h"
#include "tools/figures/report_sections.h"
#include "tools/figures/scale.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 32 };

static const char *limit_name(double rank, char name[static NAME_MAX_BYTES]) {
    if (rank > 0)
        snprintf(name, NAME_MAX_BYTES, "p%g latency", rank);
    else
        snprintf(name, NAME_MAX_BYTES, "average latency");
    return name;
}

static struct status write_choice(struct buf *out, struct arena *arena, const struct report *report, const char *who,
                                  const struct choice *choice) {
    char limit[TICK_TEXT_MAX], latency[TICK_TEXT_MAX], throughput[TICK_TEXT_MAX], name[NAME_MAX_BYTES];
    load_text(report->latency_limit_us / 1000, limit);
    if (choice->run == NULL) {
        html_element(out, "p", "answer", "%s: no measured setting keeps a %s of %s ms.", who,
                     limit_name(report->limit_rank, name), limit);
        return status_ok();
    }
    const char *settings = run_settings_text(arena, &choice->run, 1);
    if (settings == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    html_element(
        out, "p", "answer", "%s: %s%s%s%s, at %s %g: %s inferences/s with a %s of %s ms (limit %s ms).%s", who,
        choice->run->label, settings[0] ? " (" : "", settings, settings[0] ? ")" : "",
        measured_run_load_name(choice->run), choice->point->load, number_text(choice->point->throughput, throughput),
        limit_name(report->limit_rank, name), number_text(choice->latency_us / 1000, latency), limit,
        choice->point->doubts & DOUBT_UNSTABLE ? " Its windows were too few or too different to be sure." : "");
    return status_ok();
}

static void write_candidate(struct buf *out, const struct choice *choice) {
    for (int i = 0; choice->run == NULL && i < 3; i++)
        html_cell_none(out);
    if (choice->run == NULL)
        return;
    html_cell_load(out, choice->point->load);
    html_cell_number(out, choice->point->throughput);
    html_cell_number(out, choice->latency_us / 1000);
}

/* For each run, the most that it gives within the limit. */
static void write_candidates(struct buf *out, const struct report *report) {
    html_table_begin(out);
    bool doubts = false;
    for (size_t r = 0; r < report->run_count; r++) {
        const struct measured_run *run = &report->runs[r];
        doubts |= measured_runs_doubts(&run, 1) != 0;
    }
    html_head_text(out, "Setting");
    html_head_cell(out, "Load");
    html_head_cell(out, "Inferences/s within the limit");
    html_head_cell(out, "Latency (ms)");
    if (doubts)
        html_head_text(out, "Doubt");
    html_head_end(out);
    for (size_t r = 0; r < report->run_count; r++) {
        struct choice best =
            analysis_recommend(&report->runs[r], 1, report->latency_limit_us, report->limit_rank, false);
        html_row_begin(out);
        html_cell_text(out, report->runs[r].label);
        write_candidate(out, &best);
        if (doubts)
            html_cell_text(out, best.run != NULL ? doubt_text(best.point->doubts) : "");
        html_row_end(out);
    }
    html_table_end(out);
}

struct status report_write_advice(struct buf *out, struct arena *arena, const struct report *report) {
    struct choice single =
        analysis_recommend(report->runs, report->run_count, report->latency_limit_us, report->limit_rank, true);
    struct choice any =
        analysis_recommend(report->runs, report->run_count, report->latency_limit_us, report->limit_rank, false);
    STATUS_TRY(write_choice(out, arena, report, "Clients that send single questions", &single));
    if (any.run != single.run || any.point != single.point)
        STATUS_TRY(write_choice(out, arena, report, "Clients that can send batches", &any));
    html_element(
        out, "p", "note",
        "Of all points within the limit the one with the highest throughput; points less than %g %% below it count "
        "as equal, and of these the one with the lowest latency is taken. Points that the load generator limited or "
        "whose requests "
        "failed do not count.",
        100 * ANALYSIS_NOISE);
    write_candidates(out, report);
    return status_ok();
}
