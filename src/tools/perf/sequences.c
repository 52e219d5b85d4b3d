#include "tools/perf/sequences.h"

struct sequence {
    uint64_t id;
    size_t sent, length; /* length 0: none under way */
    size_t stream;
    size_t in_flight;
};

struct sequences {
    struct sequence_plan plan;
    const struct workload *workload;
    struct random_source random;
    struct sequence *slots;
    size_t turn; /* slot to be asked next */
    uint64_t next_id;
    size_t next_stream;
};

struct status sequences_create(struct arena *arena, const struct sequence_plan *plan, const struct workload *workload,
                               struct sequences **ret) {
    struct sequences *self = arena_calloc(arena, 1, sizeof *self);
    struct sequence *slots = arena_calloc(arena, plan->slots, sizeof *slots);
    if (self == NULL || slots == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %zu sequences", plan->slots);
    if (plan->end_id > 0 && plan->end_id - plan->first_id < plan->slots)
        return status_error(STATUS_INVALID_ARGUMENT, "--sequence-id-range: %zu sequences at once, but only %llu ids",
                            plan->slots, (unsigned long long)(plan->end_id - plan->first_id));
    *self = (struct sequences){.plan = *plan,
                               .workload = workload,
                               .random = random_seeded(plan->seed),
                               .slots = slots,
                               .next_id = plan->first_id};
    *ret = self;
    return status_ok();
}

static size_t draw_length(struct sequences *self, size_t stream) {
    size_t length = self->plan.length;
    if (length == 0)
        return self->workload->streams[stream].count;
    double part = (2 * random_double(&self->random) - 1) * self->plan.variation_percent / 100;
    double drawn = (double)length * (1 + part) + 0.5;
    return drawn < 1 ? 1 : (size_t)drawn;
}

static void begin(struct sequences *self, struct sequence *sequence) {
    *sequence = (struct sequence){.id = self->next_id, .stream = self->next_stream, .in_flight = sequence->in_flight};
    sequence->length = draw_length(self, sequence->stream);
    self->next_stream = (self->next_stream + 1) % self->workload->stream_count;
    self->next_id++;
    if (self->plan.end_id > 0 && self->next_id >= self->plan.end_id)
        self->next_id = self->plan.first_id;
}

static void step(struct sequences *self, size_t slot, bool last, struct sequence_step *ret) {
    struct sequence *sequence = &self->slots[slot];
    const struct workload_stream *stream = &self->workload->streams[sequence->stream];
    size_t at = sequence->sent++;
    *ret = (struct sequence_step){slot, sequence->id, at == 0, last || sequence->sent >= sequence->length,
                                  stream->first + at % stream->count};
    if (ret->end)
        sequence->length = 0;
    sequence->in_flight++;
}

bool sequences_take(struct sequences *self, struct sequence_step *ret) {
    for (size_t tried = 0; tried < self->plan.slots; tried++) {
        size_t slot = self->turn;
        self->turn = (self->turn + 1) % self->plan.slots;
        if (self->plan.serial && self->slots[slot].in_flight > 0)
            continue;
        if (self->slots[slot].length == 0)
            begin(self, &self->slots[slot]);
        step(self, slot, false, ret);
        return true;
    }
    return false;
}

bool sequences_take_last(struct sequences *self, struct sequence_step *ret) {
    for (size_t slot = 0; slot < self->plan.slots; slot++) {
        if (self->slots[slot].length == 0)
            continue;
        step(self, slot, true, ret);
        return true;
    }
    return false;
}

void sequences_answered(struct sequences *self, size_t slot) {
    self->slots[slot].in_flight--;
}
