#include "tools/perf/report_files.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tools/perf/report_csv.h"
#include "tools/perf/report_json.h"

/* A path of a file-to-be, or NULL. */
static struct status check_path(const char *flag, const char *path) {
    if (path == NULL)
        return status_ok();
    if (strcmp(path, "-") == 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s -: standard output has the report; /dev/stdout is taken, and comes behind it", flag);
    struct status status = file_check_output(path);
    return status_is_ok(&status) ? status : status_prefix(status, "%s", flag);
}

struct status report_files_begin(struct report_files *files, const struct perf_options *options,
                                 const struct infer_model_info *model, const struct server_models *models,
                                 const struct workload *workload) {
    *files = (struct report_files){.options = options, .model = model, .models = models};
    profile_begin(&files->profile, options->service_kind, options->url, "inferd",
                  options->profile_values ? workload : NULL);
    STATUS_TRY(check_path("-f", options->csv));
    STATUS_TRY(check_path("--json", options->json));
    return check_path("--profile-export-file", options->profile_export);
}

void report_files_free(struct report_files *files) {
    profile_free(&files->profile);
    buf_free(&files->json_points);
}

void report_files_window(struct report_files *files, size_t number, const struct window *window) {
    if (files->options->profile_export == NULL)
        return;
    if (number == 1)
        profile_add_boundary(&files->profile, window->start_ns);
    profile_add_boundary(&files->profile, window->end_ns);
}

void report_files_record(struct report_files *files, const struct generator_record *record) {
    if (files->options->profile_export != NULL)
        profile_add_record(&files->profile, record);
}

void report_files_point(struct report_files *files, const struct point *point, const struct histogram *latency) {
    if (files->options->profile_export != NULL)
        profile_end_experiment(&files->profile, point->load == PERF_LOAD_CONCURRENCY ? "concurrency" : "request_rate",
                               point->value, point->valid);
    if (files->options->json != NULL)
        report_json_point(&files->json_points, files->models, point, latency);
}

static struct status write_one(const char *path, struct buf *text) {
    struct status status = buf_failed(text) ? status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %s", path)
                                            : file_write_output(path, buf_slice(text));
    buf_free(text);
    return status;
}

/* The first of two failures is the result. */
static struct status first_of(struct status first, struct status second) {
    if (status_is_ok(&first))
        return second;
    if (!status_is_ok(&second))
        fprintf(stderr, "inferd perf: %s\n", second.message);
    return first;
}

static struct status write_csv(const struct report_files *files, const struct point *points, size_t count) {
    const struct csv_format format = {
        .decoupled = files->model->decoupled,
        .cache = files->model->has_response_cache,
        .verbose = files->options->verbose_csv || files->options->full_csv,
        .full = files->options->full_csv,
        .metrics = files->options->collect_metrics,
        .percentile = files->options->percentile,
    };
    struct buf text = BUF_EMPTY;
    report_csv(&text, &format, points, count);
    return write_one(files->options->csv, &text);
}

static struct status write_json(const struct report_files *files) {
    struct buf text = BUF_EMPTY;
    report_json(&text, files->options, files->model, &files->json_points);
    return write_one(files->options->json, &text);
}

static struct status write_profile(const struct report_files *files) {
    const char *path = files->options->profile_export;
    struct buf text = BUF_EMPTY;
    if (files->profile.dropped > 0)
        fprintf(stderr, "inferd perf: %s: %zu requests were left out, for want of room\n", path,
                files->profile.dropped);
    if (files->profile.cut > 0)
        fprintf(stderr, "inferd perf: %s: the values of %zu requests were left out, for want of room\n", path,
                files->profile.cut);
    profile_write(&files->profile, &text);
    return write_one(path, &text);
}

struct status report_files_write(const struct report_files *files, const struct point *points, size_t count) {
    const struct perf_options *options = files->options;
    struct status status = status_ok();
    if (options->csv != NULL)
        status = write_csv(files, points, count);
    if (options->json != NULL)
        status = first_of(status, write_json(files));
    if (options->profile_export != NULL)
        status = first_of(status, write_profile(files));
    return status;
}
