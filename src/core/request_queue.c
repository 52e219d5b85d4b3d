#include "core/request_queue.h"

#include <stdlib.h>

#include "core/request_state.h"

static void heap_put(struct request_queue *queue, size_t slot, struct infer_request *request) {
    queue->deadlines[slot - 1] = request;
    request->state->deadline_slot = slot;
}

static struct infer_request *heap_at(const struct request_queue *queue, size_t slot) {
    return queue->deadlines[slot - 1];
}

/* Slots count from 1: the parent of slot n is n / 2. */
static void heap_rise(struct request_queue *queue, size_t slot, struct infer_request *request) {
    while (slot > 1 && heap_at(queue, slot / 2)->deadline_ns > request->deadline_ns) {
        heap_put(queue, slot, heap_at(queue, slot / 2));
        slot /= 2;
    }
    heap_put(queue, slot, request);
}

static void heap_sink(struct request_queue *queue, size_t slot, struct infer_request *request) {
    for (;;) {
        size_t child = slot * 2;
        if (child > queue->deadline_count)
            break;
        if (child < queue->deadline_count &&
            heap_at(queue, child + 1)->deadline_ns < heap_at(queue, child)->deadline_ns)
            child++;
        if (heap_at(queue, child)->deadline_ns >= request->deadline_ns)
            break;
        heap_put(queue, slot, heap_at(queue, child));
        slot = child;
    }
    heap_put(queue, slot, request);
}

static struct status heap_push(struct request_queue *queue, struct infer_request *request) {
    if (queue->deadline_count == queue->deadline_capacity) {
        size_t capacity = queue->deadline_capacity ? queue->deadline_capacity * 2 : 64;
        struct infer_request **grown = reallocarray(queue->deadlines, capacity, sizeof *grown);
        if (!grown)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a queue of %zu requests", capacity);
        queue->deadlines = grown;
        queue->deadline_capacity = capacity;
    }
    heap_rise(queue, ++queue->deadline_count, request);
    return status_ok();
}

static void heap_remove(struct request_queue *queue, struct infer_request *request) {
    size_t slot = request->state->deadline_slot;
    request->state->deadline_slot = 0;
    struct infer_request *moved = heap_at(queue, queue->deadline_count--);
    if (moved == request)
        return;
    if (moved->deadline_ns < request->deadline_ns)
        heap_rise(queue, slot, moved);
    else
        heap_sink(queue, slot, moved);
}

void request_queue_destroy(struct request_queue *queue) {
    free(queue->deadlines);
    *queue = (struct request_queue){0};
}

struct status request_queue_push(struct request_queue *queue, struct infer_request *request) {
    if (request->deadline_ns)
        STATUS_TRY(heap_push(queue, request));
    request->next = NULL;
    request->state->previous = queue->last;
    if (queue->last)
        queue->last->next = request;
    else
        queue->first = request;
    queue->last = request;
    queue->count++;
    return status_ok();
}

void request_queue_remove(struct request_queue *queue, struct infer_request *request) {
    struct infer_request *previous = request->state->previous;
    if (previous)
        previous->next = request->next;
    else
        queue->first = request->next;
    if (request->next)
        request->next->state->previous = previous;
    else
        queue->last = previous;
    request->next = NULL;
    request->state->previous = NULL;
    queue->count--;
    if (request->state->deadline_slot)
        heap_remove(queue, request);
}

uint64_t request_queue_next_expiry(const struct request_queue *queue) {
    uint64_t deadline = queue->deadline_count ? queue->deadlines[0]->deadline_ns : BATCH_NEVER;
    return deadline == BATCH_NEVER ? deadline : deadline + 1; /* the deadline itself is still in time */
}

struct infer_request *request_queue_pop_expired(struct request_queue *queue, uint64_t now_ns) {
    if (now_ns < request_queue_next_expiry(queue))
        return NULL;
    struct infer_request *request = queue->deadlines[0];
    request_queue_remove(queue, request);
    return request;
}

size_t request_queue_view(const struct request_queue *queue, struct batch_candidate *candidates,
                          struct infer_request **requests, size_t capacity) {
    size_t count = 0;
    for (struct infer_request *request = queue->first; request && count < capacity; request = request->next) {
        requests[count] = request;
        candidates[count++] = (struct batch_candidate){
            .queued_ns = request->times.queued,
            .deadline_ns = request->deadline_ns,
            .key = request->state->shape_key,
            .priority = 0, /* configs with priority levels are refused, so all requests are of the same level */
            .items = request->cost.items,
            .tokens = request->cost.tokens,
            .cancelled = atomic_load_explicit(&request->cancelled, memory_order_relaxed),
        };
    }
    return count;
}
