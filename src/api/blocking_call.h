/* blocking_call.h: a call whose work may take long, such as loading a model: it is done on a thread of the workers, and
 * the answer goes out from the loop of the exchange.
 *
 *   loop thread      blocking_call_create -> the adapter fills in what the work needs -> blocking_call_submit
 *   worker thread                             ops->work, then a task is posted
 *   loop thread                                               ops->send
 *   loop thread      blocking_call_detach, when the exchange is closed or its client has gone away
 *
 * A client that goes away while its call waits for a worker takes the call with it; work that has begun is done to its
 * end. Lifetime: the call frees itself when it is both detached and done. Adapters: grpc_methods.c for the methods that
 * are marked so, http_blocking.h for HTTP. */
#ifndef INFERD_API_BLOCKING_CALL_H
#define INFERD_API_BLOCKING_CALL_H

#include "api/context.h"
#include "base/buf.h"

struct blocking_call;

struct blocking_call_ops {
    /* Does it: reads `body`, allocates from `arena`, writes `answer`. Worker thread; must not look at `exchange`. */
    struct status (*work)(struct blocking_call *call);
    /* Gives the client, who is still there, the answer, or the error in `status`. Loop thread. */
    void (*send)(struct blocking_call *call);
};

/* Embedded as the first member of the adapters' own structs. */
struct blocking_call {
    const struct blocking_call_ops *ops;
    const struct api_context *context;
    void *exchange;      /* the protocol's own handle; NULL once it is gone. Loop thread only */
    struct arena *arena; /* the call's own: that of the exchange may be gone before the work is done */
    struct buf body;     /* the request in the client's form, taken over from the exchange */
    struct buf answer;
    struct status status;

    /* Private to blocking_call.c. */
    atomic_int stage;
    bool done; /* nobody but the loop has it any more. Loop thread */
    struct api_task task;
};

/* A zeroed call of `size` bytes (a struct that begins with struct blocking_call) on behalf of the exchange. The arena
 * is bounded by a multiple of body_size. NULL when memory is short. */
void *blocking_call_create(const struct blocking_call_ops *ops, size_t size, const struct api_context *context,
                           void *exchange, size_t body_size);
/* Hands the call to the workers. UNAVAILABLE: too many wait already; the caller answers the client itself. */
struct status blocking_call_submit(struct blocking_call *call) STATUS_MUST_CHECK;
/* The exchange is closed or lost. Accepts NULL. */
void blocking_call_detach(struct blocking_call *call);

#endif
