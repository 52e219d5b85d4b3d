/* batch_decision.h: which waiting requests an idle instance should run now. A pure function of the queue's view, the
 * policy and the time, so that tests drive it on a virtual clock; the dynamic batcher calls it under its lock.
 *
 * Rules (those of Triton's dynamic batcher, where it has them):
 *  1. Without dynamic batching every request runs alone, in order.
 *  2. Requests that may share a batch (equal keys, or any in a ragged policy) form a group, wherever they stand in the
 * view: a request of another shape in between cuts nothing. A group begins with its oldest request, and groups are
 * looked at in the order of those; so the oldest request goes first as soon as it may go, and nothing starves.
 *  3. A group runs at once when its requests, taken in order, reach a preferred size: the largest such size.
 *  4. It runs whole (up to max_items) when its oldest request has waited max_delay_ns (0: always), when it cannot grow
 *     because a request does not fit any more, it has passed the largest preferred size or more wait than the view
 * shows, or when waiting would pass the deadline of one of its requests.
 *  5. Otherwise it waits, and the decision tells until when.
 *  6. Where max_delay_ns is 0 and the place is computing, gather_ns stands in for it, and a group of gather_tokens does
 * not wait: a device that is at work anyway computes few tokens beside others in little less time than many.
 *  7. Cancelled requests and those whose deadline has passed are dropped and never run.
 *  8. Among requests of different priority the more urgent come first, whatever their age. */
#ifndef INFERD_CORE_BATCH_DECISION_H
#define INFERD_CORE_BATCH_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A waiting request, as far as the decision needs it. Times in clock_monotonic_ns. */
struct batch_candidate {
    uint64_t queued_ns;
    uint64_t deadline_ns; /* must not start after it; 0: none */
    uint64_t key;         /* requests with equal keys may share a batch */
    uint64_t priority;    /* lower is more urgent */
    uint32_t items;       /* cost in rows, at least 1 */
    uint32_t tokens;      /* cost in tokens; 0 when not counted */
    bool cancelled;
};

struct batch_policy {
    bool enabled;              /* dynamic batching */
    bool ragged;               /* keys do not matter */
    const uint32_t *preferred; /* ascending; none: max_items */
    size_t preferred_count;
    uint64_t max_delay_ns;
    uint32_t max_items;     /* at least 1; a single request may have more and then runs alone */
    uint64_t token_budget;  /* most tokens of a batch; 0: any; a single request may have more */
    uint64_t gather_ns;     /* rule 6; 0: without it */
    uint64_t gather_tokens; /* so many are worth a batch of their own beside the one that is computed */
};

/* The first requests of a queue, in order of arrival. */
struct batch_view {
    const struct batch_candidate *candidates;
    size_t count;
    bool truncated;     /* more wait behind them */
    bool instance_idle; /* false: nothing can run, only be dropped */
    bool computing;     /* another instance computes in the place of the idle one */
};

enum batch_mark { BATCH_WAIT, BATCH_RUN, BATCH_DROP };

#define BATCH_NEVER UINT64_MAX

struct batch_decision {
    size_t run_count, drop_count; /* marks of each kind */
    uint64_t wake_ns;             /* decide again at this time, if nothing happens before; BATCH_NEVER: no need */
};

/* Fills marks[0..view->count) with enum batch_mark. Requests marked BATCH_RUN form one batch for one instance; with
 * more idle ones take them out of the queue and decide again. Cost: linear in the view for each different key in it. */
struct batch_decision batch_decide(const struct batch_policy *policy, const struct batch_view *view, uint64_t now_ns,
                                   unsigned char *marks);

#endif
