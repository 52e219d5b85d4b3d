#include "tools/perf/generator.h"

#include <stdlib.h>

#include "base/clock.h"

enum {
    RING = 8,      /* windows kept: those to be judged, the one under way, and some whose statistics are late */
    LATE_MAX = 4,  /* windows that may wait for their statistics */
    TICK_MS = 100, /* of on_tick */
    SENDS_PER_TURN = 256
};

struct generator;

/* A request in flight. */
struct flight {
    struct generator *generator;
    struct flight *next; /* in the list of free ones */
    uint64_t due_ns;
    size_t entry;
};

/* A question for statistics: its answer is the end of one window and the start of the next. */
struct boundary {
    struct generator *generator;
    size_t index; /* of the window that starts here */
    bool pending;
    struct server_snapshot snapshot;
};

struct generator {
    const struct generator_setup *setup;
    struct schedule *schedule;
    struct window *windows[RING];
    struct boundary boundaries[RING + 1];
    bool measuring;    /* the first window has begun */
    size_t current;    /* index of the window under way */
    size_t judged;     /* windows before this one have been looked at */
    bool done, stable; /* no more sending */
    size_t in_flight;
    size_t pending_snapshots;
    uint64_t sent, ended, warm_ended;
    size_t next_entry;
    uint64_t ticked_ns;
    struct status failure; /* of sending */
    struct flight *free;
    struct flight **blocks; /* owned */
    size_t block_count;
};

enum { FLIGHTS_PER_BLOCK = 256 };

/* ---- memory ---- */

static bool add_flights(struct generator *self) {
    struct flight **blocks = realloc(self->blocks, (self->block_count + 1) * sizeof *blocks);
    if (blocks == NULL)
        return false;
    self->blocks = blocks;
    struct flight *block = calloc(FLIGHTS_PER_BLOCK, sizeof *block);
    if (block == NULL)
        return false;
    self->blocks[self->block_count++] = block;
    for (size_t i = 0; i < FLIGHTS_PER_BLOCK; i++) {
        block[i].generator = self;
        block[i].next = self->free;
        self->free = &block[i];
    }
    return true;
}

static void release(struct generator *self) {
    for (size_t i = 0; i < self->block_count; i++)
        free(self->blocks[i]);
    free(self->blocks);
    for (size_t i = 0; i < RING; i++)
        free(self->windows[i]);
}

static struct window *window_at(struct generator *self, size_t index) {
    return self->windows[index % RING];
}

static struct boundary *boundary_at(struct generator *self, size_t index) {
    return &self->boundaries[index % (RING + 1)];
}

/* ---- judging windows ---- */

static bool is_one_window(const struct generator *self) {
    return self->setup->plan.request_count > 0;
}

/* The last windows all agree, or all are over the limit. */
static bool reached(struct generator *self, size_t count, bool *ret_stable) {
    const struct measurement_plan *plan = &self->setup->plan;
    double rates[WINDOWS_STABLE], latencies[WINDOWS_STABLE];
    size_t over = 0;
    *ret_stable = false;
    if (count < WINDOWS_STABLE)
        return false;
    for (size_t i = 0; i < WINDOWS_STABLE; i++) {
        const struct window *window = window_at(self, count - WINDOWS_STABLE + i);
        rates[i] = window_throughput(window, self->setup->batch_size);
        latencies[i] = window_latency_ns(window, plan->percentile);
        over += plan->limit_ns > 0 && latencies[i] > (double)plan->limit_ns;
    }
    *ret_stable = window_values_agree(rates, WINDOWS_STABLE, plan->stability_percent) &&
                  window_values_agree(latencies, WINDOWS_STABLE, plan->stability_percent);
    return *ret_stable || over == WINDOWS_STABLE;
}

