#include "tools/figures/html.h"

#include <stdarg.h>
#include <stdio.h>

#include "tools/figures/scale.h"
#include "tools/figures/svg.h"

enum { TEXT_MAX = 2048 };

static void open_tag(struct buf *out, const char *tag, const char *class) {
    svg_open(out, tag, class);
    buf_append_char(out, '>');
}

static void close_tag(struct buf *out, const char *tag) {
    buf_printf(out, "</%s>", tag);
}

void html_element(struct buf *out, const char *tag, const char *class, const char *format, ...) {
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    open_tag(out, tag, class);
    svg_escape(out, slice_of(text));
    close_tag(out, tag);
    buf_append_char(out, '\n');
}

void html_table_begin(struct buf *out) {
    buf_append_text(out, "<div class=\"scroll\"><table><thead><tr>");
}

void html_head_text(struct buf *out, const char *text) {
    buf_append_text(out, "<th scope=\"col\" class=\"text\">");
    svg_escape(out, slice_of(text));
    close_tag(out, "th");
}

void html_head_cell(struct buf *out, const char *text) {
    buf_append_text(out, "<th scope=\"col\">");
    svg_escape(out, slice_of(text));
    close_tag(out, "th");
}

void html_head_end(struct buf *out) {
    buf_append_text(out, "</tr></thead><tbody>\n");
}

void html_row_begin(struct buf *out) {
    buf_append_text(out, "<tr>");
}

void html_cell_text(struct buf *out, const char *text) {
    open_tag(out, "td", "text");
    svg_escape(out, slice_of(text));
    close_tag(out, "td");
}

void html_cell_number(struct buf *out, double value) {
    char text[TICK_TEXT_MAX];
    buf_printf(out, "<td>%s</td>", number_text(value, text));
}

void html_cell_load(struct buf *out, double value) {
    char text[TICK_TEXT_MAX];
    buf_printf(out, "<td>%s</td>", load_text(value, text));
}

void html_cell_none(struct buf *out) {
    buf_append_text(out, "<td>\xE2\x80\x93</td>");
}

void html_row_end(struct buf *out) {
    buf_append_text(out, "</tr>\n");
}

void html_table_end(struct buf *out) {
    buf_append_text(out, "</tbody></table></div>\n");
}
