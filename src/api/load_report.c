#include "api/load_report.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

#define INTERVAL_NS NS_PER_S

/* A model version at one reading. */
struct version_load {
    struct slice name; /* memory of the reading's arena */
    int64_t version;
    uint64_t busy_ns; /* of all its instances together, since it was loaded */
};

struct reading {
    struct arena *arena; /* NULL: there was none yet */
    uint64_t time_ns;
    uint64_t requests, failed;
    struct version_load *versions;
    size_t version_count;
};

struct load_meter {
    struct machine_usage *machine;
    pthread_mutex_t lock; /* of what follows */
    struct reading last;
    struct load_report report; /* between the last two readings */
};

struct load_meter *load_meter_create(struct machine_usage *machine) {
    struct load_meter *meter = calloc(1, sizeof *meter);
    if (!meter)
        return NULL;
    if (pthread_mutex_init(&meter->lock, NULL) != 0) {
        free(meter);
        return NULL;
    }
    meter->machine = machine;
    meter->last.time_ns = clock_monotonic_ns();
    return meter;
}

void load_meter_destroy(struct load_meter *meter) {
    if (!meter)
        return;
    arena_destroy(meter->last.arena);
    pthread_mutex_destroy(&meter->lock);
    free(meter);
}

/* Rates of counters that may have begun anew, with a model that was loaded again. The first reading may come soon after
 * the start. */
static double rate(uint64_t before, uint64_t now, uint64_t elapsed_ns) {
    if (elapsed_ns < INTERVAL_NS)
        elapsed_ns = INTERVAL_NS;
    return now > before ? (double)(now - before) * (double)NS_PER_S / (double)elapsed_ns : 0;
}

static uint64_t busy_time(const struct model_statistics *statistics) {
    uint64_t ns = 0;
    for (size_t i = 0; i < statistics->batch_count; i++)
        ns += statistics->batches[i].compute_input.ns + statistics->batches[i].compute_infer.ns +
              statistics->batches[i].compute_output.ns;
    return ns;
}

/* What the version had been busy at the reading before. The order is mostly the same: *at is where to look first. */
static uint64_t busy_before(const struct reading *before, size_t *at, const struct version_load *version) {
    for (size_t i = 0; i < before->version_count; i++) {
        size_t place = (*at + i) % before->version_count;
        const struct version_load *candidate = &before->versions[place];
        if (candidate->version != version->version || !slice_equal(candidate->name, version->name))
            continue;
        *at = place + 1;
        return candidate->busy_ns;
    }
    return 0;
}

/* Adds a ready version to the reading and to the report. */
static struct status add_version(struct model *model, const struct model_index_row *row, const struct reading *before,
                                 size_t *at, struct reading *now, struct load_report *report) {
    struct model_statistics statistics;
    STATUS_TRY(model_statistics_snapshot(model, now->arena, &statistics));
    struct version_load *version = &now->versions[now->version_count++];
    *version = (struct version_load){row->name, row->version, busy_time(&statistics)};
    now->requests += statistics.success.count + statistics.fail.count;
    now->failed += statistics.fail.count;
    report->pending_requests += statistics.pending_count;
    double share = rate(busy_before(before, at, version), version->busy_ns, now->time_ns - before->time_ns) /
                   (double)NS_PER_S / model_config_of(model)->instance_count;
    if (share > 1)
        share = 1; /* an execution is booked when it ends */
    if (share > report->application_utilization)
        report->application_utilization = share;
    return status_ok();
}

static struct status read_versions(struct inference_server *server, const struct reading *before, struct reading *now,
                                   struct load_report *report) {
    struct model_index_row *rows;
    size_t count, at = 0;
    STATUS_TRY(inference_server_index(server, now->arena, &rows, &count));
    now->versions = arena_calloc(now->arena, count, sizeof *now->versions);
    if (!now->versions)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a load report");
    for (size_t i = 0; i < count; i++) {
        struct model *model = NULL;
        if (rows[i].state != MODEL_READY)
            continue;
        struct status status = inference_server_acquire_model(server, rows[i].name, rows[i].version, &model);
        if (!status_is_ok(&status))
            continue; /* unloaded just now */
        status = add_version(model, &rows[i], before, &at, now, report);
        model_release(model);
        if (!status_is_ok(&status))
            return status;
    }
    return status_ok();
}

static bool take_reading(struct load_meter *meter, struct inference_server *server, uint64_t now_ns) {
    struct reading now = {.arena = arena_create(0), .time_ns = now_ns};
    struct load_report report = {0};
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a load report");
    if (now.arena)
        status = read_versions(server, &meter->last, &now, &report);
    if (!status_is_ok(&status)) {
        arena_destroy(now.arena);
        return false;
    }
    uint64_t elapsed_ns = now_ns - meter->last.time_ns, total, used;
    report.rps_fractional = rate(meter->last.requests, now.requests, elapsed_ns);
    report.eps = rate(meter->last.failed, now.failed, elapsed_ns);
    if (meter->machine)
        (void)machine_usage_cpu(meter->machine, &report.cpu_utilization);
    if (meter->machine && machine_usage_memory(&total, &used) && total > 0)
        report.mem_utilization = (double)used / (double)total;
    arena_destroy(meter->last.arena);
    meter->last = now;
    meter->report = report;
    return true;
}

bool load_meter_read(struct load_meter *meter, struct inference_server *server, uint64_t now_ns,
                     struct load_report *ret) {
    pthread_mutex_lock(&meter->lock);
    bool fresh = meter->last.arena && now_ns < meter->last.time_ns + INTERVAL_NS;
    bool good = fresh || take_reading(meter, server, now_ns);
    *ret = meter->report;
    pthread_mutex_unlock(&meter->lock);
    return good;
}

static const char *format_text(const struct load_report *report, struct arena *arena) {
    return arena_printf(arena,
                        "TEXT cpu_utilization=%.6f, mem_utilization=%.6f, application_utilization=%.6f, "
                        "rps_fractional=%.3f, eps=%.3f, named_metrics.pending_requests=%" PRIu64,
                        report->cpu_utilization, report->mem_utilization, report->application_utilization,
                        report->rps_fractional, report->eps, report->pending_requests);
}

static const char *format_json(const struct load_report *report, struct arena *arena) {
    return arena_printf(arena,
                        "JSON {\"cpu_utilization\":%.6f,\"mem_utilization\":%.6f,\"application_utilization\":%.6f,"
                        "\"rps_fractional\":%.3f,\"eps\":%.3f,\"named_metrics\":{\"pending_requests\":%" PRIu64 "}}",
                        report->cpu_utilization, report->mem_utilization, report->application_utilization,
                        report->rps_fractional, report->eps, report->pending_requests);
}

const char *load_report_format(const struct load_report *report, struct slice format, struct arena *arena) {
    if (slice_equal_nocase(format, SLICE_LITERAL("text")))
        return format_text(report, arena);
    if (slice_equal_nocase(format, SLICE_LITERAL("json")))
        return format_json(report, arena);
    return NULL;
}

bool load_report_header(const struct api_context *context, struct http_exchange *exchange, struct http_header *ret) {
    struct slice format;
    struct load_report report;
    if (!http_request_header(http_exchange_request(exchange), "endpoint-load-metrics-format", &format) ||
        !load_meter_read(context->load, context->server, clock_monotonic_ns(), &report))
        return false;
    const char *text = load_report_format(&report, format, http_exchange_arena(exchange));
    *ret = (struct http_header){SLICE_LITERAL("endpoint-load-metrics"), slice_of(text)};
    return text != NULL;
}
