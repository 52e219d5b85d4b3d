#include "api/metrics_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/gpu_usage.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "record/recorder.h"
#include "trace/tracer.h"

struct metrics_state {
    struct metrics_options options;
    struct machine_usage *machine;
    struct gpu_usage *gpus; /* NULL: they are not wanted */
};

/* A ready model version with its counters. */
struct model_row {
    struct slice name;
    int64_t version;
    struct slice tags;
    struct model_statistics statistics;
};

struct metrics_options metrics_options_default(void) {
    return (struct metrics_options){.counter_latencies = true,
                                    .histogram_latencies = true,
                                    .cpu = true,
                                    .gpus = true,
                                    .interval_ns = 2000 * NS_PER_MS};
}

struct status metrics_options_apply(struct metrics_options *options, struct slice setting) {
    struct slice name, value;
    if (!slice_split(setting, '=', &name, &value))
        return status_error(STATUS_INVALID_ARGUMENT, "expected name=value, got '%.*s'", SLICE_ARGS(setting));
    const struct {
        const char *name;
        bool *field;
    } settings[] = {
        {"counter_latencies", &options->counter_latencies},
        {"histogram_latencies", &options->histogram_latencies},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (!slice_equal_text(name, settings[i].name))
            continue;
        *settings[i].field = slice_equal_text(value, "true");
        if (!*settings[i].field && !slice_equal_text(value, "false"))
            return status_error(STATUS_INVALID_ARGUMENT, "%s: expected true or false, got '%.*s'", settings[i].name,
                                SLICE_ARGS(value));
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "unknown setting '%.*s': expected counter_latencies or histogram_latencies", SLICE_ARGS(name));
}

struct metrics_state *metrics_state_create(const struct metrics_options *options, const struct log *log) {
    struct metrics_state *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    const struct gpu_usage_options gpus = {NVML_LIBRARY, options->interval_ns, GPU_USAGE_PATIENCE_S * NS_PER_S, log};
    state->options = *options;
    state->machine = machine_usage_create(options->interval_ns);
    state->gpus = options->gpus ? gpu_usage_create(&gpus) : NULL;
    if (state->machine && (state->gpus || !options->gpus))
        return state;
    metrics_state_destroy(state);
    return NULL;
}

void metrics_state_destroy(struct metrics_state *state) {
    if (!state)
        return;
    gpu_usage_destroy(state->gpus);
    machine_usage_destroy(state->machine);
    free(state);
}

struct machine_usage *metrics_state_machine(struct metrics_state *state) {
    return state->machine;
}

static void write_head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label value: backslash, quote and line feed are escaped. */
static void write_escaped(struct buf *out, struct slice value) {
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c == '\n') {
            buf_append_text(out, "\\n");
            continue;
        }
        if (c == '\\' || c == '"')
            buf_append_char(out, '\\');
        buf_append_char(out, c);
    }
}

/* "{model="m",version="1"<more labels>" up to the closing brace, which is the caller's. */
static void write_labels(struct buf *out, const struct model_row *row) {
    buf_append_text(out, "{model=\"");
    write_escaped(out, row->name);
    buf_printf(out, "\",version=\"%" PRId64 "\"", row->version);
    buf_append_slice(out, row->tags);
}

static void write_failures(struct buf *out, const struct model_row *rows, size_t count) {
    static const char *const reasons[FAILURE_REASON_COUNT] = {
        [FAILURE_REJECTED] = "REJECTED",
        [FAILURE_CANCELED] = "CANCELED",
        [FAILURE_BACKEND] = "BACKEND",
        [FAILURE_OTHER] = "OTHER",
    };
    const char *name = "nv_inference_request_failure";
    write_head(out, name, "counter", "Number of failed inference requests, all batch sizes");
    for (size_t i = 0; i < count; i++) {
        for (int reason = 0; reason < FAILURE_REASON_COUNT; reason++) {
            buf_append_text(out, name);
            write_labels(out, &rows[i]);
            buf_printf(out, ",reason=\"%s\"} %" PRIu64 "\n", reasons[reason], rows[i].statistics.failures[reason]);
        }
    }
}

