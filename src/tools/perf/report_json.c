#include "tools/perf/report_json.h"

#include <math.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/json_write.h"
#include "tools/perf/report_metrics.h"

static void number(struct json_writer *json, const char *name, double value) {
    json_key(json, name);
    if (isnan(value))
        json_null(json);
    else
        json_double(json, value);
}

static void count(struct json_writer *json, const char *name, uint64_t value) {
    json_key(json, name);
    json_u64(json, value);
}

static void us(struct json_writer *json, const char *name, double ns) {
    number(json, name, ns / (double)NS_PER_US);
}

static void text(struct json_writer *json, const char *name, const char *value) {
    json_key(json, name);
    json_text(json, value);
}

static void boolean(struct json_writer *json, const char *name, bool value) {
    json_key(json, name);
    json_bool(json, value);
}

/* ---- a point ---- */

static void write_latency(struct json_writer *json, const struct point *point) {
    json_key(json, "latency_us");
    json_begin_object(json);
    us(json, "average", point->latency);
    us(json, "confidence", point->latency_confidence);
    us(json, "deviation", point->deviation);
    us(json, "minimum", point->minimum);
    for (size_t i = 0; i < POINT_PERCENTILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%g", point_percentiles[i]);
        us(json, name, point->percentiles[i]);
    }
    us(json, "maximum", point->maximum);
    us(json, "judged", point->judged);
    us(json, "from_send", point->sent_latency);
    us(json, "client_send", point->send);
    us(json, "network", point_network(point));
    us(json, "client_receive", point->receive);
    json_end_object(json);
}

static void write_server(struct json_writer *json, struct slice name, const struct server_breakdown *server,
                         bool one_compute) {
    json_begin_object(json);
    json_key(json, "model");
    json_string(json, name);
    count(json, "requests", server->requests);
    count(json, "inferences", server->inferences);
    count(json, "executions", server->executions);
    us(json, "request_us", (double)server->request_ns);
    us(json, "queue_us", (double)server->queue_ns);
    if (one_compute) {
        us(json, "compute_us", (double)server->compute_infer_ns);
    } else {
        us(json, "compute_input_us", (double)server->compute_input_ns);
        us(json, "compute_infer_us", (double)server->compute_infer_ns);
        us(json, "compute_output_us", (double)server->compute_output_ns);
    }
    count(json, "cache_hits", server->cache_hits);
    count(json, "cache_misses", server->cache_misses);
    json_end_object(json);
}

static void write_generator(struct json_writer *json, const struct point *point) {
    json_key(json, "generator");
    json_begin_object(json);
    boolean(json, "valid", point->valid);
    if (!point->valid)
        text(json, "reason", point->reason);
    number(json, "cpu_share", point->cpu_share);
    number(json, "starved_share", point->starved_share);
    us(json, "cpu_per_request_us", point->cpu_per_request);
    us(json, "delay_average_us", point->delay_mean);
    us(json, "delay_p99_us", point->delay_p99);
    us(json, "delay_maximum_us", point->delay_max);
    json_end_object(json);
}

