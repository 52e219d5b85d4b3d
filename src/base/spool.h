/* spool.h: a bounded queue with a thread of its own that writes what is queued, to a file or to a peer, so that nobody
 * else waits for either. What does not fit is dropped and counted; what cannot be written is lost and counted; the log
 * tells of both, seldom.
 *
 * Owner: whoever created it. Thread: spool_push, spool_has_room, spool_drop, spool_counts: any; the others: the
 * owner's.
 */
#ifndef INFERD_BASE_SPOOL_H
#define INFERD_BASE_SPOOL_H

#include <stdatomic.h>

#include "base/log.h"
#include "base/status.h"

/* Embedded at the start of what is queued. */
struct spool_item {
    struct spool_item *next;
    size_t size; /* bytes that it takes; fixed while it is queued */
};

struct spool_options {
    const char *what;      /* "traces": what is queued, in the log's words */
    const char *thread;    /* the thread's name */
    const struct log *log; /* borrowed */
    size_t max_items, max_bytes;
    size_t batch;              /* most items that `write` is given at once; at least 1 */
    uint64_t delay_ns;         /* how long less than that (or than max_bytes / 4) may wait for more; 0: not at all */
    uint64_t write_timeout_ns; /* what a call of `write` may take; `write` sees to that */
    /* Writes a list, destroys its items in any case, and returns how many were written; *ret_status, good before, says
     * why not all. *deadline_ns (clock_monotonic_ns) is when it must have returned; it may be moved meanwhile. The
     * spool's thread. */
    size_t (*write)(void *user, struct spool_item *list, const atomic_uint_fast64_t *deadline_ns,
                    struct status *ret_status);
    void (*destroy_item)(struct spool_item *item);
    void (*destroy_user)(void *user); /* at the end of all, on the owner's or the spool's thread */
    void *user;                       /* the spool's once it is created */
};

struct spool_counts {
    uint64_t written, dropped, failed; /* items; dropped: the queue was full, failed: they could not be written */
};

struct spool;

/* No thread yet. An error: the user is still the caller's. */
struct status spool_create(const struct spool_options *options, struct spool **ret) STATUS_MUST_CHECK;
/* Starts the thread, once; good when it runs already. */
struct status spool_start(struct spool *spool) STATUS_MUST_CHECK;
/* Takes the item over, and destroys it when it is written or dropped. Never waits. */
void spool_push(struct spool *spool, struct spool_item *item);
/* Whether an item of that size would fit now: for those who would have to make it first. */
bool spool_has_room(struct spool *spool, size_t size);
/* Counts an item that was not made, for want of room, as dropped. */
void spool_drop(struct spool *spool);
struct spool_counts spool_counts(struct spool *spool);
/* Writes what is queued, for at most wait_ns, and ends. A thread that the system holds up longer is left behind with
 * what it has, and ends everything when it can; nothing that it borrows is used then. Accepts NULL. */
void spool_destroy(struct spool *spool, uint64_t wait_ns);

#endif
