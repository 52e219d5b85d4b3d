#include "tools/perf/metrics_watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/client_address.h"
#include "tools/perf/metrics_text.h"

enum { PAGE_MAX = 16 << 20, PATH_MAX_BYTES = 1024, URL_MAX = 512, ANSWER_S = 10 };

/* The gauges of one answer; NAN where it had none. */
struct scrape {
    uint64_t time_ns; /* of the question */
    double utilization[METRICS_GPUS_MAX], power[METRICS_GPUS_MAX], used[METRICS_GPUS_MAX], total[METRICS_GPUS_MAX];
    double cpu, memory, pending;
};

struct metrics_watch {
    struct infer_client *client;
    char path[PATH_MAX_BYTES];
    struct slice model;
    uint64_t interval_ns, asked_ns;
    bool waiting;
    size_t gpu_count;
    char uuids[METRICS_GPUS_MAX][METRICS_UUID_MAX]; /* in the order in which they were seen */
    struct scrape scrapes[METRICS_SCRAPES_MAX];     /* a ring */
    size_t scrape_count;                            /* ever */
    size_t taken;                                   /* values of all of them */
    size_t failed;
    struct status first_failure;
};

/* ---- answers ---- */

/* Reports, tables among them, show it as it is. */
static bool is_uuid(struct slice text) {
    static const char taken[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    for (size_t i = 0; i < text.size; i++) {
        if (memchr(taken, text.data[i], sizeof taken - 1) == NULL)
            return false;
    }
    return text.size > 0 && text.size < METRICS_UUID_MAX;
}

/* The GPU's place, a new one if need be; METRICS_GPUS_MAX when there is no room, or for a name that is none. */
static size_t place_of_gpu(struct metrics_watch *watch, struct slice uuid) {
    for (size_t i = 0; i < watch->gpu_count; i++) {
        if (slice_equal_text(uuid, watch->uuids[i]))
            return i;
    }
    if (!is_uuid(uuid) || watch->gpu_count == METRICS_GPUS_MAX)
        return METRICS_GPUS_MAX;
    memcpy(watch->uuids[watch->gpu_count], uuid.data, uuid.size);
    return watch->gpu_count++;
}

static void take_gpu(struct metrics_watch *watch, struct scrape *scrape, const struct metrics_sample *sample) {
    const struct {
        const char *name;
        double *values;
    } gauges[] = {{"nv_gpu_utilization", scrape->utilization},
                  {"nv_gpu_power_usage", scrape->power},
                  {"nv_gpu_memory_used_bytes", scrape->used},
                  {"nv_gpu_memory_total_bytes", scrape->total}};
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        if (!slice_equal_text(sample->name, gauges[i].name))
            continue;
        watch->taken++;
        size_t place = place_of_gpu(watch, metrics_text_label(sample, "gpu_uuid"));
        if (place < METRICS_GPUS_MAX)
            gauges[i].values[place] = sample->value;
    }
}

static void take_sample(struct metrics_watch *watch, struct scrape *scrape, const struct metrics_sample *sample) {
    bool cpu = slice_equal_text(sample->name, "nv_cpu_utilization");
    bool memory = slice_equal_text(sample->name, "nv_cpu_memory_used_bytes");
    bool pending = slice_equal_text(sample->name, "nv_inference_pending_request_count");
    take_gpu(watch, scrape, sample);
    watch->taken += cpu || memory || pending;
    if (cpu)
        scrape->cpu = sample->value;
    if (memory)
        scrape->memory = sample->value;
    if (pending && slice_equal(metrics_text_label(sample, "model"), watch->model)) /* one for each version */
        scrape->pending = sample->value + (isnan(scrape->pending) ? 0 : scrape->pending);
}

static void take_page(void *user, const struct status *status, struct slice text) {
    struct metrics_watch *watch = user;
    struct metrics_sample sample;
    watch->waiting = false;
    if (!status_is_ok(status)) {
        if (watch->failed++ == 0)
            watch->first_failure = *status;
        return;
    }
    struct scrape *scrape = &watch->scrapes[watch->scrape_count++ % METRICS_SCRAPES_MAX];
    *scrape = (struct scrape){.time_ns = watch->asked_ns, .cpu = NAN, .memory = NAN, .pending = NAN};
    for (size_t i = 0; i < METRICS_GPUS_MAX; i++)
        scrape->utilization[i] = scrape->power[i] = scrape->used[i] = scrape->total[i] = NAN;
    while (metrics_text_next(&text, &sample))
        take_sample(watch, scrape, &sample);
}

/* ---- questions ---- */

static void ask(struct metrics_watch *watch, uint64_t now_ns) {
    watch->asked_ns = now_ns;
    watch->waiting = true;
    struct status status = infer_client_fetch(watch->client, watch->path, take_page, watch);
    if (!status_is_ok(&status))
        take_page(watch, &status, (struct slice){NULL, 0});
}

