#include "api/readiness.h"

#include <pthread.h>
#include <stdlib.h>

struct readiness {
    pthread_mutex_t lock; /* of all that follows, and of the watches' links and marks */
    struct readiness_watch *first;
    size_t count, max;
};

struct readiness_watch {
    struct readiness *readiness;
    struct readiness_watch *previous, *next;
    struct api_loop *loop;
    void (*changed)(void *user); /* NULL: destroyed, but its task is still on its way. Loop thread */
    void *user;
    bool posted;
    struct api_task task;
};

struct readiness *readiness_create(size_t max_watches) {
    struct readiness *readiness = calloc(1, sizeof *readiness);
    if (!readiness)
        return NULL;
    pthread_mutex_init(&readiness->lock, NULL);
    readiness->max = max_watches;
    return readiness;
}

void readiness_destroy(struct readiness *readiness) {
    if (!readiness)
        return;
    pthread_mutex_destroy(&readiness->lock);
    free(readiness);
}

void readiness_notify(struct readiness *readiness) {
    pthread_mutex_lock(&readiness->lock);
    for (struct readiness_watch *watch = readiness->first; watch; watch = watch->next) {
        if (!watch->posted)
            watch->loop->post(watch->loop, &watch->task);
        watch->posted = true;
    }
    pthread_mutex_unlock(&readiness->lock);
}

/* Takes the mark away first, so that a notice from here on posts again. */
static void run(struct api_task *task) {
    struct readiness_watch *watch = (void *)((char *)task - offsetof(struct readiness_watch, task));
    if (!watch->changed) {
        free(watch);
        return;
    }
    pthread_mutex_lock(&watch->readiness->lock);
    watch->posted = false;
    pthread_mutex_unlock(&watch->readiness->lock);
    watch->changed(watch->user);
}

struct readiness_watch *readiness_watch_create(struct readiness *readiness, struct api_loop *loop,
                                               void (*changed)(void *user), void *user) {
    struct readiness_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    *watch = (struct readiness_watch){
        .readiness = readiness, .loop = loop, .changed = changed, .user = user, .task.run = run};
    pthread_mutex_lock(&readiness->lock);
    bool room = readiness->count < readiness->max;
    if (room) {
        readiness->count++;
        watch->next = readiness->first;
        if (watch->next)
            watch->next->previous = watch;
        readiness->first = watch;
    }
    pthread_mutex_unlock(&readiness->lock);
    if (room)
        return watch;
    free(watch);
    return NULL;
}

void readiness_watch_destroy(struct readiness_watch *watch) {
    if (!watch)
        return;
    struct readiness *readiness = watch->readiness;
    pthread_mutex_lock(&readiness->lock);
    readiness->count--;
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        readiness->first = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    bool posted = watch->posted;
    pthread_mutex_unlock(&readiness->lock);
    watch->changed = NULL;
    if (!posted)
        free(watch); /* else its task does it */
}
