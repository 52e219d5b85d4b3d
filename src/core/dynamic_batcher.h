/* dynamic_batcher.h: the queue of one model version and its idle instances, with the lock around both.
 *
 * The decision what to run is batch_decision.h's. It is asked whenever the answer may have changed: by the thread that
 * submits, if an instance is idle; by an instance's worker that has become idle; and by the keeper, a thread of the
 * batcher that sleeps until a batch has waited long enough or a deadline has passed. So a request at an idle instance
 * is handed over with one wake-up, and busy instances fetch their next batch with none. Of several idle instances one
 * in the place where the fewest compute gets it, among these the one that worked last.
 *
 * A thread that submits may offer to run what is ready now itself (struct batcher_turn): the idle instance is then its
 * for that time, and the instance's worker sleeps on. That costs no wake-up at all.
 *
 * Requests that leave the queue without running (cancelled, expired, stopped) are given to on_dropped by the keeper:
 * never on the thread that submits or cancels. Thread: all functions from any thread, but for create, stop and destroy.
 */
#ifndef INFERD_CORE_DYNAMIC_BATCHER_H
#define INFERD_CORE_DYNAMIC_BATCHER_H

#include "base/status.h"
#include "core/batch_decision.h"
#include "core/infer_request.h"

struct dynamic_batcher;

/* What batches are like by the instance that takes them, and which instances compute in one place. */
struct batcher_instance {
    int place;                                       /* 0 .. instance_count - 1 */
    uint64_t token_budget, gather_ns, gather_tokens; /* in place of the policy's */
};

struct batcher_options {
    struct batch_policy policy; /* `preferred` is borrowed and outlives the batcher */
    const struct batcher_instance
        *instances;          /* [instance_count], looked at by create; NULL: as the policy, one place */
    uint32_t max_queue_size; /* requests waiting; at least 1 */
    int instance_count;      /* at least 1 */
    const char *name;        /* of the keeper's thread */
    /* Takes over a request that will not run; request->state->dropped tells why: CANCELLED, DEADLINE_EXCEEDED, or
     * UNAVAILABLE when the batcher is stopped. On the keeper's thread, without locks held. */
    void (*on_dropped)(void *user, struct infer_request *request);
    void *user;
};

struct status dynamic_batcher_create(const struct batcher_options *options,
                                     struct dynamic_batcher **ret) STATUS_MUST_CHECK;
/* Takes no more requests, drops the waiting ones, lets dynamic_batcher_take return NULL, waits for the end of turns,
 * and joins the keeper. */
void dynamic_batcher_stop(struct dynamic_batcher *batcher);
void dynamic_batcher_destroy(struct dynamic_batcher *batcher); /* stopped, or never used; accepts NULL */

/* Most requests that one batch can have. */
size_t dynamic_batcher_max_requests(const struct dynamic_batcher *batcher);
/* A batch for an instance that is not run by the instance's worker. */
struct batcher_turn {
    int instance;
    struct infer_request *batch; /* linked by `next`; NULL: nothing is to be run */
};

/* Queues a request; its times.queued, cost and shape key are set. UNAVAILABLE when the queue is full or stopped. Calls
 * on_queued(request), if not NULL, under the lock: in the order in which the requests are queued. ret_turn, if not
 * NULL, is zeroed and offers a turn: the caller runs the batch that it finds there, and goes on with
 * dynamic_batcher_next_turn. */
struct status dynamic_batcher_submit(struct dynamic_batcher *batcher, struct infer_request *request,
                                     void (*on_queued)(struct infer_request *request),
                                     struct batcher_turn *ret_turn) STATUS_MUST_CHECK;
/* The batch of the turn has been run. Puts the next one there if one is ready and the caller wants more; without one
 * the turn is over. */
void dynamic_batcher_next_turn(struct dynamic_batcher *batcher, struct batcher_turn *turn, bool more);
/* Takes the request out of the queue, if it is still there, and drops it for the reason given: CANCELLED or
 * DEADLINE_EXCEEDED. False: it is not there any more. */
bool dynamic_batcher_cancel(struct dynamic_batcher *batcher, struct infer_request *request, enum status_code why);
/* Says that instance `index` is idle and waits for its next batch: a list linked by `next`. NULL when stopped. */
struct infer_request *dynamic_batcher_take(struct dynamic_batcher *batcher, int index);
/* False when a request that is submitted now would find the queue full. */
bool dynamic_batcher_has_room(struct dynamic_batcher *batcher);
/* Requests that wait for an instance. */
size_t dynamic_batcher_pending(struct dynamic_batcher *batcher);

#endif
