#include "tools/figures/report_page.h"

#include <stdlib.h>
#include <string.h>

#include "tools/figures/html.h"
#include "tools/figures/report_sections.h"
#include "tools/figures/svg.h"

double report_rank_of(const char *name) {
    return name[0] == 'p' ? strtod(name + 1, NULL) : 0;
}

static void write_head(struct buf *out, const struct report *report) {
    buf_append_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                         "<link rel=\"icon\" href=\"data:,\">\n");
    html_element(out, "title", NULL, "%s", report->title);
    buf_append_text(out, "<style>\n");
    theme_write_page_css(out, report->theme);
    theme_write_css(out, report->theme);
    buf_append_text(out, "</style>\n</head>\n<body>\n<header>\n");
    html_element(out, "h1", NULL, "%s", report->title);
    html_element(out, "p", NULL, "%s", report->caption);
    buf_append_text(out, "<nav>");
    for (size_t i = 0; i < REPORT_SECTIONS; i++)
        if (report_sections[i].applies(report))
            buf_printf(out, "<a href=\"#%s\">%s</a>\n", report_sections[i].id, report_sections[i].title);
    buf_append_text(out, "</nav>\n</header>\n<main>\n");
}

/* ---- models ---- */

static bool same_text(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Only settings of one model on inputs of one length are comparable. */
static bool same_model(const struct measured_run *a, const struct measured_run *b) {
    return same_text(a->settings.model, b->settings.model) && same_text(a->settings.precision, b->settings.precision) &&
           a->settings.max_seq_length == b->settings.max_seq_length;
}

/* The report on the runs of each model by themselves, in the order of the runs. */
struct model_reports {
    struct report *reports;
    size_t count;
};

static struct status split_by_model(struct arena *arena, const struct report *report, struct model_reports *ret) {
    struct measured_run *runs = arena_calloc(arena, report->run_count + 1, sizeof *runs);
    *ret = (struct model_reports){arena_calloc(arena, report->run_count + 1, sizeof *ret->reports), 0};
    if (runs == NULL || ret->reports == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t r = 0; r < report->run_count; r++) {
        bool seen = false;
        for (size_t m = 0; m < ret->count && !seen; m++)
            seen = same_model(&ret->reports[m].runs[0], &report->runs[r]);
        if (seen)
            continue;
        struct report one = *report;
        one.runs = runs;
        one.run_count = 0;
        for (size_t i = r; i < report->run_count; i++)
            if (same_model(&report->runs[i], &report->runs[r]))
                runs[one.run_count++] = report->runs[i];
        runs += one.run_count;
        ret->reports[ret->count++] = one;
    }
    return status_ok();
}

static struct status write_model_title(struct buf *out, struct arena *arena, const struct report *one) {
    struct measured_run named = one->runs[0];
    const struct measured_run *run = &named;
    named.settings = (struct run_settings){.model = one->runs[0].settings.model,
                                           .max_seq_length = one->runs[0].settings.max_seq_length,
                                           .precision = one->runs[0].settings.precision,
                                           .delay_ms = -1};
    const char *title = run_settings_text(arena, &run, 1);
    if (title == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    html_element(out, "h3", "model", "%s", title[0] != '\0' ? title : "Runs of no known model");
    return status_ok();
}

/* ---- sections ---- */

static struct status write_section(struct buf *out, struct arena *arena, const struct report_section *section,
                                   const struct report *report, const struct model_reports *models) {
    if (!section->per_model)
        return section->write(out, arena, report);
    for (size_t m = 0; m < models->count; m++) {
        const struct report *one = &models->reports[m];
        if (!section->applies(one))
            continue;
        if (models->count > 1)
            STATUS_TRY(write_model_title(out, arena, one));
        STATUS_TRY(section->write(out, arena, one));
    }
    return status_ok();
}

struct status report_page_write(struct buf *out, struct arena *arena, const struct report *report) {
    struct model_reports models;
    STATUS_TRY(split_by_model(arena, report, &models));
    write_head(out, report);
    for (size_t i = 0; i < REPORT_SECTIONS; i++) {
        const struct report_section *section = &report_sections[i];
        if (!section->applies(report))
            continue;
        buf_printf(out, "<section id=\"%s\">\n", section->id);
        html_element(out, "h2", NULL, "%s", section->title);
        STATUS_TRY(write_section(out, arena, section, report, &models));
        buf_append_text(out, "</section>\n");
    }
    buf_append_text(out,
                    "</main>\n<footer><p class=\"note\">Throughput counts inferences (questions) per second; latency "
                    "is that of whole requests as the client sees them. Hover over a mark for its "
                    "value.</p></footer>\n</body>\n</html>\n");
    return status_ok();
}
