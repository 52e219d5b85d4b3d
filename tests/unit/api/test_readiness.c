/* Watches of the server's readiness: each hears of a change on its loop, also when it comes while it is told of the one
 * before, and nothing is touched after it has been destroyed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include "api/readiness.h"

/* A loop whose tasks the test runs. */
struct loop {
    struct api_loop api;
    pthread_mutex_t lock;
    struct api_task *tasks;
};

static void post(struct api_loop *api, struct api_task *task) {
    struct loop *loop = (struct loop *)api;
    pthread_mutex_lock(&loop->lock);
    task->next = loop->tasks;
    loop->tasks = task;
    pthread_mutex_unlock(&loop->lock);
}

static size_t run(struct loop *loop) {
    pthread_mutex_lock(&loop->lock);
    struct api_task *task = loop->tasks;
    loop->tasks = NULL;
    pthread_mutex_unlock(&loop->lock);
    size_t count = 0;
    while (task) {
        struct api_task *next = task->next;
        task->run(task);
        task = next;
        count++;
    }
    return count;
}

static void count_up(void *user) {
    ++*(size_t *)user;
}

static void each_watch_hears_of_changes(void **state) {
    (void)state;
    struct loop loops[2] = {{{post}, PTHREAD_MUTEX_INITIALIZER, NULL}, {{post}, PTHREAD_MUTEX_INITIALIZER, NULL}};
    size_t heard[3] = {0};
    struct readiness_watch *watches[3];
    struct readiness *readiness = readiness_create(3);
    assert_non_null(readiness);
    readiness_notify(readiness); /* nobody listens */
    for (size_t i = 0; i < 3; i++) {
        watches[i] = readiness_watch_create(readiness, &loops[i % 2].api, count_up, &heard[i]);
        assert_non_null(watches[i]);
    }
    assert_null(readiness_watch_create(readiness, &loops[0].api, count_up, NULL)); /* one too many */
    readiness_notify(readiness);
    readiness_notify(readiness); /* both are one to those who have not looked */
    assert_int_equal(heard[0], 0);
    assert_int_equal(run(&loops[0]), 2);
    assert_int_equal(run(&loops[1]), 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(heard[i], 1);
    readiness_notify(readiness);
    readiness_watch_destroy(watches[1]); /* its task is on its way */
    run(&loops[1]);
    assert_int_equal(heard[1], 1);
    watches[1] = readiness_watch_create(readiness, &loops[1].api, count_up, &heard[1]); /* there is room again */
    assert_non_null(watches[1]);
    for (size_t i = 0; i < 3; i++)
        readiness_watch_destroy(watches[i]);
    run(&loops[0]);
    assert_int_equal(heard[0], 1);
    readiness_destroy(readiness);
    readiness_destroy(NULL);
    readiness_watch_destroy(NULL);
}

/* A change during `changed` calls it again. */
static struct readiness *notified;

static void change_once_more(void *user) {
    size_t *heard = user;
    if (++*heard == 1)
        readiness_notify(notified);
}

static void a_change_while_another_is_told(void **state) {
    (void)state;
    struct loop loop = {{post}, PTHREAD_MUTEX_INITIALIZER, NULL};
    size_t heard = 0;
    notified = readiness_create(1);
    struct readiness_watch *watch = readiness_watch_create(notified, &loop.api, change_once_more, &heard);
    readiness_notify(notified);
    assert_int_equal(run(&loop), 1);
    assert_int_equal(run(&loop), 1);
    assert_int_equal(run(&loop), 0);
    assert_int_equal(heard, 2);
    readiness_watch_destroy(watch);
    readiness_destroy(notified);
}

static atomic_bool enough;

static void *notify_often(void *argument) {
    while (!atomic_load(&enough))
        readiness_notify(argument);
    return NULL;
}

/* What other threads report while watches come and go is told to those that are there, and to no others. */
static void notices_of_many_threads(void **state) {
    (void)state;
    enum { THREADS = 3, WATCHES = 50 };
    struct loop loop = {{post}, PTHREAD_MUTEX_INITIALIZER, NULL};
    struct readiness *readiness = readiness_create(WATCHES);
    struct readiness_watch *watches[WATCHES] = {NULL};
    size_t heard = 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, notify_often, readiness), 0);
    for (int i = 0; i < 20000 || heard == 0; i++) {
        struct readiness_watch **watch = &watches[i * 7 % WATCHES];
        readiness_watch_destroy(*watch);
        *watch = i % 3 ? readiness_watch_create(readiness, &loop.api, count_up, &heard) : NULL;
        if (i % 5 == 0)
            run(&loop);
    }
    atomic_store(&enough, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WATCHES; i++)
        readiness_watch_destroy(watches[i]);
    size_t before = heard;
    run(&loop);
    assert_int_equal(heard, before);
    readiness_destroy(readiness);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_watch_hears_of_changes),
        cmocka_unit_test(a_change_while_another_is_told),
        cmocka_unit_test(notices_of_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
