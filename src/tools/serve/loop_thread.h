/* loop_thread.h: an event loop with the thread that runs it, as api/ sees it: a place to post tasks to. */
#ifndef INFERD_TOOLS_SERVE_LOOP_THREAD_H
#define INFERD_TOOLS_SERVE_LOOP_THREAD_H

#include <pthread.h>

#include "api/context.h"
#include "net/loop.h"

struct loop_thread {
    struct api_loop api; /* first member: api_loop is turned back into this */
    struct loop *loop;
    pthread_t thread;
    bool started;
    /* Tasks that wait for the loop, the newest first. Whoever finds it empty posts `wake`. */
    _Atomic(struct api_task *) tasks;
    struct loop_message wake;
};

/* Makes the loop; it runs from loop_thread_start on. */
struct status loop_thread_create(struct loop_thread *thread) STATUS_MUST_CHECK;
struct status loop_thread_start(struct loop_thread *thread, size_t index) STATUS_MUST_CHECK;
/* Ends the loop and waits for the thread; good when it was never started. */
void loop_thread_stop(struct loop_thread *thread);
/* After everything that uses the loop is gone. Runs the tasks that are still there. Good for a zeroed one. */
void loop_thread_destroy(struct loop_thread *thread);

#endif
