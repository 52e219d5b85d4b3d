/* schedule_periodic.c: a closed loop that grows: the next requests go out when each of those before has had some of its
 * answers, until enough have been sent. Every request is sent once. Source: perf_analyzer's
 * periodic_concurrency_manager.cc. */
#include "tools/perf/schedule.h"

struct periodic_schedule {
    struct schedule base;
    size_t step, end;  /* requests */
    size_t period;     /* answers of a request */
    size_t sent;       /* requests so far */
    size_t allowed;    /* that may be sent by now */
    size_t incomplete; /* of the latest ones: those with fewer answers than `period` */
    size_t start;
};

static void begin(struct schedule *schedule, uint64_t now_ns) {
    struct periodic_schedule *self = (struct periodic_schedule *)schedule;
    (void)now_ns;
    self->sent = 0;
    self->allowed = self->incomplete = self->start;
}

static enum schedule_verdict next(struct schedule *schedule, uint64_t now_ns, size_t in_flight,
                                  struct schedule_step *ret) {
    struct periodic_schedule *self = (struct periodic_schedule *)schedule;
    bool free = self->sent < self->allowed;
    (void)in_flight;
    *ret = (struct schedule_step){free ? now_ns : UINT64_MAX, SCHEDULE_ANY_ENTRY};
    if (self->sent == self->end)
        return SCHEDULE_END;
    self->sent += free;
    return free ? SCHEDULE_SEND : SCHEDULE_WAIT;
}

/* A request that ends early has had its period too. */
static void answered(struct schedule *schedule, size_t before, bool final) {
    struct periodic_schedule *self = (struct periodic_schedule *)schedule;
    bool completes = final ? before < self->period : before + 1 == self->period;
    if (!completes || --self->incomplete > 0)
        return;
    size_t left = self->end - self->allowed;
    self->incomplete = left < self->step ? left : self->step;
    self->allowed += self->incomplete;
}

static const struct schedule_ops periodic_ops = {
    .open_loop = false, .begin = begin, .next = next, .answered = answered};

struct status schedule_periodic(struct arena *arena, size_t start, size_t end, size_t step, size_t period,
                                struct schedule **ret) {
    struct periodic_schedule *self = arena_calloc(arena, 1, sizeof *self);
    if (self == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a schedule");
    *self = (struct periodic_schedule){
        .base.ops = &periodic_ops, .start = start, .end = end, .step = step, .period = period};
    *ret = &self->base;
    return status_ok();
}
