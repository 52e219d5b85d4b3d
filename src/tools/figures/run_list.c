#include "tools/figures/run_list.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

struct status run_list_create(struct arena *arena, struct run_list *ret) {
    *ret = (struct run_list){.runs = arena_calloc(arena, RUN_LIST_MAX, sizeof *ret->runs)};
    return ret->runs != NULL ? status_ok() : out_of_memory();
}

struct status run_list_add(struct arena *arena, struct run_list *list, const char *path, const char *label) {
    if (list->count == RUN_LIST_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: more than %d files", path, RUN_LIST_MAX);
    STATUS_TRY(measured_run_load(arena, path, label, &list->runs[list->count]));
    list->count++;
    return status_ok();
}

/* ---- the list ---- */

/* A row of a list under construction. */
struct list_row {
    struct arena *arena;
    const struct csv_table *table;
    size_t row;
};

/* NULL where there is no such column, or nothing in it. */
static struct status read_text(const struct list_row *row, const char *name, const char **ret) {
    size_t column = csv_table_column(row->table, name);
    struct slice cell = column != CSV_NO_COLUMN ? csv_table_cell(row->table, row->row, column) : slice_of(NULL);
    *ret = NULL;
    if (cell.size == 0)
        return status_ok();
    if (!slice_is_utf8(cell) || memchr(cell.data, '\0', cell.size) != NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "line %u, column \"%s\": expected UTF-8 text",
                            (unsigned)row->table->lines[row->row], name);
    *ret = arena_strdup(row->arena, cell);
    return *ret != NULL ? status_ok() : out_of_memory();
}

static struct status read_number(const struct list_row *row, const char *name, double *ret) {
    size_t column = csv_table_column(row->table, name);
    if (column == CSV_NO_COLUMN || csv_table_cell(row->table, row->row, column).size == 0)
        return status_ok();
    return csv_table_number(row->table, row->row, column, ret);
}

static struct status read_settings(const struct list_row *row, struct run_settings *ret) {
    STATUS_TRY(read_text(row, "sweep", &ret->sweep));
    STATUS_TRY(read_text(row, "model", &ret->model));
    STATUS_TRY(read_text(row, "precision", &ret->precision));
    STATUS_TRY(read_text(row, "protocol", &ret->protocol));
    STATUS_TRY(read_number(row, "max_seq_length", &ret->max_seq_length));
    STATUS_TRY(read_number(row, "max_batch_size", &ret->max_batch_size));
    STATUS_TRY(read_number(row, "batch_size", &ret->batch_size));
    STATUS_TRY(read_number(row, "delay_ms", &ret->delay_ms));
    return read_number(row, "instances", &ret->instances);
}

/* "dir/runs.csv" and "a.csv" -> "dir/a.csv" */
static const char *beside(struct arena *arena, const char *list, const char *file) {
    const char *slash = strrchr(list, '/');
    if (file[0] == '/' || slash == NULL)
        return file;
    return arena_printf(arena, "%.*s/%s", (int)(slash - list), list, file);
}

static struct status add_row(const struct list_row *row, struct run_list *list, const char *path) {
    const char *file, *label;
    STATUS_TRY(read_text(row, "file", &file));
    STATUS_TRY(read_text(row, "label", &label));
    if (file == NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "line %u: expected a file", (unsigned)row->table->lines[row->row]);
    file = beside(row->arena, path, file);
    if (file == NULL)
        return out_of_memory();
    STATUS_TRY(run_list_add(row->arena, list, file, label));
    return read_settings(row, &list->runs[list->count - 1].settings);
}

struct status run_list_load(struct arena *arena, struct run_list *list, const char *path) {
    struct csv_table table;
    STATUS_TRY(csv_table_load(arena, path, &table));
    if (csv_table_column(&table, "file") == CSV_NO_COLUMN)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: line 1: expected a column \"file\", the first is \"%.*s\"",
                            path, SLICE_ARGS(table.header[0]));
    for (size_t i = 0; i < table.row_count; i++) {
        struct status status = add_row(&(struct list_row){arena, &table, i}, list, path);
        if (!status_is_ok(&status))
            return status_prefix(status, "%s", path);
    }
    return status_ok();
}

/* ---- settings as text ---- */

static bool same_text(const char *a, const char *b) {
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void append(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(struct buf *out, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (out->size > 0)
        buf_append_text(out, ", ");
    buf_append_text(out, text);
}

static void append_settings(struct buf *out, const struct run_settings *settings) {
    if (settings->model != NULL)
        append(out, "%s", settings->model);
    if (settings->max_seq_length > 0)
        append(out, "%g tokens", settings->max_seq_length);
    if (settings->precision != NULL)
        append(out, "%s", settings->precision);
    if (settings->max_batch_size > 0)
        append(out, "server batches to %g", settings->max_batch_size);
    if (settings->delay_ms == 0)
        append(out, "no dynamic batching delay");
    else if (settings->delay_ms > 0)
        append(out, "dynamic batching delay %g ms", settings->delay_ms);
    if (settings->instances > 0)
        append(out, "%g %s", settings->instances, settings->instances == 1 ? "instance" : "instances");
    if (settings->batch_size > 0)
        append(out, "client batch %g", settings->batch_size);
    if (settings->protocol != NULL)
        append(out, "%s", settings->protocol);
}

/* Forgets what the other run has otherwise. */
static void keep_common(struct run_settings *common, const struct run_settings *other) {
    const char **texts[] = {&common->model, &common->precision, &common->protocol};
    const char *other_texts[] = {other->model, other->precision, other->protocol};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!same_text(*texts[i], other_texts[i]))
            *texts[i] = NULL;
    double *numbers[] = {&common->max_seq_length, &common->max_batch_size, &common->batch_size, &common->instances};
    double other_numbers[] = {other->max_seq_length, other->max_batch_size, other->batch_size, other->instances};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (*numbers[i] != other_numbers[i])
            *numbers[i] = 0;
    if (common->delay_ms != other->delay_ms)
        common->delay_ms = -1;
}

const char *run_settings_text(struct arena *arena, const struct measured_run *const *runs, size_t count) {
    struct run_settings common = runs[0]->settings;
    for (size_t i = 1; i < count; i++)
        keep_common(&common, &runs[i]->settings);
    struct buf text = BUF_EMPTY;
    append_settings(&text, &common);
    const char *copy = buf_failed(&text) ? NULL : arena_strdup(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}
