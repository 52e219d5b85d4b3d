/* report_files.h: the files that `inferd perf` leaves: the table (-f), --json, --profile-export-file. They are gathered
 * point by point and written at the end, or when the run fails with what was measured until then. */
#ifndef INFERD_TOOLS_PERF_REPORT_FILES_H
#define INFERD_TOOLS_PERF_REPORT_FILES_H

#include "tools/perf/point.h"
#include "tools/perf/profile.h"

struct report_files {
    const struct perf_options *options; /* borrowed, as the next two */
    const struct infer_model_info *model;
    const struct server_models *models;
    struct profile profile;
    struct buf json_points;
};

/* Errors: of file_check_output, for a file that could not be written at the end. */
struct status report_files_begin(struct report_files *files, const struct perf_options *options,
                                 const struct infer_model_info *model, const struct server_models *models,
                                 const struct workload *workload) STATUS_MUST_CHECK;
void report_files_free(struct report_files *files);
/* For generator_observer; both do nothing where no file wants it. */
void report_files_window(struct report_files *files, size_t number, const struct window *window);
void report_files_record(struct report_files *files, const struct generator_record *record);
/* A point is complete; `latency` is its histogram. */
void report_files_point(struct report_files *files, const struct point *point, const struct histogram *latency);
/* Writes all that can be written. Errors: the first one, RESOURCE_EXHAUSTED or what file_write_output says; further
 * ones are told on stderr. */
struct status report_files_write(const struct report_files *files, const struct point *points,
                                 size_t count) STATUS_MUST_CHECK;

#endif