/* Buckets are cumulative on the wire; the text tells durations in seconds. */
static void write_histogram(struct buf *out, const char *name, const struct model_row *row,
                            const struct latency_histogram *histogram) {
    uint64_t count = 0;
    for (int i = 0; i <= LATENCY_BOUND_COUNT; i++) {
        count += histogram->counts[i];
        buf_printf(out, "%s_bucket", name);
        write_labels(out, row);
        if (i < LATENCY_BOUND_COUNT)
            buf_printf(out, ",le=\"%g\"} %" PRIu64 "\n", (double)latency_bounds_ns[i] / (double)NS_PER_S, count);
        else
            buf_printf(out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
    }
    buf_printf(out, "%s_sum", name);
    write_labels(out, row);
    buf_printf(out, "} %.9f\n%s_count", (double)histogram->sum_ns / (double)NS_PER_S, name);
    write_labels(out, row);
    buf_printf(out, "} %" PRIu64 "\n", count);
}

/* The text format wants all series of a name together, so every metric walks over the models. */
static void write_models(struct buf *out, const struct metrics_options *options, const struct model_row *rows,
                         size_t count) {
#define MODEL_METRIC(name, type, help, format, value)                                                                  \
    write_head(out, name, type, help);                                                                                 \
    for (size_t i = 0; i < count; i++) {                                                                               \
        const struct model_statistics *s = &rows[i].statistics;                                                        \
        buf_append_text(out, name);                                                                                    \
        write_labels(out, &rows[i]);                                                                                   \
        buf_printf(out, "} " format "\n", value);                                                                      \
    }
#define MODEL_LATENCY(name, help, value)                                                                               \
    if (options->counter_latencies) {                                                                                  \
        MODEL_METRIC(name, "counter", help, "%" PRIu64, (value) / NS_PER_US)                                           \
    }
#define MODEL_HISTOGRAM(name, help, member)                                                                            \
    if (options->histogram_latencies) {                                                                                \
        write_head(out, name, "histogram", help);                                                                      \
        for (size_t i = 0; i < count; i++)                                                                             \
            write_histogram(out, name, &rows[i], &rows[i].statistics.member);                                          \
    }
#include "api/metrics.def"
#undef MODEL_METRIC
#undef MODEL_LATENCY
#undef MODEL_HISTOGRAM
    write_failures(out, rows, count);
}

static void write_machine(struct buf *out, struct machine_usage *machine) {
    double utilization;
    if (machine_usage_cpu(machine, &utilization)) {
        write_head(out, "nv_cpu_utilization", "gauge", "CPU utilization rate in the last interval [0.0 - 1.0]");
        buf_printf(out, "nv_cpu_utilization %.6f\n", utilization);
    }
    uint64_t total, used;
    if (machine_usage_memory(&total, &used)) {
        write_head(out, "nv_cpu_memory_total_bytes", "gauge", "CPU total memory (RAM), in bytes");
        buf_printf(out, "nv_cpu_memory_total_bytes %" PRIu64 "\n", total);
        write_head(out, "nv_cpu_memory_used_bytes", "gauge", "CPU used memory (RAM), in bytes");
        buf_printf(out, "nv_cpu_memory_used_bytes %" PRIu64 "\n", used);
    }
}

/* The metrics of a GPU, as Triton has them. A figure that a GPU does not tell has no row. */
static const struct {
    const char *name, *type, *help;
    size_t place; /* in struct gpu_figures */
    int decimals;
} gpu_metrics[] = {
    {"nv_gpu_utilization", "gauge", "GPU utilization rate [0.0 - 1.0)", offsetof(struct gpu_figures, utilization), 2},
    {"nv_gpu_memory_total_bytes", "gauge", "GPU total memory, in bytes", offsetof(struct gpu_figures, memory_total), 0},
    {"nv_gpu_memory_used_bytes", "gauge", "GPU used memory, in bytes", offsetof(struct gpu_figures, memory_used), 0},
    {"nv_gpu_power_usage", "gauge", "GPU power usage in watts", offsetof(struct gpu_figures, power), 3},
    {"nv_gpu_power_limit", "gauge", "GPU power management limit in watts", offsetof(struct gpu_figures, power_limit),
     3},
    {"nv_energy_consumption", "counter", "GPU energy consumption in joules since the server started",
     offsetof(struct gpu_figures, energy), 3},
};

static void write_gpus(struct buf *out, struct gpu_usage *gpus) {
    struct gpu_figures figures[NVML_GPUS_MAX];
    size_t count = gpus ? gpu_usage_read(gpus, figures) : 0;
    for (size_t metric = 0; metric < sizeof gpu_metrics / sizeof gpu_metrics[0]; metric++) {
        bool headed = false;
        for (size_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, (const char *)&figures[i] + gpu_metrics[metric].place, sizeof value);
            if (isnan(value))
                continue;
            if (!headed)
                write_head(out, gpu_metrics[metric].name, gpu_metrics[metric].type, gpu_metrics[metric].help);
            headed = true;
            buf_printf(out, "%s{gpu_uuid=\"", gpu_metrics[metric].name);
            write_escaped(out, slice_of(figures[i].uuid));
            buf_printf(out, "\"} %.*f\n", gpu_metrics[metric].decimals, value);
        }
    }
}

