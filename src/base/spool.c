#include "base/spool.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/worker_thread.h"

/* What goes wrong is told of once, and then at most so often. */
#define COMPLAINT_INTERVAL_NS (60 * NS_PER_S)
/* What a thread that is late may take beyond the time to end, before it is left behind. */
#define GRACE_NS (500 * NS_PER_MS)

struct spool {
    struct spool_options options;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool started, stopping, ended;
    bool abandoned;   /* the thread has nobody to tell anything, and frees this at its end */
    uint64_t stop_ns; /* when to give up, while stopping */
    struct spool_item *first, **last;
    size_t queued, queued_bytes;
    struct spool_counts counts;
    pthread_t thread;

    atomic_uint_fast64_t deadline_ns; /* of what is being written */

    /* The thread's own. */
    bool failing;
    uint64_t failed_told_ns, failed_before;
    uint64_t dropped_told_ns, dropped_before;
};

static size_t destroy_items(struct spool *spool) {
    size_t count = 0;
    while (spool->first) {
        struct spool_item *item = spool->first;
        spool->first = item->next;
        spool->options.destroy_item(item);
        count++;
    }
    return count;
}

static void free_spool(struct spool *spool) {
    destroy_items(spool);
    spool->options.destroy_user(spool->options.user);
    pthread_cond_destroy(&spool->changed);
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}

struct status spool_create(const struct spool_options *options, struct spool **ret) {
    struct spool *spool = calloc(1, sizeof *spool);
    if (!spool || pthread_mutex_init(&spool->lock, NULL) != 0) {
        free(spool);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a queue of %s", options->what);
    }
    monotonic_cond_init(&spool->changed);
    spool->options = *options;
    spool->last = &spool->first;
    *ret = spool;
    return status_ok();
}

/* ---- the queue ---- */

static bool has_room(const struct spool *spool, size_t size) {
    return spool->queued < spool->options.max_items && spool->queued_bytes <= spool->options.max_bytes &&
           size <= spool->options.max_bytes - spool->queued_bytes;
}

/* Enough to be written at once, without waiting for more. */
static bool is_batch(const struct spool *spool) {
    return spool->queued >= spool->options.batch || spool->queued_bytes >= spool->options.max_bytes / 4;
}

bool spool_has_room(struct spool *spool, size_t size) {
    pthread_mutex_lock(&spool->lock);
    bool room = has_room(spool, size);
    pthread_mutex_unlock(&spool->lock);
    return room;
}

void spool_drop(struct spool *spool) {
    pthread_mutex_lock(&spool->lock);
    spool->counts.dropped++;
    pthread_mutex_unlock(&spool->lock);
}

void spool_push(struct spool *spool, struct spool_item *item) {
    item->next = NULL;
    pthread_mutex_lock(&spool->lock);
    bool room = has_room(spool, item->size);
    if (room) {
        *spool->last = item;
        spool->last = &item->next;
        spool->queued++;
        spool->queued_bytes += item->size;
        if (spool->queued == 1 || is_batch(spool)) /* else the thread has nothing new to decide */
            pthread_cond_signal(&spool->changed);
    } else {
        spool->counts.dropped++;
    }
    pthread_mutex_unlock(&spool->lock);
    if (!room)
        spool->options.destroy_item(item);
}

struct spool_counts spool_counts(struct spool *spool) {
    pthread_mutex_lock(&spool->lock);
    struct spool_counts counts = spool->counts;
    pthread_mutex_unlock(&spool->lock);
    return counts;
}

/* Takes a batch off the queue; under the lock. */
static struct spool_item *take(struct spool *spool, size_t *ret_count) {
    struct spool_item *list = spool->first, **end = &list;
    size_t count = 0;
    for (; count < spool->options.batch && *end; count++) {
        spool->queued_bytes -= (*end)->size;
        end = &(*end)->next;
    }
    spool->queued -= count;
    spool->first = *end;
    if (!spool->first)
        spool->last = &spool->first;
    *end = NULL;
    *ret_count = count;
    return list;
}

/* ---- what the log hears ---- */

static void tell_failure(struct spool *spool, const struct status *status) {
    uint64_t now_ns = clock_monotonic_ns();
    if (spool->failing && now_ns - spool->failed_told_ns < COMPLAINT_INTERVAL_NS)
        return;
    LOG_WARNING(spool->options.log, "%s are lost: %s", spool->options.what, status->message);
    spool->failing = true;
    spool->failed_told_ns = now_ns;
}

static void tell_drops(struct spool *spool, uint64_t dropped) {
    uint64_t now_ns = clock_monotonic_ns();
    if (dropped == spool->dropped_before ||
        (spool->dropped_before > 0 && now_ns - spool->dropped_told_ns < COMPLAINT_INTERVAL_NS))
        return;
    LOG_WARNING(spool->options.log, "%" PRIu64 " %s were dropped: they come faster than they can be written",
                dropped - spool->dropped_before, spool->options.what);
    spool->dropped_before = dropped;
    spool->dropped_told_ns = now_ns;
}

