/* workload_replay.h: a workload from a file of records (docs/record.md): the same inferences again, each with its own
 * model, outputs and parameters, and when each is due. */
#ifndef INFERD_TOOLS_PERF_WORKLOAD_REPLAY_H
#define INFERD_TOOLS_PERF_WORKLOAD_REPLAY_H

#include "tools/perf/workload.h"

struct workload_replay {
    const char *path;
    const char *model;    /* only the inferences of this one; NULL: all */
    double speed;         /* 2: twice as fast; over 0 */
    bool refresh;         /* draw data that were not recorded anew for every request */
    bool streaming;       /* ask to be told the end of each one's answers, which a decoupled model needs */
    uint64_t seed;        /* of such data */
    size_t string_length; /* of strings that lay in shared memory, whose lengths nobody knows */
};

struct replay {
    struct workload workload;
    const uint64_t *times_ns; /* of each entry, since the first one's */
    const struct slice *models;
    size_t model_count;  /* different ones */
    struct slice notice; /* what is missing in the file; empty: nothing */
};

/* All memory is the arena's. Errors: of record_file_read; INVALID_ARGUMENT, with the line, for a record that cannot be
 * sent, or when there is none. */
struct status workload_replay_create(struct arena *arena, const struct workload_replay *config,
                                     struct replay *ret) STATUS_MUST_CHECK;
/* The requests of this model are batches, by the first dim of their inputs; until it is said they are of one item. */
void workload_replay_batched(struct replay *replay, struct slice model);

#endif
