/* loop.h: an event loop on epoll: one thread, its descriptors, its timers and its mailbox.
 *
 * To end: loop_stop, wait for the thread, destroy what uses the loop (listeners, and threads that post to it), then
 * loop_destroy. */
#ifndef INFERD_NET_LOOP_H
#define INFERD_NET_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct loop;

/* The struct that a message, timer or watch is embedded in. */
#define LOOP_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

struct status loop_create(struct loop **ret) STATUS_MUST_CHECK;
/* Runs the messages that are still queued, so that their senders can let go of them. Accepts NULL. */
void loop_destroy(struct loop *loop);
/* Runs until loop_stop, and the messages that came before it. Thread: this thread owns the loop from here on. */
struct status loop_run(struct loop *loop) STATUS_MUST_CHECK;
/* From any thread. */
void loop_stop(struct loop *loop);

/* A message to a loop: `run` is called once on the loop's thread, in the order of posting. The node is embedded in the
 * sender's own memory and must stay valid until run, which may free it or post it again; posting never allocates and
 * never fails. Thread: any. */
struct loop_message {
    void (*run)(struct loop_message *message);
    struct loop_message *next; /* the loop's own */
};
void loop_post(struct loop *loop, struct loop_message *message);
/* Runs queued messages on the calling thread. Only while no thread is in loop_run. */
void loop_run_messages(struct loop *loop);

/* A timer: calls `fire` once on the loop thread at or soon after deadline. Embedded, zeroed at first; loop thread only.
 */
struct loop_timer {
    uint64_t deadline_ns;
    void (*fire)(struct loop_timer *timer);
    struct loop_timer *child, *next, *previous; /* the loop's own: its place in a heap */
};
/* Sets it, or moves it when it is set already. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer); /* nothing happens when it is not set */

/* Watches a descriptor (readable and/or writable, level-triggered). Embedded; loop thread only. After
 * loop_watch_remove, which comes before the descriptor is closed, `ready` is not called any more and the memory may go.
 */
struct loop_watch {
    int fd;
    uint32_t events; /* EPOLLIN | EPOLLOUT | EPOLLRDHUP */
    void (*ready)(struct loop_watch *watch, uint32_t events);
};
struct status loop_watch_add(struct loop *loop, struct loop_watch *watch) STATUS_MUST_CHECK;
void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

#endif