/* The ready versions with their counters; one that is unloaded meanwhile is left out. */
static struct status collect(struct inference_server *server, struct arena *arena, struct model_row **ret,
                             size_t *ret_count) {
    struct model_index_row *index;
    size_t index_count, count = 0;
    STATUS_TRY(inference_server_index(server, arena, &index, &index_count));
    struct model_row *rows = arena_calloc(arena, index_count, sizeof *rows);
    if (!rows)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the metrics of %zu models", index_count);
    for (size_t i = 0; i < index_count; i++) {
        struct model *model = NULL;
        if (index[i].state != MODEL_READY)
            continue;
        struct status status = inference_server_acquire_model(server, index[i].name, index[i].version, &model);
        if (!status_is_ok(&status))
            continue;
        status = model_statistics_snapshot(model, arena, &rows[count].statistics);
        model_release(model);
        if (!status_is_ok(&status))
            return status;
        rows[count].name = index[i].name;
        rows[count].version = index[i].version;
        rows[count++].tags = index[i].metric_tags;
    }
    *ret = rows;
    *ret_count = count;
    return status_ok();
}

static void write_outcomes(struct buf *out, const char *name, const char *help, struct spool_counts counts) {
    write_head(out, name, "counter", help);
    buf_printf(out, "%s{outcome=\"written\"} %" PRIu64 "\n", name, counts.written);
    buf_printf(out, "%s{outcome=\"dropped\"} %" PRIu64 "\n", name, counts.dropped);
    buf_printf(out, "%s{outcome=\"failed\"} %" PRIu64 "\n", name, counts.failed);
}

static void write_record(struct buf *out, struct recorder *recorder) {
    const char *name = "inferd_record_size_bytes";
    write_outcomes(out, "inferd_records_total",
                   "Inferences that were recorded, dropped (the queue was full) or could not be written",
                   recorder_counts(recorder));
    write_head(out, name, "gauge", "Size of the file of records");
    buf_printf(out, "%s %" PRIu64 "\n", name, recorder_file_size(recorder));
}

struct status metrics_text_write(struct inference_server *server, struct metrics_state *state, struct tracer *tracer,
                                 struct recorder *recorder, struct arena *arena, struct buf *out) {
    struct model_row *rows;
    size_t count;
    STATUS_TRY(collect(server, arena, &rows, &count));
    write_models(out, &state->options, rows, count);
    if (state->options.cpu)
        write_machine(out, state->machine);
    write_gpus(out, state->gpus);
    if (tracer)
        write_outcomes(out, "inferd_traces_total",
                       "Traces of inferences that were written, dropped (the queue was full) or lost",
                       tracer_counts(tracer));
    if (recorder)
        write_record(out, recorder);
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the metrics");
    return status_ok();
}

void metrics_handle(struct http_call *call) {
    struct buf body = BUF_EMPTY;
    const struct api_context *context = call->context;
    struct status status = metrics_text_write(context->server, context->metrics, context->tracer, context->recorder,
                                              http_exchange_arena(call->exchange), &body);
    if (status_is_ok(&status))
        http_call_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    else
        http_call_answer_error(call, &status);
    buf_free(&body);
}