/* Window `judged` is complete with both its snapshots. */
static void judge(struct generator *self) {
    const struct generator_setup *setup = self->setup;
    struct window *window = window_at(self, self->judged);
    window->before = boundary_at(self, self->judged)->snapshot;
    window->after = boundary_at(self, self->judged + 1)->snapshot;
    self->judged++;
    if (self->done)
        return;
    if (setup->observer.on_window != NULL)
        setup->observer.on_window(setup->observer.user, self->judged, window);
    self->done =
        is_one_window(self) || reached(self, self->judged, &self->stable) || self->judged >= setup->plan.max_trials;
    self->stable = self->stable || is_one_window(self);
}

static void judge_ready(struct generator *self) {
    while (!self->done && self->judged < self->current) {
        bool late = self->current - self->judged > LATE_MAX;
        if (!late && (boundary_at(self, self->judged)->pending || boundary_at(self, self->judged + 1)->pending))
            return;
        judge(self);
    }
}

/* ---- windows ---- */

static void on_statistics(void *user, const struct status *status, const struct infer_statistics *items, size_t count) {
    struct boundary *boundary = user;
    struct generator *self = boundary->generator;
    self->pending_snapshots--;
    boundary->pending = false;
    if (status_is_ok(status))
        server_snapshot_take(&self->setup->models, items, count, &boundary->snapshot);
}

/* Asks for what the server has counted up to here. A boundary that is still waiting for an old answer stays without. */
static void ask_statistics(struct generator *self, size_t index) {
    const struct generator_setup *setup = self->setup;
    struct boundary *boundary = boundary_at(self, index);
    if (boundary->pending)
        return;
    *boundary = (struct boundary){.generator = self, .index = index};
    if (!setup->has_statistics)
        return;
    struct slice model = setup->models.count > 1 ? SLICE_LITERAL("") : setup->model;
    struct slice version = setup->models.count > 1 ? SLICE_LITERAL("") : setup->version;
    struct status status = setup->driver->ops->statistics(setup->driver, model, version, on_statistics, boundary);
    boundary->pending = status_is_ok(&status);
    self->pending_snapshots += boundary->pending;
}

static void begin_window(struct generator *self, uint64_t start_ns, struct generator_usage usage) {
    struct window *window = window_at(self, self->current);
    sample_clear(&window->sample);
    window->start_ns = start_ns;
    window->end_ns = 0;
    window->sliced = self->setup->plan.window_ns > 0 && !is_one_window(self);
    window->usage_before = usage;
    ask_statistics(self, self->current);
}

static void end_window(struct generator *self, uint64_t end_ns) {
    struct window *window = window_at(self, self->current);
    window->end_ns = end_ns;
    window->usage_after = generator_usage_now();
    self->current++;
    begin_window(self, end_ns, window->usage_after);
}

static void begin_measuring(struct generator *self, uint64_t now_ns) {
    self->measuring = true;
    begin_window(self, now_ns, generator_usage_now());
}

/* Ends the windows whose time is over at `now_ns`. */
static void pass_time(struct generator *self, uint64_t now_ns) {
    uint64_t window_ns = self->setup->plan.window_ns;
    if (!self->measuring || window_ns == 0 || is_one_window(self))
        return;
    while (!self->done && now_ns >= window_at(self, self->current)->start_ns + window_ns) {
        end_window(self, window_at(self, self->current)->start_ns + window_ns);
        judge_ready(self);
    }
}

static uint64_t window_end_ns(struct generator *self) {
    uint64_t window_ns = self->setup->plan.window_ns;
    if (!self->measuring || window_ns == 0 || is_one_window(self))
        return UINT64_MAX;
    return window_at(self, self->current)->start_ns + window_ns;
}

/* Count windows, and the one window of a request count, end with an answer. */
static void pass_answer(struct generator *self, uint64_t now_ns) {
    const struct measurement_plan *plan = &self->setup->plan;
    struct window *window = window_at(self, self->current);
    uint64_t count = window->sample.latency.total + window->sample.failed;
    uint64_t wanted = is_one_window(self)    ? plan->request_count
                      : plan->window_ns == 0 ? plan->window_requests
                                             : UINT64_MAX;
    if (count >= wanted && now_ns > window->start_ns)
        end_window(self, now_ns);
}

