#include "tools/perf/generator.h"

#include <stdlib.h>

#include "base/clock.h"
#include "tools/perf/measurement.h"

enum {
    TICK_MS = 100, /* of on_tick */
    SENDS_PER_TURN = 256,
    FLIGHTS_PER_BLOCK = 256,
    SEQUENCE_PARAMETERS = 3,
    STATISTICS_WAIT_S = 2
};

struct generator;

/* A request in flight. */
struct flight {
    struct generator *generator;
    struct flight *next; /* in the list of free ones */
    uint64_t due_ns;
    size_t entry;
    struct sequence_step sequence; /* id 0: none */
    size_t partial_count;          /* answers so far that were not the last */
};

struct generator {
    const struct generator_setup *setup;
    struct schedule *schedule;
    struct measurement measurement;
    size_t in_flight;
    uint64_t sent, warm_ended;
    size_t next_entry;
    bool has_step; /* `step` is due, but no sequence is free for it */
    struct schedule_step step;
    uint64_t ticked_ns;
    enum generator_order order;
    bool hurried;          /* the end of the draining has been brought forward */
    struct status failure; /* of sending */
    struct flight *free;
    struct flight **blocks; /* owned */
    size_t block_count;
};

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

static void free_flight(struct generator *self, struct flight *flight) {
    flight->next = self->free;
    self->free = flight;
}

static void release(struct generator *self) {
    for (size_t i = 0; i < self->block_count; i++)
        free(self->blocks[i]);
    free(self->blocks);
    measurement_close(&self->measurement);
}

/* ---- answers ---- */

static void record(struct generator *self, const struct flight *flight, const struct infer_result *result,
                   struct status status) {
    const struct generator_observer *observer = &self->setup->observer;
    struct sample_request request = {.due_ns = flight->due_ns,
                                     .timing = result->timing,
                                     .status = status,
                                     .inferences = self->setup->workload->entries[flight->entry].inferences,
                                     .goal_ns = self->setup->plan.goal_ns,
                                     .responses = result->response_count};
    measurement_record(&self->measurement, &request);
    if (observer->on_record != NULL && status_is_ok(&status)) {
        struct generator_record kept = {flight->entry,       flight->due_ns,         flight->sequence.id,
                                        result->response_ns, result->response_count, result->outputs,
                                        result->output_count};
        observer->on_record(observer->user, &kept);
    }
}

static void on_answer(void *user, const struct infer_result *result) {
    struct flight *flight = user;
    struct generator *self = flight->generator;
    const struct workload_entry *entry = &self->setup->workload->entries[flight->entry];
    struct status status = measurement_timely(&self->setup->plan, result);
    if (status_is_ok(&status) && entry->expected_count > 0)
        status = workload_check(entry, result->outputs, result->output_count);
    measurement_pass_time(&self->measurement, result->timing.end_ns);
    if (self->measurement.begun && !self->measurement.done)
        record(self, flight, result, status);
    else if (!self->measurement.begun)
        self->warm_ended++;
    else if (status_is_ok(&status))
        measurement_note_late(&self->measurement, result->timing.end_ns - flight->due_ns);
    if (self->schedule->ops->answered != NULL)
        self->schedule->ops->answered(self->schedule, flight->partial_count, true);
    if (flight->sequence.id != 0)
        sequences_answered(self->setup->sequences, flight->sequence.slot);
    self->in_flight--;
    free_flight(self, flight);
}

static void on_partial(void *user) {
    struct flight *flight = user;
    struct schedule *schedule = flight->generator->schedule;
    if (schedule->ops->answered != NULL)
        schedule->ops->answered(schedule, flight->partial_count, false);
    flight->partial_count++;
}

/* ---- requests ---- */

/* The parameters of the request: everybody's, and the place in its sequence. Returns their count. */
static size_t fill_parameters(const struct generator *self, const struct sequence_step *sequence,
                              struct infer_client_parameter to[static GENERATOR_PARAMETERS_MAX + SEQUENCE_PARAMETERS]) {
    size_t count = self->setup->parameter_count;
    for (size_t i = 0; i < count; i++)
        to[i] = self->setup->parameters[i];
    if (sequence->id == 0)
        return count;
    to[count++] = (struct infer_client_parameter){
        .name = SLICE_LITERAL("sequence_id"), .kind = INFER_VALUE_INT, .integer = (int64_t)sequence->id};
    to[count++] = (struct infer_client_parameter){
        .name = SLICE_LITERAL("sequence_start"), .kind = INFER_VALUE_BOOL, .boolean = sequence->start};
    to[count++] = (struct infer_client_parameter){
        .name = SLICE_LITERAL("sequence_end"), .kind = INFER_VALUE_BOOL, .boolean = sequence->end};
    return count;
}

