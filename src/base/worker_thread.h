/* worker_thread.h: threads of our own: named, and deaf to signals that others send, which belong to the thread
 * that waits for them; faults of their own are not blocked (base/guarded_map.h handles some). */
#ifndef INFERD_BASE_WORKER_THREAD_H
#define INFERD_BASE_WORKER_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "base/status.h"

/* Starts `run(argument)`. The name (cut at 15 bytes) is what debuggers and `ps -L` show. RESOURCE_EXHAUSTED when the
 * system has no thread left. Ended by pthread_join. */
struct status worker_thread_start(pthread_t *ret, void *(*run)(void *argument), void *argument,
                                  const char *name) STATUS_MUST_CHECK;
/* A condition variable whose timed waits go by CLOCK_MONOTONIC; 0, or an errno. */
int monotonic_cond_init(pthread_cond_t *cond);
/* Waits until the condition is signalled or the time has come; UINT64_MAX waits for ever. */
void monotonic_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ns);

#endif