/* ---- requests ---- */

static size_t slice_of_window(const struct window *window, uint64_t window_ns, uint64_t now_ns) {
    uint64_t since = now_ns > window->start_ns ? now_ns - window->start_ns : 0;
    uint64_t slice = window->sliced ? since * SAMPLE_SLICES / window_ns : 0;
    return slice < SAMPLE_SLICES ? (size_t)slice : SAMPLE_SLICES - 1;
}

static void record(struct generator *self, const struct flight *flight, const struct infer_result *result,
                   struct status status) {
    const struct generator_setup *setup = self->setup;
    struct window *window = window_at(self, self->current);
    struct sample_request request = {
        .due_ns = flight->due_ns,
        .timing = result->timing,
        .status = status,
        .responses = 1,
        .slice = slice_of_window(window, setup->plan.window_ns, result->timing.end_ns),
    };
    sample_record(&window->sample, &request);
    if (setup->observer.on_record != NULL && status_is_ok(&status)) {
        struct generator_record record = {flight->entry, flight->due_ns, 0, &result->timing.end_ns, 1};
        setup->observer.on_record(setup->observer.user, &record);
    }
    pass_answer(self, result->timing.end_ns);
}

static void on_answer(void *user, const struct infer_result *result) {
    struct flight *flight = user;
    struct generator *self = flight->generator;
    const struct workload_entry *entry = &self->setup->workload->entries[flight->entry];
    struct status status = result->status;
    if (status_is_ok(&status) && entry->expected_count > 0)
        status = workload_check(entry, result->outputs, result->output_count);
    pass_time(self, result->timing.end_ns);
    if (self->measuring && !self->done)
        record(self, flight, result, status);
    else if (!self->measuring)
        self->warm_ended++;
    if (self->schedule->ops->answered != NULL)
        self->schedule->ops->answered(self->schedule, result->timing.end_ns);
    self->in_flight--;
    self->ended++;
    flight->next = self->free;
    self->free = flight;
}

static struct status send_one(struct generator *self, const struct schedule_step *step) {
    const struct generator_setup *setup = self->setup;
    struct workload *workload = setup->workload;
    size_t at = step->entry >= 0 ? (size_t)step->entry : self->next_entry;
    if (self->free == NULL && !add_flights(self))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for requests in flight");
    struct flight *flight = self->free;
    const struct workload_entry *entry = workload_take(workload, at);
    struct infer_request_spec request = {.model = setup->model,
                                         .version = setup->version,
                                         .inputs = entry->inputs,
                                         .input_count = entry->input_count,
                                         .parameters = setup->parameters,
                                         .parameter_count = setup->parameter_count};
    self->free = flight->next;
    flight->due_ns = step->time_ns;
    flight->entry = at;
    struct status status = setup->driver->ops->send(setup->driver, &request, on_answer, flight);
    if (!status_is_ok(&status)) {
        flight->next = self->free;
        self->free = flight;
        return status;
    }
    self->in_flight++;
    self->sent++;
    self->next_entry = (at + 1) % workload->entry_count;
    return status;
}

/* Sends what is due. Returns when to come again. */
static uint64_t send_due(struct generator *self) {
    uint64_t limit = self->setup->plan.request_count + self->setup->plan.warmup_requests;
    for (int i = 0; i < SENDS_PER_TURN; i++) {
        struct schedule_step step;
        bool may_send = self->in_flight < GENERATOR_IN_FLIGHT_MAX && (!is_one_window(self) || self->sent < limit);
        if (!may_send)
            return UINT64_MAX;
        uint64_t now_ns = clock_monotonic_ns();
        enum schedule_verdict verdict = self->schedule->ops->next(self->schedule, now_ns, self->in_flight, &step);
        if (verdict != SCHEDULE_SEND)
            return verdict == SCHEDULE_END ? UINT64_MAX : step.time_ns;
        self->failure = send_one(self, &step);
        if (!status_is_ok(&self->failure)) {
            self->done = true;
            return 0;
        }
    }
    return 0;
}