/* Counts how it went, and tells when it goes wrong and when it goes well again. */
static void account(struct spool *spool, const struct status *status, size_t written, size_t failed) {
    pthread_mutex_lock(&spool->lock);
    spool->counts.written += written;
    spool->counts.failed += failed;
    struct spool_counts counts = spool->counts;
    bool silent = spool->abandoned;
    pthread_mutex_unlock(&spool->lock);
    if (silent)
        return;
    tell_drops(spool, counts.dropped);
    if (!status_is_ok(status)) {
        tell_failure(spool, status);
        return;
    }
    if (spool->failing)
        LOG_INFO(spool->options.log, "%s are written again; %" PRIu64 " were lost", spool->options.what,
                 counts.failed - spool->failed_before);
    spool->failing = false;
    spool->failed_before = counts.failed;
}

/* ---- the thread ---- */

/* Waits until there is something to do, or nothing more to come; takes it. NULL: the end. Under the lock. */
static struct spool_item *wait_for_work(struct spool *spool, uint64_t due_ns, size_t *ret_count) {
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        if (spool->stopping && (!spool->first || now_ns >= spool->stop_ns))
            return NULL;
        bool due = spool->stopping || is_batch(spool) || now_ns >= due_ns;
        if (spool->first && due)
            return take(spool, ret_count);
        monotonic_cond_wait(&spool->changed, &spool->lock, spool->first ? due_ns : UINT64_MAX);
    }
}

/* Under the lock, which it leaves meanwhile. */
static void write_list(struct spool *spool, struct spool_item *list, size_t count) {
    uint64_t deadline_ns = clock_monotonic_ns() + spool->options.write_timeout_ns;
    if (spool->stopping && spool->stop_ns < deadline_ns)
        deadline_ns = spool->stop_ns;
    atomic_store(&spool->deadline_ns, deadline_ns);
    pthread_mutex_unlock(&spool->lock);
    struct status status = status_ok();
    size_t written = spool->options.write(spool->options.user, list, &spool->deadline_ns, &status);
    account(spool, &status, written, count - written);
    pthread_mutex_lock(&spool->lock);
}

static void *spool_run(void *argument) {
    struct spool *spool = argument;
    uint64_t due_ns = clock_monotonic_ns() + spool->options.delay_ns;
    size_t count;
    pthread_mutex_lock(&spool->lock);
    for (struct spool_item *list; (list = wait_for_work(spool, due_ns, &count)) != NULL;) {
        write_list(spool, list, count);
        due_ns = clock_monotonic_ns() + spool->options.delay_ns;
    }
    bool abandoned = spool->abandoned;
    spool->ended = true;
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->lock);
    if (abandoned)
        free_spool(spool);
    return NULL;
}

struct status spool_start(struct spool *spool) {
    pthread_mutex_lock(&spool->lock);
    struct status status = status_ok();
    if (!spool->started)
        status = worker_thread_start(&spool->thread, spool_run, spool, spool->options.thread);
    if (status_is_ok(&status))
        spool->started = true;
    pthread_mutex_unlock(&spool->lock);
    return status;
}

/* Waits for the thread; false when it was left behind. */
static bool join(struct spool *spool, uint64_t until_ns) {
    pthread_mutex_lock(&spool->lock);
    while (!spool->ended && clock_monotonic_ns() < until_ns)
        monotonic_cond_wait(&spool->changed, &spool->lock, until_ns);
    bool ended = spool->ended;
    spool->abandoned = !ended;
    pthread_mutex_unlock(&spool->lock);
    if (ended)
        pthread_join(spool->thread, NULL);
    else
        pthread_detach(spool->thread);
    return ended;
}

void spool_destroy(struct spool *spool, uint64_t wait_ns) {
    if (!spool)
        return;
    pthread_mutex_lock(&spool->lock);
    uint64_t stop_ns = clock_monotonic_ns() + wait_ns;
    spool->stopping = true;
    spool->stop_ns = stop_ns;
    if (atomic_load(&spool->deadline_ns) > stop_ns)
        atomic_store(&spool->deadline_ns, stop_ns);
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->lock);
    const struct log *log = spool->options.log;
    const char *what = spool->options.what;
    if (spool->started && !join(spool, stop_ns + GRACE_NS)) {
        LOG_WARNING(log, "the last %s are lost: the system holds up the thread that writes them", what);
        return;
    }
    spool->dropped_told_ns = 0; /* in any case */
    tell_drops(spool, spool->counts.dropped);
    size_t left = destroy_items(spool);
    if (left > 0)
        LOG_WARNING(log, "%zu %s were not written before the end", left, what);
    free_spool(spool);
}
