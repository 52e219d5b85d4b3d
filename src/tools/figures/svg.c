#include "tools/figures/svg.h"

#include <math.h>
#include <stdio.h>

#include "codec/json_write.h"

/* ---- text ---- */

/* What XML 1.0 forbids although it is UTF-8: controls, U+FFFE and U+FFFF. */
static bool is_forbidden(struct slice character) {
    unsigned char c = (unsigned char)character.data[0];
    if (character.size == 1)
        return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
    return character.size == 3 && c == 0xEF && (unsigned char)character.data[1] == 0xBF &&
           (unsigned char)character.data[2] >= 0xBE;
}

static const char *entity(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void svg_escape(struct buf *out, struct slice text) {
    for (size_t at = 0; at < text.size;) {
        struct slice rest = {text.data + at, text.size - at};
        size_t length = slice_utf8_length(rest);
        const char *replacement = entity(text.data[at]);
        if (length == 0 || is_forbidden((struct slice){rest.data, length}))
            replacement = "\xEF\xBF\xBD";
        if (replacement != NULL)
            buf_append_text(out, replacement);
        else
            buf_append(out, rest.data, length);
        at += length > 0 ? length : 1;
    }
}

/* ---- numbers ---- */

static void append_coordinate(struct buf *out, double value) {
    char text[64];
    double rounded = round((isfinite(value) ? value : 0) * 100) / 100;
    int size = snprintf(text, sizeof text, "%.2f", rounded == 0 ? 0 : rounded);
    while (text[size - 1] == '0')
        size--;
    if (text[size - 1] == '.')
        size--;
    buf_append(out, text, (size_t)size);
}

/* ---- elements ---- */

void svg_begin(struct buf *out, double width, double height, const char *name, struct slice css) {
    buf_append_text(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ");
    append_coordinate(out, width);
    buf_append_char(out, ' ');
    append_coordinate(out, height);
    buf_append_char(out, '"');
    svg_number(out, "width", width);
    svg_number(out, "height", height);
    svg_attribute(out, "role", "img");
    svg_attribute(out, "aria-label", name);
    buf_append_text(out, " class=\"figure\">\n");
    if (css.size > 0) {
        buf_append_text(out, "<style>\n");
        buf_append_slice(out, css);
        buf_append_text(out, "</style>\n");
    }
    svg_rect(out, "surface", 0, 0, width, height);
}

void svg_end(struct buf *out) {
    buf_append_text(out, "</svg>\n");
}

void svg_open(struct buf *out, const char *element, const char *class) {
    buf_append_char(out, '<');
    buf_append_text(out, element);
    if (class != NULL)
        svg_attribute(out, "class", class);
}

void svg_number(struct buf *out, const char *attribute, double value) {
    buf_append_char(out, ' ');
    buf_append_text(out, attribute);
    buf_append_text(out, "=\"");
    append_coordinate(out, value);
    buf_append_char(out, '"');
}

void svg_attribute(struct buf *out, const char *attribute, const char *value) {
    buf_append_char(out, ' ');
    buf_append_text(out, attribute);
    buf_append_text(out, "=\"");
    svg_escape(out, slice_of(value));
    buf_append_char(out, '"');
}

void svg_data(struct buf *out, const char *name, double value) {
    buf_append_text(out, " data-");
    buf_append_text(out, name);
    buf_append_text(out, "=\"");
    json_append_double(out, value);
    buf_append_char(out, '"');
}

void svg_data_text(struct buf *out, const char *name, const char *value) {
    buf_append_text(out, " data-");
    buf_append_text(out, name);
    buf_append_text(out, "=\"");
    svg_escape(out, slice_of(value));
    buf_append_char(out, '"');
}

void svg_close(struct buf *out) {
    buf_append_text(out, "/>\n");
}

void svg_close_tooltip(struct buf *out, const char *element, const char *tooltip) {
    buf_append_text(out, "><title>");
    svg_escape(out, slice_of(tooltip));
    buf_append_text(out, "</title></");
    buf_append_text(out, element);
    buf_append_text(out, ">\n");
}

void svg_group_begin(struct buf *out, const char *class) {
    svg_open(out, "g", class);
}

void svg_group_body(struct buf *out) {
    buf_append_text(out, ">\n");
}

void svg_group_end(struct buf *out) {
    buf_append_text(out, "</g>\n");
}

/* ---- shapes ---- */

void svg_line(struct buf *out, const char *class, double x1, double y1, double x2, double y2) {
    svg_open(out, "line", class);
    svg_number(out, "x1", x1);
    svg_number(out, "y1", y1);
    svg_number(out, "x2", x2);
    svg_number(out, "y2", y2);
    svg_close(out);
}

void svg_rect(struct buf *out, const char *class, double x, double y, double width, double height) {
    svg_open(out, "rect", class);
    svg_number(out, "x", x);
    svg_number(out, "y", y);
    svg_number(out, "width", width);
    svg_number(out, "height", height);
    svg_close(out);
}

void svg_text(struct buf *out, const char *class, double x, double y, char anchor, const char *text) {
    if (text[0] == '\0')
        return;
    svg_open(out, "text", class);
    svg_number(out, "x", x);
    svg_number(out, "y", y);
    if (anchor != 's')
        svg_attribute(out, "text-anchor", anchor == 'm' ? "middle" : "end");
    buf_append_char(out, '>');
    svg_escape(out, slice_of(text));
    buf_append_text(out, "</text>\n");
}

void svg_path_begin(struct buf *out, const char *class) {
    svg_open(out, "path", class);
    buf_append_text(out, " d=\"");
}

void svg_path_point(struct buf *out, double x, double y, bool first) {
    buf_append_char(out, first ? 'M' : 'L');
    append_coordinate(out, x);
    buf_append_char(out, ' ');
    append_coordinate(out, y);
}

void svg_path_end(struct buf *out) {
    buf_append_char(out, '"');
}
