#include "tools/serve/loop_thread.h"

#include <stdio.h>
#include <string.h>

static void post_task(struct api_loop *loop, struct api_task *task) {
    struct loop_thread *thread = (struct loop_thread *)loop;
    struct api_task *first = atomic_load(&thread->tasks);
    do {
        task->next = first;
    } while (!atomic_compare_exchange_weak(&thread->tasks, &first, task));
    if (!first)
        loop_post(thread->loop, &thread->wake);
}

/* Takes all tasks at once, and runs them in the order in which they came. */
static void run_tasks(struct loop_message *wake) {
    struct loop_thread *thread = (void *)((char *)wake - offsetof(struct loop_thread, wake));
    struct api_task *newest = atomic_exchange(&thread->tasks, NULL), *oldest = NULL;
    while (newest) {
        struct api_task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct api_task *next = oldest->next; /* a task's memory may go when it runs */
        oldest->run(oldest);
        oldest = next;
    }
}

struct status loop_thread_create(struct loop_thread *thread) {
    thread->api.post = post_task;
    thread->wake.run = run_tasks;
    return loop_create(&thread->loop);
}

static void *thread_main(void *user) {
    struct loop_thread *thread = user;
    struct status status = loop_run(thread->loop);
    (void)status; /* a loop that cannot run any more answers nobody: the exit timeout ends the server */
    return NULL;
}

struct status loop_thread_start(struct loop_thread *thread, size_t index) {
    int error = pthread_create(&thread->thread, NULL, thread_main, thread);
    if (error)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "cannot start a thread for connections: %s", strerror(error));
    thread->started = true;
    char name[16];
    snprintf(name, sizeof name, "loop-%zu", index % 1000);
    pthread_setname_np(thread->thread, name);
    return status_ok();
}

void loop_thread_stop(struct loop_thread *thread) {
    if (!thread->started)
        return;
    loop_stop(thread->loop);
    pthread_join(thread->thread, NULL);
    thread->started = false;
}

void loop_thread_destroy(struct loop_thread *thread) {
    loop_destroy(thread->loop); /* runs what was posted */
    thread->loop = NULL;
}
