#include "engine/thread_pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/worker_thread.h"

enum {
    THREADS_MAX = 1024,
    SPINS = 2000, /* looks before a thread sleeps: some tens of microseconds, longer than what lies between two lists */
};

struct worker {
    struct bert_pool *pool;
    pthread_t thread;
    int index;
    bool started;
};

/* A thread's share of the list: the end in the upper half, the next item in the lower. So a thread that comes late, and
 * draws from a list that is not the one that it was woken for, still draws a valid item or none. */
struct share {
    _Alignas(64) _Atomic uint64_t ticket;
};

struct bert_pool {
    int thread_count;
    struct worker *workers; /* [thread_count]; 0 is whoever holds the pool */
    struct share *shares;   /* [thread_count] */

    /* The line of those who wait for the pool. */
    pthread_mutex_t lock;
    pthread_cond_t turn;
    uint64_t next_ticket, serving;

    /* The list: written before the shares are, read by those who got an item from it. */
    thread_pool_item_f *run;
    void *job;
    uint32_t count;
    _Alignas(64) _Atomic uint32_t done;  /* items of the list that are done; a futex */
    _Alignas(64) _Atomic uint32_t epoch; /* lists so far; a futex */
    _Atomic uint32_t sleepers;
    atomic_bool stopping;
};

static void relax(void) {
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* ---- items ---- */

static void run_share(struct bert_pool *pool, struct share *share, int worker) {
    for (;;) {
        uint64_t drawn = atomic_fetch_add(&share->ticket, 1);
        uint32_t end = (uint32_t)(drawn >> 32), item = (uint32_t)drawn;
        if (item >= end)
            return;
        uint32_t count = pool->count; /* the list may be over, and another begun, once this item is done */
        pool->run(pool->job, item, worker);
        if (atomic_fetch_add(&pool->done, 1) + 1 == count)
            futex_wake_all(&pool->done);
    }
}

/* Its own share, then what the others have left. */
static void run_items(struct bert_pool *pool, int worker) {
    for (int i = 0; i < pool->thread_count; i++)
        run_share(pool, &pool->shares[(worker + i) % pool->thread_count], worker);
}

/* As equal as can be, and the same for lists of the same length. */
static void share_out(struct bert_pool *pool, size_t count) {
    size_t threads = (size_t)pool->thread_count;
    for (size_t i = 0; i < threads; i++) {
        uint64_t begin = count * i / threads, end = count * (i + 1) / threads;
        atomic_store(&pool->shares[i].ticket, end << 32 | begin);
    }
}

static void wait_for_epoch(struct bert_pool *pool, uint32_t seen) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool->epoch) != seen)
            return;
        relax();
    }
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->epoch) == seen)
        futex_wait(&pool->epoch, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct bert_pool *pool = worker->pool;
    uint32_t seen = 0;
    while (!atomic_load(&pool->stopping)) {
        wait_for_epoch(pool, seen);
        seen = atomic_load(&pool->epoch);
        run_items(pool, worker->index);
    }
    return NULL;
}

static void publish(struct bert_pool *pool) {
    atomic_fetch_add(&pool->epoch, 1);
    if (atomic_load(&pool->sleepers) > 0)
        futex_wake_all(&pool->epoch);
}

static void wait_until_done(struct bert_pool *pool, uint32_t count) {
    for (int spins = 0;; spins++) {
        uint32_t done = atomic_load(&pool->done);
        if (done == count)
            return;
        if (spins < SPINS)
            relax();
        else
            futex_wait(&pool->done, done);
    }
}

void thread_pool_run(struct bert_pool *pool, thread_pool_item_f *run, void *job, size_t count) {
    if (pool->thread_count == 1 || count <= 1) {
        for (size_t i = 0; i < count; i++)
            run(job, i, 0);
        return;
    }
    pool->run = run;
    pool->job = job;
    atomic_store(&pool->done, 0);
    pool->count = (uint32_t)count;
    share_out(pool, count);
    publish(pool);
    run_items(pool, 0);
    wait_until_done(pool, (uint32_t)count);
}

/* ---- the line ---- */

void thread_pool_enter(struct bert_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    uint64_t ticket = pool->next_ticket++;
    while (pool->serving != ticket)
        pthread_cond_wait(&pool->turn, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void thread_pool_leave(struct bert_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->serving++;
    pthread_cond_broadcast(&pool->turn);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- life ---- */

static struct status start_workers(struct bert_pool *pool) {
    for (int i = 1; i < pool->thread_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "bert-%d", i);
        pool->workers[i] = (struct worker){.pool = pool, .index = i};
        STATUS_TRY(worker_thread_start(&pool->workers[i].thread, worker_main, &pool->workers[i], name));
        pool->workers[i].started = true;
    }
    return status_ok();
}

struct status bert_pool_create(int threads, struct bert_pool **ret) {
    if (threads <= 0)
        threads = cpu_available_count();
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    struct bert_pool *pool = aligned_alloc(64, sizeof *pool);
    if (!pool)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the engine's threads");
    *pool = (struct bert_pool){.thread_count = threads};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->turn, NULL);
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    pool->shares = aligned_alloc(64, (size_t)threads * sizeof *pool->shares);
    for (int i = 0; pool->shares && i < threads; i++)
        pool->shares[i] = (struct share){0};
    struct status status = pool->workers && pool->shares
                               ? start_workers(pool)
                               : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the engine's threads");
    if (status_is_ok(&status))
        *ret = pool;
    else
        bert_pool_destroy(pool);
    return status;
}

void bert_pool_destroy(struct bert_pool *pool) {
    if (!pool)
        return;
    atomic_store(&pool->stopping, true);
    publish(pool);
    for (int i = 1; pool->workers && i < pool->thread_count; i++)
        if (pool->workers[i].started)
            pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->turn);
    free(pool->workers);
    free(pool->shares);
    free(pool);
}

int bert_pool_threads(const struct bert_pool *pool) {
    return pool->thread_count;
}