static void write_failures(struct json_writer *json, const struct point *point) {
    json_key(json, "failures");
    json_begin_array(json);
    for (size_t i = 0; i < point->failure_kinds; i++) {
        json_begin_object(json);
        text(json, "class", status_code_text(point->failures[i].code));
        count(json, "count", point->failures[i].count);
        text(json, "first", point->failures[i].message);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_histogram(struct json_writer *json, const struct histogram *latency) {
    struct histogram_bucket bucket;
    uint64_t seen = 0;
    size_t at = 0;
    json_key(json, "histogram");
    json_begin_array(json);
    while (histogram_next(latency, &at, &bucket)) {
        seen += bucket.count;
        json_begin_array(json);
        json_double(json, (double)bucket.high_ns / (double)NS_PER_US);
        json_u64(json, seen);
        json_end_array(json);
    }
    json_end_array(json);
}

void report_json_point(struct buf *out, const struct server_models *models, const struct point *point,
                       const struct histogram *latency) {
    struct json_writer json = {out, out->size > 0};
    json_begin_object(&json);
    text(&json, "load", point->load == PERF_LOAD_CONCURRENCY ? "concurrency" : "request_rate");
    number(&json, "value", point->value);
    boolean(&json, "stable", point->stable);
    boolean(&json, "interrupted", point->interrupted);
    boolean(&json, "over_limit", point->over_limit);
    count(&json, "windows", point->trials);
    number(&json, "seconds", point->seconds);
    count(&json, "requests", point->requests);
    count(&json, "responses", point->responses);
    count(&json, "failed", point->failed);
    count(&json, "unanswered", point->tail.unanswered);
    number(&json, "throughput", point->throughput);
    number(&json, "throughput_confidence", point->throughput_confidence);
    number(&json, "goodput", point->goodput);
    write_latency(&json, point);
    json_key(&json, "server");
    json_begin_array(&json);
    for (size_t m = 0; m < point->model_count; m++)
        write_server(&json, models->names[m], &point->models[m], point->one_compute);
    json_end_array(&json);
    write_generator(&json, point);
    if (point->metrics.collected)
        report_metrics_json(&json, &point->metrics);
    write_failures(&json, point);
    write_histogram(&json, latency);
    json_end_object(&json);
}

/* ---- the file ---- */

/* What is sent. A record has batches of its own. */
static void write_data(struct json_writer *json, const struct perf_options *options) {
    if (options->replay != NULL) {
        text(json, "replay", options->replay);
        number(json, "speed", options->speed);
        return;
    }
    json_key(json, "batch_size");
    json_i64(json, options->batch_size);
    if (options->text != NULL) {
        text(json, "text", options->text);
        return;
    }
    json_key(json, "input_data");
    json_begin_array(json);
    for (size_t i = 0; i < options->input_data.count; i++)
        json_string(json, slice_of(options->input_data.items[i]));
    json_end_array(json);
}

/* What ends a window; not of the loads that are one. */
static void write_windows(struct json_writer *json, const struct perf_options *options) {
    if (options->load == PERF_LOAD_FIXED || options->periodic_text != NULL)
        return;
    if (options->request_count > 0) {
        json_key(json, "request_count");
        json_i64(json, options->request_count);
        return;
    }
    text(json, "measurement_mode", options->measurement_mode);
    json_key(json, options->count_windows ? "measurement_request_count" : "measurement_interval_ms");
    json_i64(json, options->count_windows ? options->window_requests : options->interval_ms);
    number(json, "stability_percentage", options->stability_percent);
}

static void write_settings(struct json_writer *json, const struct perf_options *options,
                           const struct infer_model_info *model) {
    struct utsname machine = {0};
    (void)uname(&machine);
    json_key(json, "settings");
    json_begin_object(json);
    json_key(json, "model");
    json_string(json, model->name);
    text(json, "url", options->url);
    text(json, "service_kind", options->service_kind);
    text(json, "protocol", perf_carrier(options));
    write_data(json, options);
    if (options->protocol == PERF_HTTP && options->service == PERF_TRITON) {
        text(json, "input_tensor_format", options->input_format);
        text(json, "output_tensor_format", options->output_format);
    }
    write_windows(json, options);
    number(json, "percentile", options->percentile);
    number(json, "latency_threshold_ms", options->latency_limit_ms);
    number(json, "goodput_latency_ms", options->goodput_ms);
    if (options->load == PERF_LOAD_RATE)
        text(json, "request_distribution", options->distribution);
    text(json, "system", machine.sysname);
    text(json, "release", machine.release);
    json_key(json, "cpus");
    json_i64(json, (int64_t)sysconf(_SC_NPROCESSORS_ONLN));
    json_end_object(json);
}

void report_json(struct buf *out, const struct perf_options *options, const struct infer_model_info *model,
                 const struct buf *points) {
    struct json_writer json = json_writer_on(out);
    out->failed = out->failed || buf_failed(points);
    json_begin_object(&json);
    write_settings(&json, options, model);
    json_key(&json, "points");
    buf_append_char(out, '[');
    buf_append_slice(out, buf_slice(points));
    buf_append_char(out, ']');
    json.comma = true;
    json_end_object(&json);
    buf_append_char(out, '\n');
}
