/* http_front.h: the way in of plain HTTP calls: what the composition root's http_handler calls for every exchange that
 * is not gRPC. Thread: the exchange's loop. */
#ifndef INFERD_API_HTTP_FRONT_H
#define INFERD_API_HTTP_FRONT_H

#include "api/context.h"
#include "http/exchange.h"

/* Finds the route; refuses unknown paths and methods at once. */
void http_front_on_head(const struct api_context *context, struct http_exchange *exchange);
/* Calls the route's handler; the body is complete. */
void http_front_on_end(struct http_exchange *exchange);
/* The deadline of the inference under way has passed. */
void http_front_on_deadline(struct http_exchange *exchange);
void http_front_on_abort(struct http_exchange *exchange);
void http_front_on_close(struct http_exchange *exchange);

#endif
