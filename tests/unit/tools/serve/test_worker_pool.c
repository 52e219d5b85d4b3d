/* Threads for long calls: how many run side by side, how many wait, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tools/serve/worker_pool.h"

enum { WAITING = 64, TASKS = WORKER_POOL_THREADS + WAITING };

/* Tasks that wait at a gate. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    size_t begun, ended;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct api_task tasks[TASKS + 1];

static void pass_gate(struct api_task *task) {
    (void)task;
    pthread_mutex_lock(&gate.lock);
    gate.begun++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.ended++;
    pthread_mutex_unlock(&gate.lock);
}

static void open_gate(bool open) {
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void wait_begun(size_t count) {
    pthread_mutex_lock(&gate.lock);
    while (gate.begun < count)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static int set_up(void **state) {
    static struct worker_pool pool;
    worker_pool_init(&pool, "worker", WAITING);
    gate.open = false;
    gate.begun = gate.ended = 0;
    for (size_t i = 0; i <= TASKS; i++)
        tasks[i] = (struct api_task){.run = pass_gate};
    *state = &pool;
    return 0;
}

static void tasks_run_side_by_side_and_the_others_wait(void **state) {
    struct worker_pool *pool = *state;
    for (size_t i = 0; i < WORKER_POOL_THREADS; i++)
        assert_true(pool->api.submit(&pool->api, &tasks[i]));
    wait_begun(WORKER_POOL_THREADS); /* none waits for another */
    for (size_t i = WORKER_POOL_THREADS; i < TASKS; i++)
        assert_true(pool->api.submit(&pool->api, &tasks[i]));
    assert_false(pool->api.submit(&pool->api, &tasks[TASKS]));
    assert_false(worker_pool_wait_idle(pool, clock_monotonic_ns()));
    open_gate(true);
    assert_true(worker_pool_wait_idle(pool, UINT64_MAX));
    assert_int_equal(gate.ended, TASKS);
    assert_true(pool->api.submit(&pool->api, &tasks[TASKS]));
    worker_pool_stop(pool); /* runs what was submitted */
    assert_int_equal(gate.ended, TASKS + 1);
}

static void threads_are_made_when_they_are_needed(void **state) {
    struct worker_pool *pool = *state;
    open_gate(true);
    assert_true(worker_pool_wait_idle(pool, 0));
    assert_int_equal(pool->thread_count, 0);
    for (int i = 0; i < 50; i++) {
        assert_true(pool->api.submit(&pool->api, &tasks[0]));
        assert_true(worker_pool_wait_idle(pool, UINT64_MAX));
    }
    assert_int_equal(pool->thread_count, 1);
    worker_pool_stop(pool);
}

static void a_pool_that_was_never_made_can_be_stopped(void **state) {
    (void)state;
    struct worker_pool pool = {.thread_count = 0};
    worker_pool_stop(&pool);
}

int main(void) {
    const struct CMUnitTest tests_of_pool[] = {
        cmocka_unit_test_setup(tasks_run_side_by_side_and_the_others_wait, set_up),
        cmocka_unit_test_setup(threads_are_made_when_they_are_needed, set_up),
        cmocka_unit_test(a_pool_that_was_never_made_can_be_stopped),
    };
    return cmocka_run_group_tests(tests_of_pool, NULL, NULL);
}
