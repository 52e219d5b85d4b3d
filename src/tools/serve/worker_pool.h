/* worker_pool.h: threads for calls that may take long, as api/ sees them: a place to submit tasks to. A thread is
 * started when a task finds all others at work, up to the most; it stays until the end. */
#ifndef INFERD_TOOLS_SERVE_WORKER_POOL_H
#define INFERD_TOOLS_SERVE_WORKER_POOL_H

#include <pthread.h>
#include <stdint.h>

#include "api/context.h"

enum { WORKER_POOL_THREADS = 8 };

struct worker_pool {
    struct api_workers api; /* first member: api_workers is turned back into this */
    pthread_mutex_t lock;   /* of all that follows */
    pthread_cond_t submitted, idle;
    const char *name;               /* of the threads, with a number behind it */
    struct api_task *first, **last; /* tasks that wait for a thread */
    size_t max_waiting;
    size_t waiting, at_work; /* at work: threads that run a task */
    bool stopping;
    pthread_t threads[WORKER_POOL_THREADS];
    size_t thread_count;
};

/* name: at most 12 bytes, borrowed. max_waiting: tasks that wait for a thread; further ones are not taken. */
void worker_pool_init(struct worker_pool *pool, const char *name, size_t max_waiting);
/* Waits until no task waits or runs; false when the deadline (monotonic ns) passes first. More may come. */
bool worker_pool_wait_idle(struct worker_pool *pool, uint64_t deadline_ns);
/* Runs what waits, and ends the threads. Nothing is submitted any more. Good for a pool that is not initialized. */
void worker_pool_stop(struct worker_pool *pool);

#endif
