#include "core/response_order.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/request_state.h"

struct response_order {
    void (*deliver)(struct infer_request *request, struct infer_response *response);
    pthread_mutex_t lock;
    struct infer_request *first, *last; /* requests that still owe responses, in order of submission */
    bool delivering;                    /* a thread is in flush(); it takes along what others add */
};

struct response_order *response_order_create(void (*deliver)(struct infer_request *request,
                                                             struct infer_response *response)) {
    struct response_order *order = calloc(1, sizeof *order);
    if (!order)
        return NULL;
    order->deliver = deliver;
    if (pthread_mutex_init(&order->lock, NULL) != 0) {
        free(order);
        return NULL;
    }
    return order;
}

void response_order_destroy(struct response_order *order) {
    if (!order)
        return;
    pthread_mutex_destroy(&order->lock);
    free(order);
}

static void unlink_request(struct response_order *order, struct infer_request *request) {
    struct infer_request *previous = request->state->order_previous, *next = request->state->order_next;
    if (previous)
        previous->state->order_next = next;
    else
        order->first = next;
    if (next)
        next->state->order_previous = previous;
    else
        order->last = previous;
}

/* Delivers what the first request has, and goes on to the next one when that was its final response. Called and left
 * with the lock held. */
static void flush(struct response_order *order) {
    if (order->delivering)
        return;
    order->delivering = true;
    struct infer_request *request;
    while ((request = order->first) != NULL && request->state->waiting_first) {
        struct infer_response *response = request->state->waiting_first;
        request->state->waiting_first = response->next;
        if (response->final)
            unlink_request(order, request);
        pthread_mutex_unlock(&order->lock);
        response->next = NULL;
        order->deliver(request, response);
        pthread_mutex_lock(&order->lock);
    }
    order->delivering = false;
}

void response_order_add(struct response_order *order, struct infer_request *request) {
    pthread_mutex_lock(&order->lock);
    request->state->order_previous = order->last;
    request->state->order_next = NULL;
    if (order->last)
        order->last->state->order_next = request;
    else
        order->first = request;
    order->last = request;
    pthread_mutex_unlock(&order->lock);
}

void response_order_remove(struct response_order *order, struct infer_request *request) {
    pthread_mutex_lock(&order->lock);
    unlink_request(order, request);
    flush(order);
    pthread_mutex_unlock(&order->lock);
}

void response_order_deliver(struct response_order *order, struct infer_request *request,
                            struct infer_response *response) {
    pthread_mutex_lock(&order->lock);
    response->next = NULL;
    if (request->state->waiting_first)
        request->state->waiting_last->next = response;
    else
        request->state->waiting_first = response;
    request->state->waiting_last = response;
    flush(order);
    pthread_mutex_unlock(&order->lock);
}
