/* schedule_open.c: requests at times that do not depend on the answers: constant and Poisson rates, intervals of a
 * file.
 */
#include <math.h>

#include "base/clock.h"
#include "base/file.h"
#include "tools/perf/random.h"
#include "tools/perf/schedule.h"

enum { INTERVALS_FILE_MAX = 256 * 1024 * 1024 };

/* All of them are a next due time and a way to find the gap behind it. */
struct open_schedule {
    struct schedule base;
    double (*gap_ns)(struct open_schedule *self);
    double due_ns; /* since begun_ns; a double, so that a rate keeps its fractions */
    uint64_t begun_ns;
    double mean_gap_ns;
    struct random_source random;
    const uint64_t *gaps_ns;
    size_t gap_count, gap_at;
};

static double constant_gap(struct open_schedule *self) {
    return self->mean_gap_ns;
}

static double poisson_gap(struct open_schedule *self) {
    return -log(1 - random_double(&self->random)) * self->mean_gap_ns;
}

static double listed_gap(struct open_schedule *self) {
    uint64_t gap = self->gaps_ns[self->gap_at];
    self->gap_at = (self->gap_at + 1) % self->gap_count;
    return (double)gap;
}

static void begin(struct schedule *schedule, uint64_t now_ns) {
    struct open_schedule *self = (struct open_schedule *)schedule;
    self->begun_ns = now_ns;
    self->due_ns = self->gap_ns(self);
}

static enum schedule_verdict next(struct schedule *schedule, uint64_t now_ns, size_t in_flight,
                                  struct schedule_step *ret) {
    struct open_schedule *self = (struct open_schedule *)schedule;
    (void)in_flight;
    *ret = (struct schedule_step){self->begun_ns + (uint64_t)self->due_ns, SCHEDULE_ANY_ENTRY};
    if (ret->time_ns > now_ns)
        return SCHEDULE_WAIT;
    self->due_ns += self->gap_ns(self);
    return SCHEDULE_SEND;
}

static const struct schedule_ops open_ops = {.open_loop = true, .begin = begin, .next = next};

static struct status create(struct arena *arena, const struct open_schedule *values, struct schedule **ret) {
    struct open_schedule *self = arena_calloc(arena, 1, sizeof *self);
    if (self == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a schedule");
    *self = *values;
    self->base.ops = &open_ops;
    *ret = &self->base;
    return status_ok();
}

struct status schedule_rate(struct arena *arena, double rate, bool poisson, uint64_t seed, struct schedule **ret) {
    struct open_schedule values = {.gap_ns = poisson ? poisson_gap : constant_gap,
                                   .mean_gap_ns = (double)NS_PER_S / rate,
                                   .random = random_seeded(seed)};
    if (!(rate > 0))
        return status_error(STATUS_INVALID_ARGUMENT, "a request rate of %g: expected more than 0", rate);
    return create(arena, &values, ret);
}

struct status schedule_intervals(struct arena *arena, const uint64_t *gaps_ns, size_t count, struct schedule **ret) {
    struct open_schedule values = {.gap_ns = listed_gap, .gaps_ns = gaps_ns, .gap_count = count};
    uint64_t sum = 0;
    for (size_t i = 0; i < count && sum == 0; i++)
        sum += gaps_ns[i];
    if (sum == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "request intervals: none is longer than 0");
    return create(arena, &values, ret);
}

static struct status parse_intervals(const char *path, struct slice text, uint64_t *gaps_ns, size_t *ret_count) {
    size_t count = 0, number = 0;
    uint64_t longest = 0;
    struct slice line;
    while (text.size > 0) {
        slice_split(text, '\n', &line, &text);
        line = slice_trim(line);
        number++;
        uint64_t us = 0;
        if (line.size == 0)
            continue;
        if (!slice_to_u64(line, &us) || us > 24 * 3600 * (uint64_t)1000000)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "%s:%zu: expected a whole number of microseconds up to a day, got \"%.*s\"", path,
                                number, SLICE_ARGS(line));
        gaps_ns[count++] = us * NS_PER_US;
        longest = us > longest ? us : longest;
    }
    if (longest == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: expected gaps in microseconds, one a line, %s", path,
                            count == 0 ? "got none" : "and one of them longer than 0");
    *ret_count = count;
    return status_ok();
}

struct status schedule_read_intervals(struct arena *arena, const char *path, const uint64_t **ret_gaps_ns,
                                      size_t *ret_count) {
    struct buf content = BUF_EMPTY;
    size_t lines = 1;
    STATUS_TRY(file_read(path, INTERVALS_FILE_MAX, &content));
    for (size_t i = 0; i < content.size; i++)
        lines += content.data[i] == '\n';
    uint64_t *gaps_ns = arena_calloc(arena, lines, sizeof *gaps_ns);
    struct status status = gaps_ns == NULL ? status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %s", path)
                                           : parse_intervals(path, buf_slice(&content), gaps_ns, ret_count);
    *ret_gaps_ns = gaps_ns;
    buf_free(&content);
    return status;
}
