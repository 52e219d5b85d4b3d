/* sequences.h: which sequence each request belongs to: ids, start and end, lengths, and the data of its stream.
 *
 * There are so many sequences under way as there are slots; when one has ended, a new one begins in its place. A
 * sequence has one request in flight at a time where `serial` is set. No I/O and no clock: the generator asks and
 * tells.
 */
#ifndef INFERD_TOOLS_PERF_SEQUENCES_H
#define INFERD_TOOLS_PERF_SEQUENCES_H

#include "tools/perf/workload.h"

struct sequence_plan {
    size_t slots;
    size_t length;             /* of a sequence; 0: as long as its stream */
    double variation_percent;  /* lengths are drawn from length +- so much */
    uint64_t first_id, end_id; /* ids go round in [first, end); end 0: no end */
    bool serial;
    uint64_t seed;
};

/* A request's place in its sequence. */
struct sequence_step {
    size_t slot;
    uint64_t id;
    bool start, end;
    size_t entry; /* of the workload */
};

struct sequences;
/* Errors: INVALID_ARGUMENT (fewer ids than slots), RESOURCE_EXHAUSTED. All of it lives in the arena. */
struct status sequences_create(struct arena *arena, const struct sequence_plan *plan, const struct workload *workload,
                               struct sequences **ret) STATUS_MUST_CHECK;
/* The next request, in turn over the slots; false when every sequence has one in flight and has to wait for it. */
bool sequences_take(struct sequences *sequences, struct sequence_step *ret);
/* The same for a sequence that has begun and not ended, as its last request; false when there is none. */
bool sequences_take_last(struct sequences *sequences, struct sequence_step *ret);
/* The answer to a request of this slot has come. */
void sequences_answered(struct sequences *sequences, size_t slot);

#endif
