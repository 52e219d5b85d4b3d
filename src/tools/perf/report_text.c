#include "tools/perf/report_text.h"
#include "tools/perf/report_metrics.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* Whole ones, as in the table. */
static unsigned long long us(double ns) {
    return (unsigned long long)(ns / (double)NS_PER_US);
}

/* ---- settings ---- */

static void report_range(FILE *out, const struct perf_options *options) {
    const struct perf_range *range = &options->range;
    if (options->load == PERF_LOAD_INTERVALS)
        fprintf(out, "  Request intervals: %s\n", options->intervals_path);
    if (options->fixed_schedule)
        fputs("  Each item once, at its time\n", out);
    if (options->replay != NULL)
        fprintf(out, "  Replay of %s at %g times its speed\n", options->replay, options->speed);
    if (options->load == PERF_LOAD_RATE)
        fprintf(out, "  Request rates: %.*g to %.*g requests per second, %s gaps\n", POINT_LOAD_DIGITS, range->start,
                POINT_LOAD_DIGITS, range->end, options->distribution);
    if (options->load == PERF_LOAD_CONCURRENCY && range->end > 0)
        fprintf(out, "  Concurrency limit: %.0f concurrent requests\n", range->end);
}

static void report_windows(FILE *out, const struct perf_options *options) {
    if (options->request_count > 0) {
        fprintf(out, "  One window of %lld requests\n", (long long)options->request_count);
        return;
    }
    if (options->load == PERF_LOAD_FIXED || options->periodic_text != NULL) {
        fputs("  One window of all requests\n", out);
        return;
    }
    fprintf(out, "  Using \"%s\" mode for stabilization\n", options->measurement_mode);
    if (options->percentile >= 0)
        fprintf(out, "  Stabilizing using p%g latency and throughput\n", options->percentile);
    else
        fputs("  Stabilizing using average latency and throughput\n", out);
    if (options->count_windows)
        fprintf(out, "  Minimum number of samples in each window: %lld\n", (long long)options->window_requests);
    else
        fprintf(out, "  Measurement window: %lld msec\n", (long long)options->interval_ms);
}

void report_settings(FILE *out, const struct perf_options *options, const struct infer_model_info *model) {
    fprintf(out, "*** Measurement Settings ***\n  Model: %.*s at %s (%s%s)\n", SLICE_ARGS(model->name), options->url,
            options->service == PERF_TRTIS ? "TRTIS v1 over " : "", perf_carrier(options));
    if (options->replay == NULL)
        fprintf(out, "  Batch size: %lld\n", (long long)options->batch_size);
    else
        fputs("  Batch size: as recorded\n", out);
    report_windows(out, options);
    if (options->latency_limit_ms > 0)
        fprintf(out, "  Latency limit: %g msec\n", options->latency_limit_ms);
    report_range(out, options);
    fputs("  Using asynchronous calls for inference\n\n", out);
}

void report_load(FILE *out, const struct perf_options *options, double value) {
    if (options->periodic_text != NULL)
        fprintf(out, "Request concurrency: %.0f, and %.0f more after every %lld responses, %.0f in all\n", value,
                options->range.step, (long long)options->request_period, options->range.end);
    else if (options->load == PERF_LOAD_CONCURRENCY)
        fprintf(out, "Request concurrency: %.0f\n", value);
    else
        fprintf(out, "Request Rate: %.*g inference requests per seconds\n", POINT_LOAD_DIGITS, value);
}

void report_window(FILE *out, size_t number, double throughput, const struct window *window) {
    fprintf(out, "  Pass [%zu] throughput: %g infer/sec. Avg latency: %llu usec (std %llu usec). \n", number,
            throughput, us(window->sample.mean_ns), us(sample_deviation_ns(&window->sample)));
}

/* ---- a point ---- */

static void report_latencies(FILE *out, const struct perf_options *options, const struct point *point) {
    fprintf(out, "    Avg latency: %llu usec (standard deviation %llu usec", us(point->latency), us(point->deviation));
    if (!isnan(point->latency_confidence))
        fprintf(out, ", 95%% confidence +- %llu usec", us(point->latency_confidence));
    fputs(")\n", out);
    for (size_t i = 0; i < POINT_PERCENTILES; i++)
        fprintf(out, "    p%g latency: %llu usec\n", point_percentiles[i], us(point->percentiles[i]));
    if (options->percentile >= 0)
        fprintf(out, "    judged p%g latency: %llu usec\n", options->percentile, us(point->judged));
    fprintf(out, "    max latency: %llu usec\n", us(point->maximum));
    if (options->load != PERF_LOAD_CONCURRENCY)
        fprintf(out, "    Avg latency from the real send: %llu usec\n", us(point->sent_latency));
}

