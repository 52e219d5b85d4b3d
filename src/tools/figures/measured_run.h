/* measured_run.h: what one sweep of a load generator measured: the data that all figures and tables show.
 *
 * A run is read from the CSV of perf_analyzer (plain or verbose), of `inferd perf`, or of the perf_client of 2019,
 * whose files have one "Server Compute" column in place of three and, the oldest, no percentiles. Points are sorted by
 * load. Units: microseconds, inferences per second. Thread: immutable once read. */
#ifndef INFERD_TOOLS_FIGURES_MEASURED_RUN_H
#define INFERD_TOOLS_FIGURES_MEASURED_RUN_H

#include "tools/figures/csv_table.h"
#include "tools/figures/doubt.h"

enum latency_part {
#define LATENCY_PART(name, column, short_name, meaning) PART_##name,
#include "tools/figures/latency_part.def"
#undef LATENCY_PART
    PART_COUNT
};

struct latency_part_info {
    const char *column, *short_name, *meaning;
};
extern const struct latency_part_info latency_parts[PART_COUNT];

enum { RUN_MAX_POINTS = 4096, RUN_MAX_PERCENTILES = 16 };

struct measured_point {
    double load;       /* concurrency, or requests per second that were asked for */
    double throughput; /* inferences per second */
    double latency_us; /* average of a whole request */
    double parts_us[PART_COUNT];
    double percentiles_us[RUN_MAX_PERCENTILES];
    unsigned doubts; /* doubt.h */
};

/* How the model was served and asked; 0 or NULL where nobody told. */
struct run_settings {
    const char *sweep; /* "static", "dynamic" or "instances": which section of the report it belongs to */
    const char *model, *precision, *protocol;
    double max_seq_length, max_batch_size, batch_size, instances;
    double delay_ms; /* of dynamic batching; negative: unknown */
};

struct measured_run {
    const char *label; /* UTF-8 */
    const char *file;
    bool is_rate;                      /* load is a request rate */
    bool has_part[PART_COUNT];         /* the file has the column */
    double ranks[RUN_MAX_PERCENTILES]; /* of percentiles_us: 50, 99.9; ascending */
    size_t rank_count;
    size_t shown_ranks;  /* of those, how many figures show: those beyond are of too few requests to be told from the
                            longest */
    bool has_latency;    /* of any kind */
    double average_rank; /* 0: latency_us is the average; else the file does not tell it, and this percentile stands for
                            it */
    struct run_settings settings;
    struct measured_point *points;
    size_t point_count;
};

/* The file's name without folder and ending, in the arena; bytes that are no UTF-8 become '?'. NULL when memory is
 * short. */
const char *measured_file_label(struct arena *arena, const char *file);
/* label: NULL for the file's name without folder and ending. Strings are borrowed or the arena's. Errors:
 * INVALID_ARGUMENT with file, line and column. */
struct status measured_run_load(struct arena *arena, const char *path, const char *label,
                                struct measured_run *ret) STATUS_MUST_CHECK;
/* The same from a table; `file` is for the label and for messages of others. */
struct status measured_run_from_table(struct arena *arena, const struct csv_table *table, const char *file,
                                      const char *label, struct measured_run *ret) STATUS_MUST_CHECK;

/* True when the file has all parts of the latency. A server without statistics leaves a client's own two, which are not
 * where the latency goes. */
bool measured_run_has_parts(const struct measured_run *run);
/* Index of that rank (99 for p99), or -1. */
int measured_run_find_rank(const struct measured_run *run, double rank);
/* All of the model's own time: the one column of old files, or the sum of the three. */
double measured_point_compute_us(const struct measured_point *point);
/* The doubts of any of their points. */
unsigned measured_runs_doubts(const struct measured_run *const *runs, size_t count);
/* What the loads of several runs are. */
enum load_mix { LOADS_CONCURRENCY, LOADS_RATE, LOADS_BOTH };
enum load_mix measured_runs_load_mix(const struct measured_run *const *runs, size_t count);
/* "concurrency" or "request rate". */
const char *measured_run_load_name(const struct measured_run *run);
/* Requests in flight times questions in each: what batch sizes are compared at. */
double measured_run_outstanding(const struct measured_run *run, const struct measured_point *point);

#endif
