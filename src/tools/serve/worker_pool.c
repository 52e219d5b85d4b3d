#include "tools/serve/worker_pool.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/worker_thread.h"

static struct api_task *take(struct worker_pool *pool) {
    struct api_task *task = pool->first;
    pool->first = task->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->waiting--;
    pool->at_work++;
    return task;
}

static void *worker_run(void *user) {
    struct worker_pool *pool = user;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->first && !pool->stopping)
            pthread_cond_wait(&pool->submitted, &pool->lock);
        if (!pool->first)
            break;
        struct api_task *task = take(pool);
        pthread_mutex_unlock(&pool->lock);
        task->run(task);
        pthread_mutex_lock(&pool->lock);
        pool->at_work--;
        if (!pool->first && pool->at_work == 0)
            pthread_cond_broadcast(&pool->idle);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Under the lock: one more thread, if all are at work or about to be. */
static void start_thread(struct worker_pool *pool) {
    if (pool->thread_count == WORKER_POOL_THREADS || pool->thread_count > pool->at_work + pool->waiting)
        return;
    char name[16];
    snprintf(name, sizeof name, "%.12s-%zu", pool->name, pool->thread_count % WORKER_POOL_THREADS);
    struct status status = worker_thread_start(&pool->threads[pool->thread_count], worker_run, pool, name);
    if (status_is_ok(&status))
        pool->thread_count++;
}

static bool submit(struct api_workers *workers, struct api_task *task) {
    struct worker_pool *pool = (struct worker_pool *)workers;
    pthread_mutex_lock(&pool->lock);
    start_thread(pool);
    bool taken = pool->thread_count > 0 && pool->waiting < pool->max_waiting && !pool->stopping;
    if (taken) {
        task->next = NULL;
        *pool->last = task;
        pool->last = &task->next;
        pool->waiting++;
        pthread_cond_signal(&pool->submitted);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

void worker_pool_init(struct worker_pool *pool, const char *name, size_t max_waiting) {
    *pool = (struct worker_pool){.api = {submit}, .name = name, .max_waiting = max_waiting};
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->submitted, NULL);
    monotonic_cond_init(&pool->idle);
}

bool worker_pool_wait_idle(struct worker_pool *pool, uint64_t deadline_ns) {
    pthread_mutex_lock(&pool->lock);
    while ((pool->first || pool->at_work > 0) && clock_monotonic_ns() < deadline_ns)
        monotonic_cond_wait(&pool->idle, &pool->lock, deadline_ns);
    bool idle = !pool->first && pool->at_work == 0;
    pthread_mutex_unlock(&pool->lock);
    return idle;
}

void worker_pool_stop(struct worker_pool *pool) {
    if (!pool->api.submit)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->submitted);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->submitted);
    pthread_mutex_destroy(&pool->lock);
    pool->api.submit = NULL;
}
