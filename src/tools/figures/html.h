/* html.h: the few elements of a page that the report is made of. Text is escaped. Thread: as the buf. */
#ifndef INFERD_TOOLS_FIGURES_HTML_H
#define INFERD_TOOLS_FIGURES_HTML_H

#include "base/buf.h"

/* <TAG class=CLASS>text</TAG>, printf-style; class may be NULL. */
void html_element(struct buf *out, const char *tag, const char *class, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A table, cell by cell: begin, head_cell..., end_head, then row_begin, cell..., row_end, and end. */
void html_table_begin(struct buf *out);
void html_head_cell(struct buf *out, const char *text);
void html_head_text(struct buf *out, const char *text); /* of a column of texts */
void html_head_end(struct buf *out);
void html_row_begin(struct buf *out);
void html_cell_text(struct buf *out, const char *text);
void html_cell_number(struct buf *out, double value); /* as number_text */
void html_cell_load(struct buf *out, double value);   /* as load_text */
void html_cell_none(struct buf *out);                 /* nothing was measured */
void html_row_end(struct buf *out);
void html_table_end(struct buf *out);

#endif
