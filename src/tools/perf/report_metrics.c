/* report_metrics.c. Source of wording and columns: perf_analyzer's inference_profiler.cc and report_writer.cc. */
#include "tools/perf/report_metrics.h"

#include <stddef.h>

/* What perf_analyzer reports of each GPU. */
static const struct {
    const char *column, *unit, *name;
    size_t gauge; /* in struct metrics_gpu */
    double scale; /* of the text's unit */
    int decimals; /* -1: six digits in all */
} gpu_gauges[] = {
    {"Avg GPU Utilization", "%", "utilization", offsetof(struct metrics_gpu, utilization), 100, -1},
    {"Avg GPU Power Usage", " watts", "power_watts", offsetof(struct metrics_gpu, power), 1, -1},
    {"Max GPU Memory Usage", " bytes", "memory_used_bytes", offsetof(struct metrics_gpu, memory_used), 1, 0},
    {"Total GPU Memory", " bytes", "memory_total_bytes", offsetof(struct metrics_gpu, memory_total), 1, 0},
};
enum { GPU_GAUGES = sizeof gpu_gauges / sizeof gpu_gauges[0], TEXT_MAX = 400 };

static const struct metrics_gauge *gauge_of(const struct metrics_gpu *gpu, size_t i) {
    return (const struct metrics_gauge *)(const void *)((const char *)gpu + gpu_gauges[i].gauge);
}

static const char *gauge_text(size_t i, double value, char text[static TEXT_MAX]) {
    if (gpu_gauges[i].decimals < 0)
        snprintf(text, TEXT_MAX, "%g", value);
    else
        snprintf(text, TEXT_MAX, "%.*f", gpu_gauges[i].decimals, value);
    return text;
}

/* ---- text ---- */

void report_metrics_text(FILE *out, const struct metrics_summary *metrics) {
    char text[TEXT_MAX];
    fputs("  Server Prometheus Metrics: \n", out);
    for (size_t i = 0; i < GPU_GAUGES; i++) {
        fprintf(out, "    %s:\n", gpu_gauges[i].column);
        for (size_t g = 0; g < metrics->gpu_count; g++) {
            const struct metrics_gauge *gauge = gauge_of(&metrics->gpus[g], i);
            if (gauge->count > 0)
                fprintf(out, "      %s : %s%s\n", metrics->gpus[g].uuid,
                        gauge_text(i, gauge->value * gpu_gauges[i].scale, text), gpu_gauges[i].unit);
        }
    }
    if (metrics->cpu.count > 0)
        fprintf(out, "    Avg CPU Utilization: %.1f%%\n", 100 * metrics->cpu.value);
    if (metrics->memory.count > 0)
        fprintf(out, "    Max Memory Usage: %.0f bytes\n", metrics->memory.value);
    if (metrics->pending.count > 0)
        fprintf(out, "    Avg pending requests: %g\n", metrics->pending.value);
    if (metrics->scrapes == 0)
        fputs("    no answer came in the measured time: shorten --metrics-interval\n", out);
}

/* ---- CSV ---- */

void report_metrics_csv_head(struct buf *out) {
    for (size_t i = 0; i < GPU_GAUGES; i++)
        buf_printf(out, ",%s", gpu_gauges[i].column);
}

void report_metrics_csv(struct buf *out, const struct metrics_summary *metrics) {
    char text[TEXT_MAX];
    for (size_t i = 0; i < GPU_GAUGES; i++) {
        buf_append_char(out, ',');
        for (size_t g = 0; g < metrics->gpu_count; g++) {
            const struct metrics_gauge *gauge = gauge_of(&metrics->gpus[g], i);
            if (gauge->count > 0)
                buf_printf(out, "%s:%s;", metrics->gpus[g].uuid, gauge_text(i, gauge->value, text));
        }
    }
}

void report_metrics_own_csv_head(struct buf *out) {
    buf_append_text(out, ",Avg CPU Utilization,Max Memory Usage,Avg Pending Requests");
}

static void append_gauge(struct buf *out, const struct metrics_gauge *gauge) {
    buf_append_char(out, ',');
    if (gauge->count > 0)
        buf_printf(out, "%.10g", gauge->value);
}

void report_metrics_own_csv(struct buf *out, const struct metrics_summary *metrics) {
    append_gauge(out, &metrics->cpu);
    append_gauge(out, &metrics->memory);
    append_gauge(out, &metrics->pending);
}

/* ---- JSON ---- */

static void write_gauge(struct json_writer *json, const char *name, const struct metrics_gauge *gauge) {
    if (gauge->count == 0)
        return;
    json_key(json, name);
    json_double(json, gauge->value);
}

void report_metrics_json(struct json_writer *json, const struct metrics_summary *metrics) {
    json_key(json, "metrics");
    json_begin_object(json);
    json_key(json, "scrapes");
    json_u64(json, metrics->scrapes);
    write_gauge(json, "cpu_utilization", &metrics->cpu);
    write_gauge(json, "memory_used_bytes", &metrics->memory);
    write_gauge(json, "pending_requests", &metrics->pending);
    json_key(json, "gpus");
    json_begin_array(json);
    for (size_t g = 0; g < metrics->gpu_count; g++) {
        json_begin_object(json);
        json_key(json, "uuid");
        json_text(json, metrics->gpus[g].uuid);
        for (size_t i = 0; i < GPU_GAUGES; i++)
            write_gauge(json, gpu_gauges[i].name, gauge_of(&metrics->gpus[g], i));
        json_end_object(json);
    }
    json_end_array(json);
    json_end_object(json);
}
