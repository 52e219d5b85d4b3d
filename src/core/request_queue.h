/* request_queue.h: the requests of one model that wait for an instance: a list in order of arrival, and a heap of those
 * that have a deadline, so that an expired one is found whatever its depth.
 *
 * Thread: not locked; its owner, the dynamic batcher, does that. Links lie in the requests, so adding and taking out
 * cost nothing but the heap's logarithm. Requests stay their submitter's memory. */
#ifndef INFERD_CORE_REQUEST_QUEUE_H
#define INFERD_CORE_REQUEST_QUEUE_H

#include "base/status.h"
#include "core/batch_decision.h"
#include "core/infer_request.h"

struct request_queue {
    struct infer_request *first, *last;
    size_t count;
    struct infer_request **deadlines; /* binary heap, the earliest first */
    size_t deadline_count, deadline_capacity;
};

void request_queue_destroy(struct request_queue *queue); /* must be empty; a zeroed queue is an empty one */
/* RESOURCE_EXHAUSTED (and nothing changed) when memory is short. */
struct status request_queue_push(struct request_queue *queue, struct infer_request *request) STATUS_MUST_CHECK;
/* The request must be in the queue. */
void request_queue_remove(struct request_queue *queue, struct infer_request *request);
/* Takes out a request whose deadline has passed; NULL when there is none. */
struct infer_request *request_queue_pop_expired(struct request_queue *queue, uint64_t now_ns);
/* When the next request expires; BATCH_NEVER when none has a deadline. */
uint64_t request_queue_next_expiry(const struct request_queue *queue);
/* Fills both arrays with the first requests, at most `capacity`; returns how many. */
size_t request_queue_view(const struct request_queue *queue, struct batch_candidate *candidates,
                          struct infer_request **requests, size_t capacity);

#endif