/* What the entry says of its own, or else the command line for all; `parameters` is room for those of the latter. */
static struct infer_request_spec
request_of(const struct generator *self, const struct workload_entry *entry, const struct sequence_step *sequence,
           struct infer_client_parameter parameters[static GENERATOR_PARAMETERS_MAX + SEQUENCE_PARAMETERS]) {
    const struct generator_setup *setup = self->setup;
    struct infer_request_spec request;
    if (entry->request != NULL)
        request = *entry->request;
    else
        request = (struct infer_request_spec){.model = setup->model,
                                              .version = setup->version,
                                              .outputs = setup->outputs,
                                              .output_regions = setup->output_regions,
                                              .output_count = setup->output_count,
                                              .batched = setup->batched,
                                              .parameters = parameters,
                                              .parameter_count = fill_parameters(self, sequence, parameters)};
    request.inputs = entry->inputs;
    request.input_count = entry->input_count;
    request.input_regions = entry->input_regions;
    request.on_partial = on_partial;
    return request;
}

static struct status send_entry(struct generator *self, size_t entry, uint64_t due_ns,
                                const struct sequence_step *sequence) {
    const struct generator_setup *setup = self->setup;
    struct infer_client_parameter parameters[GENERATOR_PARAMETERS_MAX + SEQUENCE_PARAMETERS];
    if (self->free == NULL && !add_flights(self))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for requests in flight");
    struct flight *flight = self->free;
    const struct workload_entry *taken = workload_take(setup->workload, entry);
    struct infer_request_spec request = request_of(self, taken, sequence, parameters);
    self->free = flight->next;
    flight->due_ns = due_ns;
    flight->entry = entry;
    flight->sequence = *sequence;
    flight->partial_count = 0;
    struct status status = setup->driver->ops->send(setup->driver, &request, on_answer, flight);
    if (!status_is_ok(&status)) {
        free_flight(self, flight);
        return status;
    }
    self->in_flight++;
    self->sent++;
    return status;
}

/* Sends the step that is due. False when it has to wait for a sequence. */
static bool send_step(struct generator *self) {
    const struct generator_setup *setup = self->setup;
    struct sequence_step sequence = {0};
    if (setup->sequences != NULL && !sequences_take(setup->sequences, &sequence))
        return false;
    size_t entry = setup->sequences != NULL ? sequence.entry
                   : self->step.entry >= 0  ? (size_t)self->step.entry
                                            : self->next_entry;
    self->has_step = false;
    self->next_entry = (entry + 1) % setup->workload->entry_count;
    self->failure = send_entry(self, entry, self->step.time_ns, &sequence);
    self->measurement.done = self->measurement.done || !status_is_ok(&self->failure);
    return true;
}

/* Sends what is due. Returns when to come again. */
static uint64_t send_due(struct generator *self) {
    const struct measurement_plan *plan = &self->setup->plan;
    uint64_t limit = plan->request_count > 0 ? plan->request_count + plan->warmup_requests : UINT64_MAX;
    for (int i = 0; i < SENDS_PER_TURN && !self->measurement.done; i++) {
        if (self->in_flight >= GENERATOR_IN_FLIGHT_MAX || self->sent >= limit)
            return UINT64_MAX;
        enum schedule_verdict verdict = SCHEDULE_SEND;
        if (!self->has_step)
            verdict = self->schedule->ops->next(self->schedule, clock_monotonic_ns(), self->in_flight, &self->step);
        if (verdict != SCHEDULE_SEND)
            return verdict == SCHEDULE_END ? UINT64_MAX : self->step.time_ns;
        self->has_step = true;
        if (!send_step(self))
            return UINT64_MAX;
    }
    return 0;
}

/* ---- the loop ---- */

