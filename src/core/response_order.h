/* response_order.h: delivers the responses of a model in the order in which its requests were submitted
 * (preserve_ordering), whatever the order in which instances finish.
 *
 * A response waits until those of all earlier requests are delivered to the last. A request that will not run
 * (cancelled, expired) is taken out and answered at once: its error need not wait for others, nor they for it. Thread:
 * any; responses of one request come one after another. Delivery calls out without locks held, from one thread at a
 * time. */
#ifndef INFERD_CORE_RESPONSE_ORDER_H
#define INFERD_CORE_RESPONSE_ORDER_H

#include "core/infer_request.h"

struct response_order;

/* `deliver` hands a response to its requester; after a final one it may not touch the request any more. */
struct response_order *response_order_create(void (*deliver)(struct infer_request *request,
                                                             struct infer_response *response)); /* NULL: no memory */
void response_order_destroy(struct response_order *order);                                      /* accepts NULL */
/* The request comes behind all that were added before. */
void response_order_add(struct response_order *order, struct infer_request *request);
/* The request will not be delivered here; responses that waited for it alone go out. */
void response_order_remove(struct response_order *order, struct infer_request *request);
/* Takes the response over and delivers it now or in its turn. */
void response_order_deliver(struct response_order *order, struct infer_request *request,
                            struct infer_response *response);

#endif
