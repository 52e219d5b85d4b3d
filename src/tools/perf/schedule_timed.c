/* schedule_timed.c: each entry of a workload once, at its time: a fixed schedule, or a recording that is replayed. */
#include "tools/perf/schedule.h"

struct timed_schedule {
    struct schedule base;
    const uint64_t *times_ns;
    size_t count, at;
    uint64_t begun_ns;
};

static void begin(struct schedule *schedule, uint64_t now_ns) {
    struct timed_schedule *self = (struct timed_schedule *)schedule;
    self->begun_ns = now_ns;
    self->at = 0;
}

static enum schedule_verdict next(struct schedule *schedule, uint64_t now_ns, size_t in_flight,
                                  struct schedule_step *ret) {
    struct timed_schedule *self = (struct timed_schedule *)schedule;
    (void)in_flight;
    if (self->at == self->count)
        return SCHEDULE_END;
    *ret = (struct schedule_step){self->begun_ns + self->times_ns[self->at], (int64_t)self->at};
    if (ret->time_ns > now_ns)
        return SCHEDULE_WAIT;
    self->at++;
    return SCHEDULE_SEND;
}

static const struct schedule_ops timed_ops = {.open_loop = true, .begin = begin, .next = next};

struct status schedule_timed(struct arena *arena, const uint64_t *times_ns, size_t count, struct schedule **ret) {
    struct timed_schedule *self = arena_calloc(arena, 1, sizeof *self);
    if (self == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a schedule");
    *self = (struct timed_schedule){.base = {&timed_ops}, .times_ns = times_ns, .count = count};
    *ret = &self->base;
    return status_ok();
}
