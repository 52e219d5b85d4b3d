/* readiness.h: tells those who want to know, each on its own loop, that the server's readiness may have changed.
 *
 * Owner: the composition root, which makes it before the core, whose notices it takes from any thread, and destroys it
 * after the loops have run their last task. */
#ifndef INFERD_API_READINESS_H
#define INFERD_API_READINESS_H

#include "api/context.h"

struct readiness;

/* `max_watches` at a time. NULL when memory is short. */
struct readiness *readiness_create(size_t max_watches);
void readiness_destroy(struct readiness *readiness); /* has no watches any more; accepts NULL */
/* Something has changed. Thread: any. */
void readiness_notify(struct readiness *readiness);

/* One that wants to know. `changed` is called on the loop, after any number of notices at least once. Loop thread for
 * what follows. */
struct readiness_watch;
/* NULL when there are too many watches, or memory is short. */
struct readiness_watch *readiness_watch_create(struct readiness *readiness, struct api_loop *loop,
                                               void (*changed)(void *user), void *user);
/* `changed` is not called any more. Accepts NULL. */
void readiness_watch_destroy(struct readiness_watch *watch);

#endif
