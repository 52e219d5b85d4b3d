/* Each item of a list runs once, lists follow one another, and those who wait for the pool get it in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "engine/thread_pool.h"

enum { ITEMS = 37, LISTS = 200, OWNERS = 3 };

struct tally {
    atomic_int runs[ITEMS];
    atomic_int wrong;
    atomic_int inside; /* owners that hold the pool */
    struct bert_pool *pool;
    int list; /* plain: written between lists, read within them */
};

static void count_item(void *job, size_t item, int worker) {
    struct tally *tally = job;
    bool right = worker >= 0 && worker < bert_pool_threads(tally->pool);
    if (!right || atomic_fetch_add(&tally->runs[item], 1) != tally->list)
        atomic_fetch_add(&tally->wrong, 1);
}

static void runs_each_item_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        struct tally tally = {.list = 0};
        struct status status = bert_pool_create(threads, &tally.pool);
        assert_true(status_is_ok(&status));
        thread_pool_enter(tally.pool);
        for (tally.list = 0; tally.list < LISTS; tally.list++)
            thread_pool_run(tally.pool, count_item, &tally, ITEMS);
        thread_pool_run(tally.pool, count_item, &tally, 0);
        thread_pool_leave(tally.pool);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(atomic_load(&tally.runs[i]), LISTS);
        assert_int_equal(atomic_load(&tally.wrong), 0);
        bert_pool_destroy(tally.pool);
    }
}

static void add_item(void *job, size_t item, int worker) {
    struct tally *tally = job;
    (void)worker;
    atomic_fetch_add(&tally->runs[item], 1);
}

static void *own(void *argument) {
    struct tally *tally = argument;
    for (int i = 0; i < LISTS; i++) {
        thread_pool_enter(tally->pool);
        int others = atomic_fetch_add(&tally->inside, 1);
        thread_pool_run(tally->pool, add_item, tally, ITEMS);
        atomic_fetch_sub(&tally->inside, 1);
        thread_pool_leave(tally->pool);
        if (others != 0)
            atomic_fetch_add(&tally->wrong, 1);
    }
    return NULL;
}

static void serves_owners_one_at_a_time(void **state) {
    (void)state;
    struct tally tally = {.list = 0};
    pthread_t owners[OWNERS];
    struct status status = bert_pool_create(3, &tally.pool);
    assert_true(status_is_ok(&status));
    for (int i = 0; i < OWNERS; i++)
        assert_int_equal(pthread_create(&owners[i], NULL, own, &tally), 0);
    for (int i = 0; i < OWNERS; i++)
        pthread_join(owners[i], NULL);
    assert_int_equal(atomic_load(&tally.wrong), 0);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(atomic_load(&tally.runs[i]), LISTS * OWNERS);
    bert_pool_destroy(tally.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_each_item_once),
                                       cmocka_unit_test(serves_owners_one_at_a_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