static void tick(struct generator *self, uint64_t now_ns) {
    const struct generator_observer *observer = &self->setup->observer;
    if (observer->on_tick == NULL || now_ns < self->ticked_ns + TICK_MS * NS_PER_MS)
        return;
    self->ticked_ns = now_ns;
    struct generator_tick tick_now = {.now_ns = now_ns};
    tick_now.window = measurement_window(&self->measurement, &tick_now.number);
    self->order = observer->on_tick(observer->user, &tick_now);
}

static uint64_t until(uint64_t then_ns) {
    uint64_t now_ns = clock_monotonic_ns();
    return then_ns == UINT64_MAX ? UINT64_MAX : then_ns > now_ns ? then_ns - now_ns : 0;
}

static void turn(struct generator *self) {
    struct measurement *measurement = &self->measurement;
    uint64_t then_ns = send_due(self), end_ns = measurement_window_end(measurement), now_ns = clock_monotonic_ns();
    if (end_ns < then_ns)
        then_ns = end_ns;
    if (self->setup->observer.on_tick != NULL && now_ns + TICK_MS * NS_PER_MS < then_ns)
        then_ns = now_ns + TICK_MS * NS_PER_MS;
    self->setup->driver->ops->poll(self->setup->driver, until(then_ns));
    now_ns = clock_monotonic_ns();
    if (!measurement->begun && self->warm_ended >= self->setup->plan.warmup_requests)
        measurement_begin(measurement, now_ns);
    measurement_pass_time(measurement, now_ns);
    measurement_judge(measurement);
    tick(self, now_ns);
    if (self->order != GENERATOR_GO_ON && !measurement->done)
        measurement_stop(measurement, now_ns);
}

/* Tells the server the end of every sequence that has begun, so that it forgets them. */
static void end_sequences(struct generator *self) {
    struct sequence_step last;
    while (self->setup->sequences != NULL && status_is_ok(&self->failure) &&
           sequences_take_last(self->setup->sequences, &last))
        self->failure = send_entry(self, last.entry, clock_monotonic_ns(), &last);
}

/* Until when the waiting goes on, where it would be until end_ns: behind an interruption, with nothing in flight but
 * questions for statistics, not for as long. */
static uint64_t drain_end(struct generator *self, uint64_t now_ns, uint64_t end_ns) {
    uint64_t early_ns = now_ns + STATISTICS_WAIT_S * NS_PER_S;
    if (self->order != GENERATOR_STOP || self->in_flight > 0 || self->hurried)
        return end_ns;
    self->hurried = true;
    return early_ns < end_ns ? early_ns : end_ns;
}

/* Waits for what is in flight; what does not come in time is given up. */
static void drain(struct generator *self) {
    uint64_t end_ns = clock_monotonic_ns() + self->setup->plan.drain_ns;
    uint64_t left = self->in_flight + self->measurement.tail.answered; /* some came with the last that was measured */
    struct driver *driver = self->setup->driver;
    for (uint64_t now_ns = clock_monotonic_ns();
         self->in_flight + self->measurement.pending_snapshots > 0 && now_ns < end_ns && self->order != GENERATOR_QUIT;
         now_ns = clock_monotonic_ns()) {
        uint64_t tick_ns = now_ns + TICK_MS * NS_PER_MS;
        end_ns = drain_end(self, now_ns, end_ns);
        driver->ops->poll(driver, until(tick_ns < end_ns ? tick_ns : end_ns));
        tick(self, clock_monotonic_ns());
    }
    if (self->order != GENERATOR_QUIT)
        self->measurement.tail.unanswered = left - self->measurement.tail.answered;
    if (self->in_flight + self->measurement.pending_snapshots > 0)
        driver->ops->cancel(driver);
}

struct status generator_measure(const struct generator_setup *setup, struct schedule *schedule,
                                struct generator_result *ret) {
    struct generator self = {.setup = setup, .schedule = schedule, .failure = status_ok()};
    struct status status = measurement_open(&self.measurement, setup);
    if (status_is_ok(&status)) {
        setup->driver->ops->poll(setup->driver, 0); /* a pause may have outlasted its connections */
        uint64_t now_ns = clock_monotonic_ns();
        schedule->ops->begin(schedule, now_ns);
        if (setup->plan.warmup_requests == 0)
            measurement_begin(&self.measurement, now_ns);
        while (!self.measurement.done)
            turn(&self);
        end_sequences(&self);
        drain(&self);
        status = self.failure;
    }
    if (status_is_ok(&status))
        status = measurement_sum_up(&self.measurement, ret);
    release(&self);
    return status;
}
