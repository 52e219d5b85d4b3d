/* infer_call.h: the life of one inference between its exchange (a loop thread) and the core (any thread). Both
 * protocols use it; what differs between them stands in struct infer_call_ops.
 *
 *   loop thread            infer_call_create -> adapter fills body and request -> infer_call_submit
 *   any thread, the core's                      on_response: ops->encode          on_release: task posted
 *   loop thread                                                                   ops->send
 *   loop thread            infer_call_detach, when the exchange is closed or its client has gone away
 *
 * Lifetime: two references, one of the exchange and one of the submitted request; the last one frees the call. The
 * exchange may go first (a lost client: the request is cancelled, its answer dropped) or the request may. */
#ifndef INFERD_API_INFER_CALL_H
#define INFERD_API_INFER_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/context.h"
#include "base/buf.h"
#include "core/infer_request.h"

struct infer_call;

struct infer_call_ops {
    /* Turns a good response into call->answer. Any thread; call->request is valid. An error becomes the answer. */
    struct status (*encode)(struct infer_call *call, const struct infer_response *response);
    /* Gives call->answer, or the error in call->status, to the client, who is still there. Loop thread. */
    void (*send)(struct infer_call *call);
};

/* Embedded as the first member of the adapters' own structs. */
struct infer_call {
    const struct infer_call_ops *ops;
    const struct api_context *context;
    void *exchange;                /* the protocol's own handle; NULL once it is gone. Loop thread only */
    struct buf body;               /* memory that the request's slices may point into */
    struct infer_request *request; /* the adapter fills it; after infer_call_submit it is only for ops->encode */
    struct buf answer;             /* encoded */
    struct status status;          /* of the answer */

    /* Private to infer_call.c. */
    atomic_int references;
    pthread_mutex_t lock; /* of `request` after submission */
    bool answered;
    struct api_task task;
};

/* A zeroed call of `size` bytes (a struct that begins with struct infer_call) with an empty request, on behalf of the
 * exchange. body_size, of the request in the client's form, bounds what its decoded form may take: sixteen times that
 * and a little more, so that a small request for very many things does not eat all memory. NULL when memory is short.
 */
void *infer_call_create(const struct infer_call_ops *ops, size_t size, const struct api_context *context,
                        void *exchange, size_t body_size);
/* Submits call->request. An error: nothing happened, and the caller answers the client itself. */
struct status infer_call_submit(struct infer_call *call) STATUS_MUST_CHECK;
/* The exchange is closed or lost: gives up its reference, and cancels the request if it still runs. Accepts NULL. */
void infer_call_detach(struct infer_call *call);

#endif
