/* Which of several idle instances gets a batch, and what waits beside one that computes: instances are threads that
 * hold what they took until the test lets them go on. The delay is so long that what waits for it would hang the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/dynamic_batcher.h"

#include <pthread.h>

enum { INSTANCES = 4, REQUESTS_MAX = 8, TEN_MINUTES_S = 600 };

struct fixture;
struct instance {
    struct fixture *f;
    int index, holds; /* requests that it has; 0: none */
    pthread_t thread;
};

struct fixture {
    struct dynamic_batcher *batcher;
    struct instance instances[INSTANCES];
    struct infer_request *requests[REQUESTS_MAX];
    size_t request_count;
    pthread_mutex_t lock; /* of what follows, and of holds */
    pthread_cond_t changed;
    int ran; /* requests that an instance has had */
};

static int count_list(const struct infer_request *request) {
    int count = 0;
    for (; request; request = request->next)
        count++;
    return count;
}

static void *instance_run(void *argument) {
    struct instance *instance = argument;
    struct fixture *f = instance->f;
    struct infer_request *batch;
    while ((batch = dynamic_batcher_take(f->batcher, instance->index)) != NULL) {
        pthread_mutex_lock(&f->lock);
        instance->holds = count_list(batch);
        f->ran += instance->holds;
        pthread_cond_broadcast(&f->changed);
        while (instance->holds)
            pthread_cond_wait(&f->changed, &f->lock);
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

static void no_drop(void *user, struct infer_request *request) {
    (void)user, (void)request;
    fail_msg("a request was dropped");
}

/* Instances 0 and 1 in one place, 2 and 3 in another; batches of 100 tokens, of which 25 are worth one. */
static void begin(struct fixture *f) {
    static const struct batcher_instance alike = {0, 100, TEN_MINUTES_S * NS_PER_S, 25};
    struct batcher_instance instances[INSTANCES];
    *f = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    for (int i = 0; i < INSTANCES; i++) {
        instances[i] = alike;
        instances[i].place = i / 2 * 2;
    }
    const struct batcher_options options = {.policy = {.enabled = true, .ragged = true, .max_items = 64},
                                            .instances = instances,
                                            .max_queue_size = REQUESTS_MAX,
                                            .instance_count = INSTANCES,
                                            .name = "batcher",
                                            .on_dropped = no_drop};
    struct status status = dynamic_batcher_create(&options, &f->batcher);
    assert_int_equal(status.code, STATUS_OK);
    for (int i = 0; i < INSTANCES; i++) {
        f->instances[i] = (struct instance){.f = f, .index = i};
        assert_int_equal(pthread_create(&f->instances[i].thread, NULL, instance_run, &f->instances[i]), 0);
    }
}

static void submit(struct fixture *f, uint32_t tokens) {
    struct infer_request *request = infer_request_create(0);
    assert_non_null(request);
    f->requests[f->request_count++] = request;
    request->cost = (struct infer_cost){1, tokens};
    request->times.queued = clock_monotonic_ns();
    struct status status = dynamic_batcher_submit(f->batcher, request, NULL, NULL);
    assert_int_equal(status.code, STATUS_OK);
}

/* Waits until instances have had so many requests in all. */
static void wait_ran(struct fixture *f, int count) {
    pthread_mutex_lock(&f->lock);
    while (f->ran < count)
        pthread_cond_wait(&f->changed, &f->lock);
    assert_int_equal(f->ran, count);
    pthread_mutex_unlock(&f->lock);
}

/* What the instances of a place hold. */
static int held(struct fixture *f, int place) {
    pthread_mutex_lock(&f->lock);
    int count = f->instances[place].holds + f->instances[place + 1].holds;
    pthread_mutex_unlock(&f->lock);
    return count;
}

static void let_go(struct fixture *f, int place) {
    pthread_mutex_lock(&f->lock);
    f->instances[place].holds = f->instances[place + 1].holds = 0;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void end(struct fixture *f) {
    let_go(f, 0);
    let_go(f, 2);
    dynamic_batcher_stop(f->batcher);
    for (int i = 0; i < INSTANCES; i++)
        pthread_join(f->instances[i].thread, NULL);
    dynamic_batcher_destroy(f->batcher);
    for (size_t i = 0; i < f->request_count; i++)
        infer_request_destroy(f->requests[i]);
}

/* The second request goes to the other place, where nobody computes; the next ones find both at work. */
static void few_tokens_wait_for_who_computes_in_their_place(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    submit(&f, 10);
    wait_ran(&f, 1);
    submit(&f, 10); /* not beside it, though an instance there may be idle */
    wait_ran(&f, 2);
    assert_int_equal(held(&f, 0), 1);
    assert_int_equal(held(&f, 2), 1);
    submit(&f, 10);
    submit(&f, 10);
    assert_int_equal(dynamic_batcher_pending(f.batcher), 2);
    let_go(&f, 2);
    wait_ran(&f, 4);
    assert_int_equal(held(&f, 2), 2);
    submit(&f, 10);
    assert_int_equal(dynamic_batcher_pending(f.batcher), 1);
    submit(&f, 15); /* enough by now, so that they go beside those */
    wait_ran(&f, 6);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_tokens_wait_for_who_computes_in_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
