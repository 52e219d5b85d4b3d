/* request_state.h: what the scheduler keeps with each request. Private to core/: adapters and backends do not look in
 * here.
 *
 * It lies in the request's arena, so that a request costs no memory of its own while it moves from the queue to a batch
 * and back. Who may write a member is told by `stage`: the batcher under its lock up to BATCHED, then the instance that
 * runs the request, then whoever gives the final response. */
#ifndef INFERD_CORE_REQUEST_STATE_H
#define INFERD_CORE_REQUEST_STATE_H

#include "core/infer_request.h"

enum request_stage {
    STAGE_ADAPTER,   /* the adapter's: not submitted yet, or submission failed */
    STAGE_QUEUED,    /* in the queue; changes only under the batcher's lock */
    STAGE_BATCHED,   /* given to an instance, or dropped and about to be answered */
    STAGE_EXECUTING, /* in the backend's execute() */
    STAGE_HELD,      /* still in execute(), but its final response is there and waits until that returns */
    STAGE_RETURNED,  /* execute() has returned; the final response will come from a thread of the backend */
    STAGE_ANSWERED   /* the final response is on its way */
};

struct request_state {
    atomic_int stage; /* enum request_stage */

    /* Set at submission, so that backends' plug-ins need no code of the scheduler. */
    void (*respond)(struct infer_request *request, struct infer_response *response, bool final);
    void (*unpin)(struct model *model);
    void (*detach_memory)(struct infer_request *request); /* NULL: nothing to detach */
    struct slice model_name;
    int64_t model_version;
    uint32_t batch_size; /* as the request asks for it, at least 1 */

    /* Queue. */
    struct infer_request *previous;
    size_t deadline_slot;     /* place in the heap of deadlines, from 1; 0: not in it */
    uint64_t shape_key;       /* equal for requests that a backend may join */
    enum status_code dropped; /* why the request left the queue without having run */

    struct infer_response *final_response; /* in STAGE_HELD */
    const struct status *failure;          /* the error to end with, whatever the engine still gives */
    bool given_up;                         /* cancelled or expired while it ran */

    /* Of decoupled models, whose responses are counted one by one. */
    uint64_t response_began_ns; /* when the response at hand began to be computed; 0: they are not counted */
    size_t response_count;      /* so far */

    /* Order of delivery (response_order.h). */
    struct infer_request *order_previous, *order_next;
    struct infer_response *waiting_first, *waiting_last;

    struct infer_response reserve; /* for an error when memory is short; the last member: not zeroed */
};

#endif
