/* report_sections.h: the sections of the report, each with what it needs to be there at all.
 *
 * Internal to the report. */
#ifndef INFERD_TOOLS_FIGURES_REPORT_SECTIONS_H
#define INFERD_TOOLS_FIGURES_REPORT_SECTIONS_H

#include "tools/figures/report_page.h"
#include "tools/figures/run_list.h"

/* Some of the report's runs. */
struct run_selection {
    const struct measured_run *runs[RUN_LIST_MAX];
    size_t count;
};

/* Those of a sweep ("static", ...); NULL: those of none. */
struct run_selection report_select(const struct report *report, const char *sweep);

/* A picture with these runs; nothing when the kind applies to none of them. */
struct status report_figure(struct buf *out, struct arena *arena, const struct report *report, const char *kind,
                            const struct run_selection *selection) STATUS_MUST_CHECK;

struct report_section {
    const char *id, *title;
    bool per_model; /* written for the runs of each model by themselves: only those are comparable */
    bool (*applies)(const struct report *report);
    struct status (*write)(struct buf *out, struct arena *arena, const struct report *report);
};
enum { REPORT_SECTIONS = 8 };
extern const struct report_section report_sections[REPORT_SECTIONS];

/* report_tables.c */
struct status report_write_tables(struct buf *out, struct arena *arena, const struct report *report) STATUS_MUST_CHECK;
struct status report_write_environment(struct buf *out, struct arena *arena,
                                       const struct report *report) STATUS_MUST_CHECK;
/* report_advice.c */
struct status report_write_advice(struct buf *out, struct arena *arena, const struct report *report) STATUS_MUST_CHECK;

#endif