void metrics_watch_tick(struct metrics_watch *watch, uint64_t now_ns) {
    if (watch->waiting)
        infer_client_poll(watch->client, 0);
    if (watch->waiting || now_ns < watch->asked_ns + watch->interval_ns)
        return;
    infer_client_wait(watch->client, 0); /* the server may have ended the connection since */
    ask(watch, now_ns);
    infer_client_poll(watch->client, 0);
}

size_t metrics_watch_failures(const struct metrics_watch *watch, struct status *ret_first) {
    *ret_first = watch->first_failure;
    return watch->failed;
}

/* ---- sums ---- */

static void add_to_mean(struct metrics_gauge *gauge, double value) {
    if (isnan(value))
        return;
    gauge->count++;
    gauge->value += (value - gauge->value) / (double)gauge->count;
}

static void add_to_maximum(struct metrics_gauge *gauge, double value) {
    if (isnan(value))
        return;
    gauge->value = gauge->count > 0 ? fmax(gauge->value, value) : value;
    gauge->count++;
}

void metrics_watch_sum_up(const struct metrics_watch *watch, uint64_t from_ns, uint64_t to_ns,
                          struct metrics_summary *ret) {
    *ret = (struct metrics_summary){.collected = true, .gpu_count = watch->gpu_count};
    for (size_t i = 0; i < watch->gpu_count; i++)
        memcpy(ret->gpus[i].uuid, watch->uuids[i], METRICS_UUID_MAX);
    size_t kept = watch->scrape_count < METRICS_SCRAPES_MAX ? watch->scrape_count : METRICS_SCRAPES_MAX;
    for (size_t s = 0; s < kept; s++) {
        const struct scrape *scrape = &watch->scrapes[s];
        if (scrape->time_ns < from_ns || scrape->time_ns > to_ns)
            continue;
        ret->scrapes++;
        for (size_t i = 0; i < watch->gpu_count; i++) {
            add_to_mean(&ret->gpus[i].utilization, scrape->utilization[i]);
            add_to_mean(&ret->gpus[i].power, scrape->power[i]);
            add_to_maximum(&ret->gpus[i].memory_used, scrape->used[i]);
            add_to_maximum(&ret->gpus[i].memory_total, scrape->total[i]);
        }
        add_to_mean(&ret->cpu, scrape->cpu);
        add_to_maximum(&ret->memory, scrape->memory);
        add_to_mean(&ret->pending, scrape->pending);
    }
}

/* ---- life ---- */

/* "https://host:8002/metrics" -> "https://host:8002" and "/metrics". */
static struct status split_url(const char *url, char *authority, char *path) {
    struct slice text = slice_of(url);
    size_t at = 0;
    const char *scheme = strstr(url, "://");
    if (scheme != NULL)
        at = (size_t)(scheme - url) + strlen("://");
    while (at < text.size && text.data[at] != '/')
        at++;
    bool plain = at < URL_MAX && text.size - at < PATH_MAX_BYTES;
    for (size_t i = at; i < text.size; i++)
        plain = plain && text.data[i] > ' ' && text.data[i] < 127;
    if (!plain)
        return status_error(STATUS_INVALID_ARGUMENT, "expected HOST:PORT/PATH, got \"%.200s\"", url);
    snprintf(authority, URL_MAX, "%.*s", (int)at, url);
    snprintf(path, PATH_MAX_BYTES, "%s", at < text.size ? url + at : "/metrics");
    return status_ok();
}

/* Waits for one answer. */
static struct status try(struct metrics_watch *watch, const char *url) {
    ask(watch, clock_monotonic_ns());
    while (watch->waiting)
        infer_client_poll(watch->client, UINT64_MAX);
    watch->scrape_count = 0;
    if (watch->failed > 0)
        return watch->first_failure;
    if (watch->taken == 0)
        fprintf(stderr, "inferd perf: --metrics-url %s: none of the page's metrics is known\n", url);
    return status_ok();
}

struct status metrics_watch_open(const char *url, const struct infer_tls *tls, struct slice model, uint64_t interval_ns,
                                 struct metrics_watch **ret) {
    char authority[URL_MAX];
    struct metrics_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for metrics");
    watch->model = model;
    watch->interval_ns = interval_ns;
    const struct infer_client_options options = {
        .protocol = INFER_PROTOCOL_HTTP,
        .request_timeout_ns = ANSWER_S * NS_PER_S,
        .max_connections = 1,
        .max_answer_bytes = PAGE_MAX,
        .tls = client_target_has_scheme(url, "https://") ? tls : NULL,
    };
    struct status status = split_url(url, authority, watch->path);
    if (status_is_ok(&status))
        status = infer_client_open(authority, &options, &watch->client);
    if (status_is_ok(&status))
        status = try(watch, url);
    if (status_is_ok(&status)) {
        *ret = watch;
        return status;
    }
    metrics_watch_close(watch);
    return status_prefix(status, "--metrics-url %.200s", url);
}

void metrics_watch_close(struct metrics_watch *watch) {
    if (watch == NULL)
        return;
    infer_client_close(watch->client);
    free(watch);
}
