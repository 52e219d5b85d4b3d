#include "tools/figures/measured_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct latency_part_info latency_parts[PART_COUNT] = {
#define LATENCY_PART(name, column, short_name, meaning) {column, short_name, meaning},
#include "tools/figures/latency_part.def"
#undef LATENCY_PART
};

/* Which columns of a table are which; CSV_NO_COLUMN where it has none. */
struct columns {
    size_t load, throughput, average;
    size_t limited, failed, stable, maximum; /* of inferd perf --full-csv */
    size_t parts[PART_COUNT];
    size_t ranks[RUN_MAX_PERCENTILES];
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- columns ---- */

/* "p99.9 latency" -> 99.9 */
static bool rank_of_column(struct slice name, double *ret) {
    struct slice ending = SLICE_LITERAL(" latency");
    if (!slice_starts_with(name, SLICE_LITERAL("p")) || !slice_ends_with(name, ending))
        return false;
    struct slice digits = {name.data + 1, name.size - 1 - ending.size};
    return slice_to_double(digits, ret) && *ret > 0 && *ret < 100;
}

/* Keeps ranks ascending, whatever the order of the columns. */
static struct status find_ranks(const struct csv_table *table, struct columns *columns, struct measured_run *run) {
    for (size_t c = 0; c < table->column_count; c++) {
        double rank;
        if (!rank_of_column(table->header[c], &rank) || measured_run_find_rank(run, rank) >= 0)
            continue;
        if (run->rank_count == RUN_MAX_PERCENTILES)
            return status_error(STATUS_INVALID_ARGUMENT, "line 1: more than %d percentile columns",
                                RUN_MAX_PERCENTILES);
        size_t at = run->rank_count++;
        for (; at > 0 && run->ranks[at - 1] > rank; at--) {
            run->ranks[at] = run->ranks[at - 1];
            columns->ranks[at] = columns->ranks[at - 1];
        }
        run->ranks[at] = rank;
        columns->ranks[at] = c;
    }
    return status_ok();
}

/* The average: its own column, else what the parts add up to, else the lowest percentile (the median in real files). */
static void find_average(const struct columns *columns, struct measured_run *run) {
    bool told = columns->average != CSV_NO_COLUMN || measured_run_has_parts(run);
    run->has_latency = told || run->rank_count > 0;
    run->average_rank = told || run->rank_count == 0 ? 0 : run->ranks[0];
}

static struct status find_columns(const struct csv_table *table, struct columns *columns, struct measured_run *run) {
    columns->load = csv_table_column(table, "Concurrency");
    run->is_rate = columns->load == CSV_NO_COLUMN;
    if (run->is_rate)
        columns->load = csv_table_column(table, "Request Rate");
    columns->throughput = csv_table_column(table, "Inferences/Second");
    columns->average = csv_table_column(table, "Avg latency");
    columns->limited = csv_table_column(table, "Generator Limited");
    columns->failed = csv_table_column(table, "Failed Requests");
    columns->stable = csv_table_column(table, "Stable");
    columns->maximum = csv_table_column(table, "Max latency");
    if (columns->load == CSV_NO_COLUMN || columns->throughput == CSV_NO_COLUMN)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "line 1: expected the columns \"Concurrency\" or \"Request Rate\", and "
                            "\"Inferences/Second\"; the first is \"%.*s\"",
                            SLICE_ARGS(table->header[0]));
    for (int p = 0; p < PART_COUNT; p++) {
        columns->parts[p] = csv_table_column(table, latency_parts[p].column);
        run->has_part[p] = columns->parts[p] != CSV_NO_COLUMN;
    }
    STATUS_TRY(find_ranks(table, columns, run));
    find_average(columns, run);
    return status_ok();
}

/* ---- points ---- */

/* The average, where it has no column of its own. */
static double average_of(const struct measured_run *run, const struct measured_point *point) {
    double sum = 0;
    for (int p = 0; p < PART_COUNT; p++)
        sum += point->parts_us[p];
    return run->average_rank > 0 ? point->percentiles_us[0] : sum;
}

/* A cell, or `otherwise` where the table has no such column. */
static struct status read_optional(const struct csv_table *table, size_t row, size_t column, double otherwise,
                                   double *ret) {
    *ret = otherwise;
    return column == CSV_NO_COLUMN ? status_ok() : csv_table_number(table, row, column, ret);
}

static struct status read_doubts(const struct csv_table *table, size_t row, const struct columns *columns,
                                 unsigned *ret) {
    double limited, failed, stable;
    STATUS_TRY(read_optional(table, row, columns->limited, 0, &limited));
    STATUS_TRY(read_optional(table, row, columns->failed, 0, &failed));
    STATUS_TRY(read_optional(table, row, columns->stable, 1, &stable));
    *ret = (limited > 0 ? DOUBT_LIMITED : 0u) | (failed > 0 ? DOUBT_FAILED : 0u) | (stable > 0 ? 0u : DOUBT_UNSTABLE);
    return status_ok();
}

static struct status read_point(const struct csv_table *table, size_t row, const struct columns *columns,
                                const struct measured_run *run, struct measured_point *point) {
    STATUS_TRY(csv_table_number(table, row, columns->load, &point->load));
    STATUS_TRY(csv_table_number(table, row, columns->throughput, &point->throughput));
    for (int p = 0; p < PART_COUNT; p++)
        if (run->has_part[p])
            STATUS_TRY(csv_table_number(table, row, columns->parts[p], &point->parts_us[p]));
    for (size_t i = 0; i < run->rank_count; i++)
        STATUS_TRY(csv_table_number(table, row, columns->ranks[i], &point->percentiles_us[i]));
    STATUS_TRY(read_doubts(table, row, columns, &point->doubts));
    if (columns->average != CSV_NO_COLUMN)
        return csv_table_number(table, row, columns->average, &point->latency_us);
    point->latency_us = average_of(run, point);
    return status_ok();
}

