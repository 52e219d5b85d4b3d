/* report_csv.h: the table of perf_analyzer, or where the server tells one time for compute that of perf_client 1.4 to
 * 1.12, column for column: microseconds, rows sorted by throughput; and what only we know, behind it, for those who
 * ask. Source: perf_analyzer's report_writer.cc, perf_client's perf_client.cc. */
#ifndef INFERD_TOOLS_PERF_REPORT_CSV_H
#define INFERD_TOOLS_PERF_REPORT_CSV_H

#include "base/buf.h"
#include "tools/perf/point.h"

struct csv_format {
    bool decoupled;    /* has Response Throughput */
    bool cache;        /* the model has a response cache: Server Cache Hit, Server Cache Miss */
    bool verbose;      /* --verbose-csv */
    bool full;         /* --full-csv: with columns of our own behind those */
    bool metrics;      /* --collect-metrics; they are among the verbose columns */
    double percentile; /* of --percentile; below 0: none */
};

void report_csv(struct buf *out, const struct csv_format *format, const struct point *points, size_t count);

#endif
