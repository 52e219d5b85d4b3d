/* thread_pool.h: the threads that compute a batch together, one numbered list of items after another.
 *
 * Between two lists of a batch there is nothing but a barrier, so threads that find no item look for the next list for
 * some microseconds before they sleep. Whoever computes a batch holds the pool for all of it; others wait in line.
 */
#ifndef INFERD_ENGINE_THREAD_POOL_H
#define INFERD_ENGINE_THREAD_POOL_H

#include <stddef.h>

#include "engine/bert_engine.h"

/* `worker` is below bert_pool_threads and is not the number of two threads at a time. */
typedef void thread_pool_item_f(void *job, size_t item, int worker);

/* Waits for its turn: those who ask first come first. */
void thread_pool_enter(struct bert_pool *pool);
void thread_pool_leave(struct bert_pool *pool);
/* Between enter and leave: items 0 .. count - 1, each once, on any of the threads, this one among them. All are done
 * when it returns, and what they wrote is seen by later items. Each thread begins with a share of the items that is the
 * same for all lists of that length, so that what it wrote is in its cache; then it helps the others. */
void thread_pool_run(struct bert_pool *pool, thread_pool_item_f *run, void *job, size_t count);

#endif
