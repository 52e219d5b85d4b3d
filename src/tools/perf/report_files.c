#include "tools/perf/report_files.h"

#include <stdio.h>

#include "base/file.h"
#include "tools/perf/report_csv.h"
#include "tools/perf/report_json.h"

void report_files_begin(struct report_files *files, const struct perf_options *options,
                        const struct infer_model_info *model, const struct server_models *models,
                        const struct workload *workload) {
    *files = (struct report_files){.options = options, .model = model, .models = models};
    profile_begin(&files->profile, options->url, "inferd", options->profile_values ? workload : NULL);
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
                                            : file_write_atomic(path, buf_slice(text));
    buf_free(text);
    return status;
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

struct status report_files_write(const struct report_files *files, const struct point *points, size_t count) {
    const struct perf_options *options = files->options;
    struct buf text = BUF_EMPTY;
    if (options->csv != NULL)
        STATUS_TRY(write_csv(files, points, count));
    if (options->json != NULL) {
        report_json(&text, options, files->model, &files->json_points);
        STATUS_TRY(write_one(options->json, &text));
    }
    if (options->profile_export == NULL)
        return status_ok();
    if (files->profile.dropped > 0)
        fprintf(stderr, "inferd perf: %s: %zu requests were left out, for want of room\n", options->profile_export,
                files->profile.dropped);
    profile_write(&files->profile, &text);
    return write_one(options->profile_export, &text);
}
