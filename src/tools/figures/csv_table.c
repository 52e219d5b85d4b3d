#include "tools/figures/csv_table.h"

#include "base/file.h"

/* Where the reader stands. */
struct reader {
    struct arena *arena;
    const char *at, *end;
    uint32_t line;
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- cells ---- */

/* The text of a quoted cell, whose opening quote has been passed, without the doubling of quotes in it. */
static struct status read_quoted(struct reader *reader, struct slice *ret) {
    uint32_t first_line = reader->line;
    const char *from = reader->at;
    size_t size = 0;
    for (;; reader->at++, size++) {
        if (reader->at == reader->end)
            return status_error(STATUS_INVALID_ARGUMENT, "line %u: a quoted cell does not end", (unsigned)first_line);
        if (*reader->at == '\n')
            reader->line++;
        if (*reader->at != '"')
            continue;
        if (reader->at + 1 < reader->end && reader->at[1] == '"')
            reader->at++;
        else
            break;
    }
    char *text = arena_alloc(reader->arena, size);
    if (text == NULL)
        return out_of_memory();
    for (size_t i = 0; i < size; i++, from++) {
        text[i] = *from;
        from += *from == '"';
    }
    reader->at++;
    *ret = (struct slice){text, size};
    return status_ok();
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* Reads up to the comma or line end that follows the cell, which it leaves. */
static struct status read_cell(struct reader *reader, struct slice *ret) {
    while (reader->at < reader->end && is_blank(*reader->at))
        reader->at++;
    if (reader->at < reader->end && *reader->at == '"') {
        reader->at++;
        STATUS_TRY(read_quoted(reader, ret));
        while (reader->at < reader->end && is_blank(*reader->at))
            reader->at++;
        if (reader->at < reader->end && *reader->at != ',' && *reader->at != '\n')
            return status_error(STATUS_INVALID_ARGUMENT, "line %u: expected a comma after a quoted cell",
                                (unsigned)reader->line);
        return status_ok();
    }
    const char *from = reader->at;
    while (reader->at < reader->end && *reader->at != ',' && *reader->at != '\n')
        reader->at++;
    *ret = slice_trim((struct slice){from, (size_t)(reader->at - from)});
    return status_ok();
}

/* Cells of one line, at most `room`; passes its line end. */
static struct status read_line(struct reader *reader, struct slice *cells, size_t room, size_t *ret_count) {
    uint32_t line = reader->line;
    for (size_t count = 0;;) {
        if (count == room)
            return status_error(STATUS_INVALID_ARGUMENT, "line %u: more than %zu cells", (unsigned)line, room);
        STATUS_TRY(read_cell(reader, &cells[count++]));
        bool more = reader->at < reader->end && *reader->at == ',';
        if (reader->at < reader->end)
            reader->at++;
        if (more)
            continue;
        reader->line++;
        *ret_count = count;
        return status_ok();
    }
}

static void skip_blank_lines(struct reader *reader) {
    const char *at = reader->at;
    while (at < reader->end && (is_blank(*at) || *at == '\n'))
        if (*at++ == '\n') {
            reader->at = at;
            reader->line++;
        }
    if (at == reader->end)
        reader->at = at;
}

/* ---- tables ---- */

static struct status read_header(struct reader *reader, struct csv_table *ret) {
    struct slice *names = arena_calloc(reader->arena, CSV_MAX_COLUMNS, sizeof *names);
    if (names == NULL)
        return out_of_memory();
    skip_blank_lines(reader);
    if (reader->at == reader->end)
        return status_error(STATUS_INVALID_ARGUMENT, "line 1: expected a header line, got an empty file");
    ret->header = names;
    return read_line(reader, names, CSV_MAX_COLUMNS, &ret->column_count);
}

/* How many rows there can be: a row has a line, and a byte for each of its cells. So the table takes no more memory
 * than the file's size allows, however many columns the header promises. */
static size_t bound_rows(const struct reader *reader, size_t columns) {
    size_t lines = 1, full = (size_t)(reader->end - reader->at) / columns + 1;
    for (const char *at = reader->at; at < reader->end; at++)
        lines += *at == '\n';
    size_t most = lines < full ? lines : full;
    return most < CSV_MAX_ROWS ? most : CSV_MAX_ROWS;
}

static struct status read_rows(struct reader *reader, struct csv_table *ret) {
    size_t columns = ret->column_count, room = bound_rows(reader, columns);
    struct slice *cells = arena_calloc(reader->arena, room * columns, sizeof *cells);
    uint32_t *lines = arena_calloc(reader->arena, room, sizeof *lines);
    if (cells == NULL || lines == NULL)
        return out_of_memory();
    for (skip_blank_lines(reader); reader->at < reader->end; skip_blank_lines(reader)) {
        if (ret->row_count == room)
            return status_error(STATUS_INVALID_ARGUMENT, "line %u: more than %d rows", (unsigned)reader->line,
                                CSV_MAX_ROWS);
        size_t count = 0;
        lines[ret->row_count] = reader->line;
        STATUS_TRY(read_line(reader, cells + ret->row_count * columns, columns, &count));
        if (count != columns)
            return status_error(STATUS_INVALID_ARGUMENT, "line %u: expected %zu cells as in the header, got %zu",
                                (unsigned)lines[ret->row_count], columns, count);
        ret->row_count++;
    }
    ret->cells = cells;
    ret->lines = lines;
    return status_ok();
}

struct status csv_table_parse(struct arena *arena, struct slice text, struct csv_table *ret) {
    if (text.size > CSV_MAX_BYTES)
        return status_error(STATUS_INVALID_ARGUMENT, "line 1: the file has %zu bytes, at most %d are read", text.size,
                            CSV_MAX_BYTES);
    if (slice_starts_with(text, SLICE_LITERAL("\xEF\xBB\xBF")))
        text = (struct slice){text.data + 3, text.size - 3};
    struct csv_table table = {0};
    struct reader reader = {arena, text.data, text.data + text.size, 1};
    STATUS_TRY(read_header(&reader, &table));
    STATUS_TRY(read_rows(&reader, &table));
    *ret = table;
    return status_ok();
}

struct status csv_table_load(struct arena *arena, const char *path, struct csv_table *ret) {
    struct buf content = BUF_EMPTY;
    struct status status = file_read(path, CSV_MAX_BYTES, &content);
    struct slice text = status_is_ok(&status) ? arena_copy(arena, buf_slice(&content)) : (struct slice){NULL, 0};
    if (status_is_ok(&status) && text.size != content.size)
        status = out_of_memory();
    buf_free(&content);
    if (!status_is_ok(&status))
        return status;
    status = csv_table_parse(arena, text, ret);
    return status_is_ok(&status) ? status : status_prefix(status, "%s", path);
}

size_t csv_table_column(const struct csv_table *table, const char *name) {
    for (size_t i = 0; i < table->column_count; i++)
        if (slice_equal_nocase(table->header[i], slice_of(name)))
            return i;
    return CSV_NO_COLUMN;
}

struct status csv_table_number(const struct csv_table *table, size_t row, size_t column, double *ret) {
    struct slice cell = csv_table_cell(table, row, column);
    double value;
    if (!slice_to_double(cell, &value) || !(value >= 0 && value <= CSV_MAX_NUMBER))
        return status_error(
            STATUS_INVALID_ARGUMENT, "line %u, column \"%.*s\": expected a number from 0 to %g, got \"%.*s\"",
            (unsigned)table->lines[row], SLICE_ARGS(table->header[column]), CSV_MAX_NUMBER, SLICE_ARGS(cell));
    *ret = value;
    return status_ok();
}
