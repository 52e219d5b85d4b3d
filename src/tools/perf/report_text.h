/* report_text.h: what `inferd perf` says to a person: the settings, each point as perf_analyzer words it with the truth
 * about the generator beside it, and the summary. */
#ifndef INFERD_TOOLS_PERF_REPORT_TEXT_H
#define INFERD_TOOLS_PERF_REPORT_TEXT_H

#include <stdio.h>

#include "tools/perf/point.h"

void report_settings(FILE *out, const struct perf_options *options, const struct infer_model_info *model);
/* "Request concurrency: 4", "Request Rate: 200 inference requests per seconds". */
void report_load(FILE *out, const struct perf_options *options, double value);
/* A window of -v. */
void report_window(FILE *out, size_t number, double throughput, const struct window *window);
void report_point(FILE *out, const struct perf_options *options, const struct server_models *models,
                  const struct point *point);
void report_summary(FILE *out, const struct perf_options *options, const struct point *points, size_t count);

#endif
