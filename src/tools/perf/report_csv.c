#include "tools/perf/report_csv.h"

#include <math.h>

#include "base/clock.h"
#include "tools/perf/report_metrics.h"

static unsigned long long us(double ns) {
    return (unsigned long long)(ns > 0 ? ns / (double)NS_PER_US : 0);
}

static bool any_server(const struct point *points, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (points[i].has_server)
            return true;
    }
    return false;
}

/* "p99 latency", or "p99.5 latency". */
static void append_percentile_name(struct buf *out, double percentile) {
    buf_printf(out, ",p%g latency", percentile);
}

static bool is_standard(double percentile) {
    for (size_t i = 0; i < POINT_CSV_PERCENTILES; i++) {
        if (point_percentiles[i] == percentile)
            return true;
    }
    return false;
}

/* ---- our own columns ---- */

static void append_own_head(struct buf *out, const struct csv_format *format) {
    for (size_t i = POINT_CSV_PERCENTILES; i < POINT_PERCENTILES; i++)
        append_percentile_name(out, point_percentiles[i]);
    buf_append_text(out, ",Max latency,Throughput Confidence,Latency Confidence,Failed Requests,Stable,Generator CPU,"
                         "Send Delay p99,Generator Limited");
    if (format->metrics)
        report_metrics_own_csv_head(out);
}

static void append_own_row(struct buf *out, const struct csv_format *format, const struct point *point) {
    for (size_t i = POINT_CSV_PERCENTILES; i < POINT_PERCENTILES; i++)
        buf_printf(out, ",%llu", us(point->percentiles[i]));
    buf_printf(out, ",%llu", us(point->maximum));
    if (isnan(point->throughput_confidence))
        buf_append_text(out, ",,"); /* nobody can tell */
    else
        buf_printf(out, ",%g,%llu", point->throughput_confidence, us(point->latency_confidence));
    buf_printf(out, ",%llu,%d,%.3f,%llu,%d", (unsigned long long)point->failed, point->stable, point->cpu_share,
               us(point->delay_p99), !point->valid);
    if (format->metrics)
        report_metrics_own_csv(out, &point->metrics);
}

/* ---- perf_analyzer's ---- */

static void append_head(struct buf *out, const struct csv_format *format, const struct point *first, bool server) {
    buf_append_text(out, first->load == PERF_LOAD_CONCURRENCY ? "Concurrency," : "Request Rate,");
    buf_append_text(out, format->decoupled ? "Inferences/Second,Response Throughput,Client Send,"
                                           : "Inferences/Second,Client Send,");
    if (server)
        buf_append_text(out, "Network+Server Send/Recv,Server Queue,");
    if (server)
        buf_append_text(out, first->one_compute ? "Server Compute,"
                                                : "Server Compute Input,Server Compute Infer,Server Compute Output,");
    if (server && format->cache)
        buf_append_text(out, "Server Cache Hit,Server Cache Miss,");
    buf_append_text(out, "Client Recv");
    for (size_t i = 0; i < POINT_CSV_PERCENTILES; i++) {
        bool before = format->percentile >= 0 && !is_standard(format->percentile) &&
                      format->percentile < point_percentiles[i] &&
                      (i == 0 || format->percentile > point_percentiles[i - 1]);
        if (before)
            append_percentile_name(out, format->percentile);
        append_percentile_name(out, point_percentiles[i]);
    }
    if (format->percentile > point_percentiles[POINT_CSV_PERCENTILES - 1])
        append_percentile_name(out, format->percentile);
    if (format->verbose) /* the percentile that is judged has a column of its own already */
        buf_append_text(out, format->percentile < 0 ? ",Avg latency,request/response,response wait"
                                                    : ",request/response,response wait");
    if (format->verbose && format->metrics)
        report_metrics_csv_head(out);
    if (format->full)
        append_own_head(out, format);
    buf_append_char(out, '\n');
}

static void append_percentiles(struct buf *out, const struct csv_format *format, const struct point *point) {
    bool extra = format->percentile >= 0 && !is_standard(format->percentile);
    for (size_t i = 0; i < POINT_CSV_PERCENTILES; i++) {
        bool before = extra && format->percentile < point_percentiles[i] &&
                      (i == 0 || format->percentile > point_percentiles[i - 1]);
        if (before)
            buf_printf(out, ",%llu", us(point->judged));
        buf_printf(out, ",%llu", us(point->percentiles[i]));
    }
    if (format->percentile > point_percentiles[POINT_CSV_PERCENTILES - 1])
        buf_printf(out, ",%llu", us(point->judged));
}

static void append_row(struct buf *out, const struct csv_format *format, const struct point *point, bool server) {
    buf_printf(out, "%.*g,%g,", POINT_LOAD_DIGITS, point->value, point->throughput);
    if (format->decoupled)
        buf_printf(out, "%g,", point->seconds > 0 ? (double)point->responses / point->seconds : 0);
    buf_printf(out, "%llu,", us(point->send));
    if (server)
        buf_printf(out, "%llu,%llu,", us(point_network(point)), us((double)point->server.queue_ns));
    if (server && point->one_compute)
        buf_printf(out, "%llu,", us((double)point->server.compute_infer_ns));
    else if (server)
        buf_printf(out, "%llu,%llu,%llu,", us((double)point->server.compute_input_ns),
                   us((double)point->server.compute_infer_ns), us((double)point->server.compute_output_ns));
    if (server && format->cache)
        buf_printf(out, "%llu,%llu,", us((double)point->server.cache_hit_ns), us((double)point->server.cache_miss_ns));
    buf_printf(out, "%llu", us(point->receive));
    append_percentiles(out, format, point);
    if (format->verbose && format->percentile < 0)
        buf_printf(out, ",%llu", us(point->latency));
    if (format->verbose)
        buf_printf(out, ",%llu,%llu", us(point->send + point->receive),
                   us(point->latency - point->send - point->receive));
    if (format->verbose && format->metrics)
        report_metrics_csv(out, &point->metrics);
    if (format->full)
        append_own_row(out, format, point);
    buf_append_char(out, '\n');
}

/* The next row in the order of throughput: the lowest above (throughput, index) of the one before. */
static const struct point *next_by_throughput(const struct point *points, size_t count, const struct point *before) {
    const struct point *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct point *at = &points[i];
        bool behind = before == NULL || at->throughput > before->throughput ||
                      (!(at->throughput < before->throughput) && at > before);
        if (behind && (best == NULL || at->throughput < best->throughput))
            best = at;
    }
    return best;
}

void report_csv(struct buf *out, const struct csv_format *format, const struct point *points, size_t count) {
    bool server = any_server(points, count);
    const struct point *at = NULL;
    if (count == 0)
        return;
    append_head(out, format, &points[0], server);
    while ((at = next_by_throughput(points, count, at)) != NULL)
        append_row(out, format, at, server);
}
