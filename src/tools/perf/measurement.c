#include "tools/perf/measurement.h"

#include <stdlib.h>

#include "base/clock.h"

/* ---- memory ---- */

struct status measurement_open(struct measurement *self, const struct generator_setup *setup) {
    *self = (struct measurement){.setup = setup};
    for (size_t i = 0; i < MEASUREMENT_RING; i++) {
        self->windows[i] = calloc(1, sizeof(struct window));
        if (self->windows[i] == NULL)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for measurements");
    }
    return status_ok();
}

void measurement_close(struct measurement *self) {
    for (size_t i = 0; i < MEASUREMENT_RING; i++)
        free(self->windows[i]);
}

static struct window *window_at(const struct measurement *self, size_t index) {
    return self->windows[index % MEASUREMENT_RING];
}

static struct measurement_boundary *boundary_at(struct measurement *self, size_t index) {
    return &self->boundaries[index % (MEASUREMENT_RING + 1)];
}

/* ---- judging windows ---- */

static bool is_one_window(const struct measurement *self) {
    return self->setup->plan.request_count > 0;
}

/* The last windows all agree, or all are over the limit, or nothing has succeeded at all. */
static bool reached(struct measurement *self, size_t count, bool *ret_stable) {
    const struct measurement_plan *plan = &self->setup->plan;
    double rates[WINDOWS_STABLE], latencies[WINDOWS_STABLE];
    size_t over = 0, failed = 0; /* failed: windows */
    *ret_stable = false;
    if (count < WINDOWS_STABLE)
        return false;
    for (size_t i = 0; i < WINDOWS_STABLE; i++) {
        const struct window *window = window_at(self, count - WINDOWS_STABLE + i);
        rates[i] = window_throughput(window);
        latencies[i] = window_latency_ns(window, plan->percentile);
        over += plan->limit_ns > 0 && latencies[i] > (double)plan->limit_ns;
        failed += window->sample.latency.total == 0 && window->sample.failed > 0;
    }
    *ret_stable = window_values_agree(rates, WINDOWS_STABLE, plan->stability_percent) &&
                  window_values_agree(latencies, WINDOWS_STABLE, plan->stability_percent);
    return *ret_stable || over == WINDOWS_STABLE || (failed == WINDOWS_STABLE && !self->succeeded);
}

/* Window `judged` is complete with both its snapshots, or as far as it ever will be. */
static void complete(struct measurement *self) {
    const struct generator_setup *setup = self->setup;
    struct window *window = window_at(self, self->judged);
    window->before = boundary_at(self, self->judged)->snapshot;
    window->after = boundary_at(self, self->judged + 1)->snapshot;
    self->judged++;
    if (setup->observer.on_window != NULL)
        setup->observer.on_window(setup->observer.user, self->judged, window);
}

static void judge(struct measurement *self) {
    complete(self);
    self->done = is_one_window(self) || reached(self, self->judged, &self->stable) ||
                 self->judged >= self->setup->plan.max_trials;
    self->stable = self->stable || is_one_window(self);
}

void measurement_judge(struct measurement *self) {
    while (!self->done && self->judged < self->current) {
        bool late = self->current - self->judged > MEASUREMENT_LATE_MAX;
        if (!late && (boundary_at(self, self->judged)->pending || boundary_at(self, self->judged + 1)->pending))
            return;
        judge(self);
    }
}

/* ---- windows ---- */

static void on_statistics(void *user, const struct status *status, const struct infer_statistics *items, size_t count) {
    struct measurement_boundary *boundary = user;
    struct measurement *self = boundary->measurement;
    self->pending_snapshots--;
    boundary->pending = false;
    if (status_is_ok(status))
        server_snapshot_take(&self->setup->models, items, count, &boundary->snapshot);
}

/* Asks for what the server has counted up to here. A boundary that is still waiting for an old answer stays without. */
static void ask_statistics(struct measurement *self, size_t index) {
    const struct generator_setup *setup = self->setup;
    struct measurement_boundary *boundary = boundary_at(self, index);
    if (boundary->pending)
        return;
    *boundary = (struct measurement_boundary){.measurement = self};
    if (!setup->has_statistics)
        return;
    struct slice model = setup->models.count > 1 ? SLICE_LITERAL("") : setup->model;
    struct slice version = setup->models.count > 1 ? SLICE_LITERAL("") : setup->version;
    struct status status = setup->driver->ops->statistics(setup->driver, model, version, on_statistics, boundary);
    boundary->pending = status_is_ok(&status);
    self->pending_snapshots += boundary->pending;
}

static void begin_window(struct measurement *self, uint64_t start_ns, struct generator_usage usage) {
    struct window *window = window_at(self, self->current);
    sample_clear(&window->sample);
    window->start_ns = start_ns;
    window->end_ns = 0;
    window->sliced = self->setup->plan.window_ns > 0 && !is_one_window(self);
    window->usage_before = usage;
    ask_statistics(self, self->current);
}