/* Percentiles above the 99th that are the longest latency of all at half of the points or more: so few requests were
 * measured that they are one and the same request. Without the longest, figures show all. */
static struct status count_shown_ranks(const struct csv_table *table, const struct columns *columns,
                                       struct measured_run *run) {
    run->shown_ranks = run->rank_count;
    while (columns->maximum != CSV_NO_COLUMN && run->shown_ranks > 1 && run->ranks[run->shown_ranks - 1] > 99) {
        size_t same = 0;
        for (size_t row = 0; row < table->row_count; row++) {
            double maximum;
            STATUS_TRY(csv_table_number(table, row, columns->maximum, &maximum));
            same += run->points[row].percentiles_us[run->shown_ranks - 1] >= maximum;
        }
        if (2 * same < table->row_count)
            break;
        run->shown_ranks--;
    }
    return status_ok();
}

static int by_load(const void *a, const void *b) {
    double x = ((const struct measured_point *)a)->load, y = ((const struct measured_point *)b)->load;
    return (x > y) - (x < y);
}

const char *measured_file_label(struct arena *arena, const char *file) {
    static const char *const endings[] = {".csv", ".json"};
    const char *slash = strrchr(file, '/');
    struct slice name = slice_of(slash != NULL ? slash + 1 : file);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (slice_ends_with(name, slice_of(endings[i])) && name.size > strlen(endings[i]))
            name.size -= strlen(endings[i]);
    char *label = arena_strdup(arena, name);
    for (size_t at = 0; label != NULL && at < name.size;) {
        size_t good = slice_utf8_prefix((struct slice){label + at, name.size - at});
        at += good;
        if (at < name.size)
            label[at++] = '?';
    }
    return label;
}

struct status measured_run_from_table(struct arena *arena, const struct csv_table *table, const char *file,
                                      const char *label, struct measured_run *ret) {
    struct measured_run run = {.file = file, .settings = {.delay_ms = -1}};
    struct columns columns;
    STATUS_TRY(find_columns(table, &columns, &run));
    if (table->row_count == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "line 2: expected a measured point, the file has none");
    if (table->row_count > RUN_MAX_POINTS)
        return status_error(STATUS_INVALID_ARGUMENT, "line %u: more than %d points",
                            (unsigned)table->lines[RUN_MAX_POINTS], RUN_MAX_POINTS);
    run.label = label != NULL ? label : measured_file_label(arena, file);
    run.points = arena_calloc(arena, table->row_count, sizeof *run.points);
    if (run.label == NULL || run.points == NULL)
        return out_of_memory();
    for (size_t row = 0; row < table->row_count; row++)
        STATUS_TRY(read_point(table, row, &columns, &run, &run.points[row]));
    if (!run.has_latency)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "line 1: expected latencies: \"Avg latency\", percentiles such as \"p50 latency\", or all "
                            "parts, \"Network+Server Send/Recv\" among them");
    STATUS_TRY(count_shown_ranks(table, &columns, &run));
    run.point_count = table->row_count;
    qsort(run.points, run.point_count, sizeof *run.points, by_load);
    *ret = run;
    return status_ok();
}

struct status measured_run_load(struct arena *arena, const char *path, const char *label, struct measured_run *ret) {
    struct csv_table table;
    STATUS_TRY(csv_table_load(arena, path, &table));
    struct status status = measured_run_from_table(arena, &table, path, label, ret);
    return status_is_ok(&status) ? status : status_prefix(status, "%s", path);
}

/* ---- questions about a run ---- */

bool measured_run_has_parts(const struct measured_run *run) {
    return run->has_part[PART_NETWORK];
}

unsigned measured_runs_doubts(const struct measured_run *const *runs, size_t count) {
    unsigned doubts = 0;
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < runs[r]->point_count; i++)
            doubts |= runs[r]->points[i].doubts;
    return doubts;
}

int measured_run_find_rank(const struct measured_run *run, double rank) {
    for (size_t i = 0; i < run->rank_count; i++)
        if (fabs(run->ranks[i] - rank) < 1e-9)
            return (int)i;
    return -1;
}

double measured_point_compute_us(const struct measured_point *point) {
    return point->parts_us[PART_COMPUTE] + point->parts_us[PART_COMPUTE_INPUT] + point->parts_us[PART_COMPUTE_INFER] +
           point->parts_us[PART_COMPUTE_OUTPUT];
}

enum load_mix measured_runs_load_mix(const struct measured_run *const *runs, size_t count) {
    size_t rates = 0;
    for (size_t r = 0; r < count; r++)
        rates += runs[r]->is_rate;
    return rates == 0 ? LOADS_CONCURRENCY : rates == count ? LOADS_RATE : LOADS_BOTH;
}

const char *measured_run_load_name(const struct measured_run *run) {
    return run->is_rate ? "request rate" : "concurrency";
}

double measured_run_outstanding(const struct measured_run *run, const struct measured_point *point) {
    return point->load * (run->settings.batch_size > 0 ? run->settings.batch_size : 1);
}
