/* batch_plan.h: which windows go together in which request. A pure function of the windows and the options, so that
 * results do not depend on concurrency or time. */
#ifndef INFERD_TOOLS_SQUAD_BATCH_PLAN_H
#define INFERD_TOOLS_SQUAD_BATCH_PLAN_H

#include "text/squad/squad_windows.h"
#include "tools/squad/squad_options.h"

struct planned_batch {
    uint32_t first;    /* into order */
    uint32_t count;    /* windows, 1 .. batch size */
    uint32_t sequence; /* tokens per window in the request's tensors */
};

struct batch_plan {
    const uint32_t *order; /* every window once: an index into windows->windows */
    const struct planned_batch *batches;
    size_t batch_count;
    uint64_t padded_tokens; /* of all requests, padding included */
};

/* With SQUAD_PAD_NONE windows are taken by length, shortest first; otherwise in the order of the data set. */
struct status batch_plan_create(struct arena *arena, const struct squad_windows *windows, enum squad_padding padding,
                                uint32_t batch_size, uint32_t max_seq_length, struct batch_plan *ret) STATUS_MUST_CHECK;

#endif