static void end_window(struct measurement *self, uint64_t end_ns) {
    struct window *window = window_at(self, self->current);
    window->end_ns = end_ns;
    window->usage_after = generator_usage_now();
    self->current++;
    begin_window(self, end_ns, window->usage_after);
}

void measurement_begin(struct measurement *self, uint64_t now_ns) {
    self->begun = true;
    begin_window(self, now_ns, generator_usage_now());
}

/* Ends the windows whose time is over at `now_ns`. */
void measurement_pass_time(struct measurement *self, uint64_t now_ns) {
    uint64_t window_ns = self->setup->plan.window_ns;
    if (!self->begun || window_ns == 0 || is_one_window(self))
        return;
    while (!self->done && now_ns >= window_at(self, self->current)->start_ns + window_ns) {
        end_window(self, window_at(self, self->current)->start_ns + window_ns);
        measurement_judge(self);
    }
}

uint64_t measurement_window_end(const struct measurement *self) {
    uint64_t window_ns = self->setup->plan.window_ns;
    if (!self->begun || window_ns == 0 || is_one_window(self))
        return UINT64_MAX;
    return window_at(self, self->current)->start_ns + window_ns;
}

static uint64_t answers_of(const struct window *window) {
    return window->sample.latency.total + window->sample.failed;
}

const struct window *measurement_window(const struct measurement *self, size_t *ret_number) {
    *ret_number = self->current + 1;
    return self->begun && !self->done ? window_at(self, self->current) : NULL;
}

/* The window that is cut short has no whole slices: it counts as one. */
void measurement_stop(struct measurement *self, uint64_t now_ns) {
    struct window *window = window_at(self, self->current);
    if (self->begun && answers_of(window) > 0 && now_ns > window->start_ns) {
        window->sliced = false;
        end_window(self, now_ns);
    }
    self->done = self->stopped = true;
}

/* Count windows, and the one window of a request count, end with an answer. */
static void pass_answer(struct measurement *self, uint64_t now_ns) {
    const struct measurement_plan *plan = &self->setup->plan;
    struct window *window = window_at(self, self->current);
    uint64_t count = answers_of(window);
    uint64_t wanted = is_one_window(self)    ? plan->request_count
                      : plan->window_ns == 0 ? plan->window_requests
                                             : UINT64_MAX;
    if (count >= wanted && now_ns > window->start_ns)
        end_window(self, now_ns);
}

static size_t slice_of_window(const struct window *window, uint64_t window_ns, uint64_t now_ns) {
    uint64_t since = now_ns > window->start_ns ? now_ns - window->start_ns : 0;
    uint64_t slice = window->sliced ? since * SAMPLE_SLICES / window_ns : 0;
    return slice < SAMPLE_SLICES ? (size_t)slice : SAMPLE_SLICES - 1;
}

struct status measurement_timely(const struct measurement_plan *plan, const struct infer_result *result) {
    uint64_t took_ns = result->timing.end_ns - result->timing.start_ns;
    if (!status_is_ok(&result->status) || plan->timeout_ns == 0 || took_ns <= plan->timeout_ns)
        return result->status;
    return status_error(STATUS_DEADLINE_EXCEEDED, "the answer came after %llu us, behind the request's time",
                        (unsigned long long)(took_ns / NS_PER_US));
}

void measurement_record(struct measurement *self, struct sample_request *request) {
    struct window *window = window_at(self, self->current);
    request->slice = slice_of_window(window, self->setup->plan.window_ns, request->timing.end_ns);
    sample_record(&window->sample, request);
    self->succeeded = self->succeeded || status_is_ok(&request->status);
    pass_answer(self, request->timing.end_ns);
}

void measurement_note_late(struct measurement *self, uint64_t latency_ns) {
    self->tail.answered++;
    if (latency_ns > self->tail.slowest_ns)
        self->tail.slowest_ns = latency_ns;
}

/* ---- the result ---- */

struct status measurement_sum_up(struct measurement *self, struct generator_result *ret) {
    const struct window *last[WINDOWS_STABLE];
    while (self->stopped && self->judged < self->current)
        complete(self);
    size_t count = self->judged < WINDOWS_STABLE ? self->judged : WINDOWS_STABLE;
    for (size_t i = 0; i < count; i++)
        last[i] = window_at(self, self->judged - count + i);
    window_sum_up(last, count, &ret->sum);
    ret->stable = self->stable;
    ret->stopped = self->stopped;
    ret->trials = self->judged;
    ret->tail = self->tail;
    if (ret->sum.sample.latency.total > 0)
        return status_ok();
    const struct sample_failures *most = ret->sum.sample.failures;
    for (size_t code = 0; code < SAMPLE_STATUS_CODES; code++) {
        if (ret->sum.sample.failures[code].count > most->count)
            most = &ret->sum.sample.failures[code];
    }
    if (most->count > 0)
        return status_prefix(most->first, "no request succeeded");
    if (self->stopped)
        return status_error(STATUS_CANCELLED, "interrupted before any request was answered");
    return status_error(STATUS_DEADLINE_EXCEEDED, "no request was answered in %zu windows", self->judged);
}