static void report_client(FILE *out, const struct perf_options *options, const struct point *point) {
    double wait = point->sent_latency - point->send - point->receive;
    fprintf(out, "  Client: \n    Request count: %llu\n", (unsigned long long)point->requests);
    fprintf(out, "    Throughput: %g infer/sec", point->throughput);
    if (!isnan(point->throughput_confidence))
        fprintf(out, " (95%% confidence +- %.3g)", point->throughput_confidence);
    fputc('\n', out);
    if (options->goodput_ms > 0)
        fprintf(out, "    Goodput within %g msec: %g infer/sec\n", options->goodput_ms, point->goodput);
    if (point->responses != point->requests)
        fprintf(out, "    Response Throughput: %g responses/sec\n", (double)point->responses / point->seconds);
    report_latencies(out, options, point);
    fprintf(out, "    Avg %s time: %llu usec (send %llu usec + response wait %llu usec + receive %llu usec)\n",
            perf_carrier(options), us(point->sent_latency), us(point->send), us(wait > 0 ? wait : 0),
            us(point->receive));
    for (size_t i = 0; i < point->failure_kinds; i++)
        fprintf(out, "    Failed (%s): %llu, the first: %s\n", status_code_text(point->failures[i].code),
                (unsigned long long)point->failures[i].count, point->failures[i].message);
    if ((double)point->tail.slowest_ns > point->maximum)
        fprintf(out, "    Behind the measurement: %llu more answered, the slowest after %llu usec\n",
                (unsigned long long)point->tail.answered, us((double)point->tail.slowest_ns));
    if (point->tail.unanswered > 0)
        fprintf(out, "    Unanswered: %llu of those that were in flight when the measurement was over\n",
                (unsigned long long)point->tail.unanswered);
}

static void report_server(FILE *out, const char *indent, const struct server_breakdown *server, bool one_compute) {
    uint64_t known = server->queue_ns + server->compute_input_ns + server->compute_infer_ns +
                     server->compute_output_ns + server->cache_hit_ns + server->cache_miss_ns;
    uint64_t overhead = server->request_ns > known ? server->request_ns - known : 0;
    fprintf(out, "%sInference count: %llu\n%sExecution count: %llu\n", indent, (unsigned long long)server->inferences,
            indent, (unsigned long long)server->executions);
    if (server->cache_hits + server->cache_misses > 0)
        fprintf(out, "%sCache hit count: %llu\n%sCache miss count: %llu\n", indent,
                (unsigned long long)server->cache_hits, indent, (unsigned long long)server->cache_misses);
    fprintf(out,
            "%sSuccessful request count: %llu\n%sAvg request latency: %llu usec (overhead %llu usec + queue %llu usec",
            indent, (unsigned long long)server->requests, indent, us((double)server->request_ns), us((double)overhead),
            us((double)server->queue_ns));
    if (one_compute)
        fprintf(out, " + compute %llu usec)\n", us((double)server->compute_infer_ns));
    else
        fprintf(out, " + compute input %llu usec + compute infer %llu usec + compute output %llu usec)\n",
                us((double)server->compute_input_ns), us((double)server->compute_infer_ns),
                us((double)server->compute_output_ns));
}

static void report_generator(FILE *out, const struct point *point) {
    fprintf(out, "  Generator: \n    CPU: %.1f%% of a core, %.1f usec per request\n", 100 * point->cpu_share,
            point->cpu_per_request / (double)NS_PER_US);
    if (point->load != PERF_LOAD_CONCURRENCY)
        fprintf(out, "    Send delay: avg %llu usec, p99 %llu usec, max %llu usec\n", us(point->delay_mean),
                us(point->delay_p99), us(point->delay_max));
    if (!point->valid)
        fprintf(out, "    INVALID: the generator was the bottleneck: %s\n", point->reason);
}

void report_point(FILE *out, const struct perf_options *options, const struct server_models *models,
                  const struct point *point) {
    report_client(out, options, point);
    if (point->has_server) {
        fputs("  Server: \n", out);
        report_server(out, "    ", &point->server, point->one_compute);
    } else if (point->server_missed) {
        fputs("  Server: \n    its statistics did not come in time, or went backwards\n", out);
    }
    if (point->model_count > 1)
        fputs("    Composing models: \n", out);
    for (size_t m = 1; m < point->model_count; m++) {
        fprintf(out, "    %.*s: \n", SLICE_ARGS(models->names[m]));
        report_server(out, "      ", &point->models[m], point->one_compute);
    }
    if (point->metrics.collected)
        report_metrics_text(out, &point->metrics);
    report_generator(out, point);
    if (point->interrupted)
        fprintf(out, "  Interrupted after %.3g sec: this is what was measured until then.\n", point->seconds);
    else if (!point->stable)
        fprintf(
            out,
            "  Failed to obtain stable measurement within %zu measurement windows. Please try to increase the %s.\n",
            point->trials, options->count_windows ? "--measurement-request-count" : "--measurement-interval");
    if (point->over_limit)
        fprintf(out, "  Measured latency went over the set limit of %g msec.\n", options->latency_limit_ms);
    fputc('\n', out);
}

/* Why a line of the summary is not what it seems. */
static void report_doubts(FILE *out, const struct point *point) {
    if (point->failed > 0)
        fprintf(out, " (%llu failed)", (unsigned long long)point->failed);
    if (point->over_limit)
        fputs(" (over the latency limit)", out);
    if (!point->stable)
        fputs(" (not stable)", out);
    if (!point->valid)
        fputs(" (INVALID: limited by the generator)", out);
    fputc('\n', out);
}

void report_summary(FILE *out, const struct perf_options *options, const struct point *points, size_t count) {
    if (options->percentile >= 0)
        fprintf(out, "Inferences/Second vs. Client p%g Batch Latency\n", options->percentile);
    else
        fputs("Inferences/Second vs. Client Average Batch Latency\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct point *point = &points[i];
        const char *load = options->periodic_text != NULL         ? "Periodic Concurrency"
                           : point->load == PERF_LOAD_CONCURRENCY ? "Concurrency"
                                                                  : "Request Rate";
        fprintf(out, "%s: %.*g, throughput: %g infer/sec, latency %llu usec", load, POINT_LOAD_DIGITS, point->value,
                point->throughput, us(point->judged));
        report_doubts(out, point);
    }
}
