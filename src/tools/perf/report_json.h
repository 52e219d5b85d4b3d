/* report_json.h: everything that is known about every point, for machines: --json FILE.
 *
 * An object with "settings" and "points"; members are named as in struct point, times in microseconds. A point's
 * "histogram" lists [upper bound in us, requests up to it] wherever the count grows: the distribution of its latency.
 */
#ifndef INFERD_TOOLS_PERF_REPORT_JSON_H
#define INFERD_TOOLS_PERF_REPORT_JSON_H

#include "base/buf.h"
#include "tools/perf/point.h"

/* Appends a point as a JSON object, with a comma before it where `out` has one already. */
void report_json_point(struct buf *out, const struct server_models *models, const struct point *point,
                       const struct histogram *latency);
/* The whole file from the points so far. */
void report_json(struct buf *out, const struct perf_options *options, const struct infer_model_info *model,
                 const struct buf *points);

#endif
