/* The queue's list and its heap of deadlines, against a plain model of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/request_queue.h"
#include "core/request_state.h"

enum { REQUESTS = 64 };

static struct infer_request *make_request(uint64_t deadline_ns) {
    struct infer_request *request = infer_request_create(0);
    assert_non_null(request);
    request->deadline_ns = deadline_ns;
    request->cost.items = 1;
    return request;
}

static void push(struct request_queue *queue, struct infer_request *request) {
    struct status status = request_queue_push(queue, request);
    assert_true(status_is_ok(&status));
}

static void keeps_the_order_of_arrival(void **state) {
    (void)state;
    struct request_queue queue = {0};
    struct infer_request *requests[4], *viewed[4];
    struct batch_candidate candidates[4];
    for (uint64_t i = 0; i < 4; i++) {
        requests[i] = make_request(0);
        requests[i]->times.queued = 100 + i;
        requests[i]->state->shape_key = 7 * i;
        requests[i]->cost = (struct infer_cost){(uint32_t)i + 1, (uint32_t)i + 10};
        push(&queue, requests[i]);
    }
    atomic_store(&requests[2]->cancelled, true);
    assert_int_equal(request_queue_view(&queue, candidates, viewed, 4), 4);
    for (uint64_t i = 0; i < 4; i++) {
        assert_ptr_equal(viewed[i], requests[i]);
        assert_int_equal(candidates[i].queued_ns, 100 + i);
        assert_int_equal(candidates[i].key, 7 * i);
        assert_int_equal(candidates[i].items, i + 1);
        assert_int_equal(candidates[i].tokens, i + 10);
        assert_int_equal(candidates[i].cancelled, i == 2);
    }
    assert_int_equal(request_queue_view(&queue, candidates, viewed, 2), 2);
    request_queue_remove(&queue, requests[1]); /* middle */
    request_queue_remove(&queue, requests[3]); /* last */
    assert_int_equal(request_queue_view(&queue, candidates, viewed, 4), 2);
    assert_ptr_equal(viewed[0], requests[0]);
    assert_ptr_equal(viewed[1], requests[2]);
    request_queue_remove(&queue, requests[0]); /* first */
    push(&queue, requests[0]);
    assert_ptr_equal(queue.first, requests[2]);
    assert_ptr_equal(queue.last, requests[0]);
    request_queue_remove(&queue, requests[2]);
    request_queue_remove(&queue, requests[0]);
    assert_int_equal(queue.count, 0);
    assert_null(queue.first);
    assert_null(queue.last);
    request_queue_destroy(&queue);
    for (size_t i = 0; i < 4; i++)
        infer_request_destroy(requests[i]);
}

static void a_deadline_is_over_only_after_it(void **state) {
    (void)state;
    struct request_queue queue = {0};
    struct infer_request *request = make_request(500);
    assert_int_equal(request_queue_next_expiry(&queue), BATCH_NEVER);
    push(&queue, request);
    assert_int_equal(request_queue_next_expiry(&queue), 501);
    assert_null(request_queue_pop_expired(&queue, 500));
    assert_ptr_equal(request_queue_pop_expired(&queue, 501), request);
    assert_null(request_queue_pop_expired(&queue, 501));
    request_queue_destroy(&queue);
    infer_request_destroy(request);
}

static uint64_t earliest(struct infer_request **requests, const bool *queued) {
    uint64_t earliest = BATCH_NEVER;
    for (size_t i = 0; i < REQUESTS; i++)
        if (queued[i] && requests[i]->deadline_ns && requests[i]->deadline_ns < earliest)
            earliest = requests[i]->deadline_ns;
    return earliest == BATCH_NEVER ? earliest : earliest + 1;
}

/* Pushes, removes and expires at random; the next expiry must always be that of a linear search. */
static void the_heap_always_knows_the_next_expiry(void **state) {
    (void)state;
    struct request_queue queue = {0};
    struct infer_request *requests[REQUESTS];
    bool queued[REQUESTS] = {false};
    unsigned seed = 4711;
    for (size_t i = 0; i < REQUESTS; i++)
        requests[i] = make_request(0);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rand_r(&seed) % REQUESTS;
        if (queued[i]) {
            request_queue_remove(&queue, requests[i]);
            queued[i] = false;
        } else {
            requests[i]->deadline_ns = rand_r(&seed) % 3 ? 1 + (uint64_t)rand_r(&seed) % 100 : 0;
            push(&queue, requests[i]);
            queued[i] = true;
        }
        assert_int_equal(request_queue_next_expiry(&queue), earliest(requests, queued));
    }
    uint64_t last = 0;
    struct infer_request *expired;
    while ((expired = request_queue_pop_expired(&queue, 1000)) != NULL) {
        assert_true(expired->deadline_ns >= last);
        last = expired->deadline_ns;
    }
    while (queue.first) {
        assert_int_equal(queue.first->deadline_ns, 0);
        request_queue_remove(&queue, queue.first);
    }
    assert_int_equal(queue.count, 0);
    request_queue_destroy(&queue);
    for (size_t i = 0; i < REQUESTS; i++)
        infer_request_destroy(requests[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_of_arrival),
        cmocka_unit_test(a_deadline_is_over_only_after_it),
        cmocka_unit_test(the_heap_always_knows_the_next_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
