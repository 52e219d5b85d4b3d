#include "tools/figures/report_page.h"

#include <stdlib.h>

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

struct status report_page_write(struct buf *out, struct arena *arena, const struct report *report) {
    write_head(out, report);
    for (size_t i = 0; i < REPORT_SECTIONS; i++) {
        const struct report_section *section = &report_sections[i];
        if (!section->applies(report))
            continue;
        buf_printf(out, "<section id=\"%s\">\n", section->id);
        html_element(out, "h2", NULL, "%s", section->title);
        STATUS_TRY(section->write(out, arena, report));
        buf_append_text(out, "</section>\n");
    }
    buf_append_text(out,
                    "</main>\n<footer><p class=\"note\">Throughput counts inferences (questions) per second; latency "
                    "is that of whole requests as the client sees them. Hover over a mark for its "
                    "value.</p></footer>\n</body>\n</html>\n");
    return status_ok();
}
