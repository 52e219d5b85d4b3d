/* csv_table.h: a CSV file with a header line as a table of cells.
 *
 * Source: RFC 4180, with what real files add: a byte order mark, CR LF or LF, blank lines (skipped), blanks around a
 * cell (dropped). Every row has as many cells as the header.
 * Bounds: CSV_MAX_*; what passes them is refused. Errors: INVALID_ARGUMENT that begins with the line, for the caller to
 * prefix with the file.
 * Thread: none shared. */
#ifndef INFERD_TOOLS_FIGURES_CSV_TABLE_H
#define INFERD_TOOLS_FIGURES_CSV_TABLE_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

enum { CSV_MAX_BYTES = 4 << 20, CSV_MAX_COLUMNS = 256, CSV_MAX_ROWS = 100000 };
#define CSV_MAX_NUMBER 1e15 /* so that sums stay finite */
#define CSV_NO_COLUMN ((size_t)-1)

struct csv_table {
    const struct slice *header; /* column_count names */
    size_t column_count;
    const struct slice *cells; /* row_count * column_count, by row */
    const uint32_t *lines;     /* of each row, counted from 1 */
    size_t row_count;
};

/* `text` must live as long as the table: cells point into it, except quoted ones, which are the arena's. */
struct status csv_table_parse(struct arena *arena, struct slice text, struct csv_table *ret) STATUS_MUST_CHECK;
/* Reads the file into the arena; errors name it. */
struct status csv_table_load(struct arena *arena, const char *path, struct csv_table *ret) STATUS_MUST_CHECK;

/* The first column of that name, in any case of letters; CSV_NO_COLUMN when there is none. */
size_t csv_table_column(const struct csv_table *table, const char *name);
static inline struct slice csv_table_cell(const struct csv_table *table, size_t row, size_t column) {
    return table->cells[row * table->column_count + column];
}
/* A cell as a number from 0 to CSV_MAX_NUMBER; the error names line and column. */
struct status csv_table_number(const struct csv_table *table, size_t row, size_t column, double *ret) STATUS_MUST_CHECK;

#endif
