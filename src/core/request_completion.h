/* request_completion.h: how a request ends: booked, answered in its turn, given back to its adapter. Private to core/.
 *
 * Every way to an end passes here: a backend's response (request_respond, behind backend_respond), the instance after
 * an execution (request_finish), and the batcher for requests that never ran (request_drop). Callbacks are called
 * without locks held. After request_finish and request_drop the request belongs to its adapter. */
#ifndef INFERD_CORE_REQUEST_COMPLETION_H
#define INFERD_CORE_REQUEST_COMPLETION_H

#include "core/infer_request.h"
#include "core/model_priv.h"

/* "[request id: <id>] " in front of an error's message, where the client gave an id. */
struct status request_status(const struct infer_request *request, struct status status);
/* The error of a request whose deadline has passed, with the code that its adapter wants (deadline_code). */
struct status request_expired(const struct infer_request *request);
/* What the statistics book for a request that gets this final response now. */
struct request_outcome request_outcome_of(const struct infer_request *request, const struct infer_response *response,
                                          uint64_t now_ns);
/* Books one response, the next of its request; nothing where the model is not decoupled. */
void request_book_response(struct infer_request *request, const struct infer_response *response);
/* Delivers the final response, already booked. */
void request_finish(struct infer_request *request, struct infer_response *response);
/* Answers and books a request that has not run: CANCELLED, DEADLINE_EXCEEDED or UNAVAILABLE. */
void request_drop(struct infer_request *request, enum status_code why);
/* Takes a response from the backend; the `respond` of struct request_state. What comes after a cancellation or the
 * deadline is dropped, and what a model that is not decoupled may not give makes the final response an error. */
void request_respond(struct infer_request *request, struct infer_response *response, bool final);
/* Hands a response over, whatever the order; gives the request back when it is final. For response_order_create. */
void request_deliver(struct infer_request *request, struct infer_response *response);

#endif