/* ---- the loop ---- */

static void tick(struct generator *self, uint64_t now_ns) {
    const struct generator_observer *observer = &self->setup->observer;
    if (observer->on_tick == NULL || now_ns < self->ticked_ns + TICK_MS * NS_PER_MS)
        return;
    self->ticked_ns = now_ns;
    observer->on_tick(observer->user, now_ns);
}

static uint64_t until(uint64_t then_ns) {
    uint64_t now_ns = clock_monotonic_ns();
    return then_ns == UINT64_MAX ? UINT64_MAX : then_ns > now_ns ? then_ns - now_ns : 0;
}

static void turn(struct generator *self) {
    uint64_t then_ns = self->done ? UINT64_MAX : send_due(self), end_ns = window_end_ns(self);
    if (end_ns < then_ns)
        then_ns = end_ns;
    uint64_t now_ns = clock_monotonic_ns();
    if (self->setup->observer.on_tick != NULL && now_ns + TICK_MS * NS_PER_MS < then_ns)
        then_ns = now_ns + TICK_MS * NS_PER_MS;
    self->setup->driver->ops->poll(self->setup->driver, until(then_ns));
    now_ns = clock_monotonic_ns();
    if (!self->measuring && self->warm_ended >= self->setup->plan.warmup_requests)
        begin_measuring(self, now_ns);
    pass_time(self, now_ns);
    judge_ready(self);
    tick(self, now_ns);
}

/* Waits for what is in flight; what does not come in time is given up. */
static struct status drain(struct generator *self) {
    uint64_t end_ns = clock_monotonic_ns() + self->setup->plan.drain_ns;
    struct driver *driver = self->setup->driver;
    while (self->in_flight + self->pending_snapshots > 0 && clock_monotonic_ns() < end_ns)
        driver->ops->poll(driver, until(end_ns));
    return self->in_flight + self->pending_snapshots > 0 ? driver->ops->restart(driver) : status_ok();
}

static struct status sum_up(struct generator *self, struct generator_result *ret) {
    const struct window *last[WINDOWS_STABLE];
    size_t count = self->judged < WINDOWS_STABLE ? self->judged : WINDOWS_STABLE;
    for (size_t i = 0; i < count; i++)
        last[i] = window_at(self, self->judged - count + i);
    window_sum_up(last, count, self->setup->batch_size, &ret->sum);
    ret->stable = self->stable;
    ret->trials = self->judged;
    if (ret->sum.sample.latency.total > 0)
        return status_ok();
    for (size_t code = 0; code < SAMPLE_STATUS_CODES; code++) {
        if (ret->sum.sample.failures[code].count > 0)
            return status_prefix(ret->sum.sample.failures[code].first, "no request succeeded");
    }
    return status_error(STATUS_DEADLINE_EXCEEDED, "no request was answered in %zu windows", self->judged);
}

struct status generator_measure(const struct generator_setup *setup, struct schedule *schedule,
                                struct generator_result *ret) {
    struct generator self = {.setup = setup, .schedule = schedule, .failure = status_ok()};
    struct status status = status_ok();
    for (size_t i = 0; i < RING; i++) {
        self.windows[i] = calloc(1, sizeof(struct window));
        if (self.windows[i] == NULL)
            status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for measurements");
    }
    if (status_is_ok(&status)) {
        uint64_t now_ns = clock_monotonic_ns();
        schedule->ops->begin(schedule, now_ns);
        if (setup->plan.warmup_requests == 0)
            begin_measuring(&self, now_ns);
        while (!self.done)
            turn(&self);
        struct status drained = drain(&self);
        status = status_is_ok(&self.failure) ? drained : self.failure;
    }
    if (status_is_ok(&status))
        status = sum_up(&self, ret);
    release(&self);
    return status;
}
