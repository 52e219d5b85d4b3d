/* report_metrics.h: the server's metrics over a point, in the words of perf_analyzer, for each of the reports. */
#ifndef INFERD_TOOLS_PERF_REPORT_METRICS_H
#define INFERD_TOOLS_PERF_REPORT_METRICS_H

#include <stdio.h>

#include "base/buf.h"
#include "codec/json_write.h"
#include "tools/perf/metrics_watch.h"

void report_metrics_text(FILE *out, const struct metrics_summary *metrics);
/* Columns of --verbose-csv, each behind a comma: cells of "UUID:VALUE;" for each GPU, empty without one. */
void report_metrics_csv_head(struct buf *out);
void report_metrics_csv(struct buf *out, const struct metrics_summary *metrics);
/* Our own, of --full-csv: the machine's, and the model's queue. */
void report_metrics_own_csv_head(struct buf *out);
void report_metrics_own_csv(struct buf *out, const struct metrics_summary *metrics);
/* The member "metrics". */
void report_metrics_json(struct json_writer *json, const struct metrics_summary *metrics);

#endif
