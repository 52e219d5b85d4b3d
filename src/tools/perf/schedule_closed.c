/* schedule_closed.c: a fixed number of requests in flight. */
#include "tools/perf/schedule.h"

struct concurrency_schedule {
    struct schedule base;
    size_t concurrency;
};

static void begin(struct schedule *schedule, uint64_t now_ns) {
    (void)schedule;
    (void)now_ns;
}

static enum schedule_verdict next(struct schedule *schedule, uint64_t now_ns, size_t in_flight,
                                  struct schedule_step *ret) {
    const struct concurrency_schedule *self = (const struct concurrency_schedule *)schedule;
    bool free = in_flight < self->concurrency;
    *ret = (struct schedule_step){free ? now_ns : UINT64_MAX, SCHEDULE_ANY_ENTRY};
    return free ? SCHEDULE_SEND : SCHEDULE_WAIT;
}

static const struct schedule_ops concurrency_ops = {.open_loop = false, .begin = begin, .next = next};

struct status schedule_concurrency(struct arena *arena, size_t concurrency, struct schedule **ret) {
    struct concurrency_schedule *self = arena_calloc(arena, 1, sizeof *self);
    if (self == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a schedule");
    *self = (struct concurrency_schedule){{&concurrency_ops}, concurrency};
    *ret = &self->base;
    return status_ok();
}
