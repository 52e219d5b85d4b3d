/* loop_epoll.c: the event loop on Linux: epoll for descriptors, an eventfd to be woken by other threads, a timerfd to
 * be woken in time. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"
#include "net/timer_heap.h"

enum { EVENT_BATCH = 128 };

/* How long timers are fired that are due, before descriptors are looked at again: behind a timer may be much work. */
#define FIRE_NS (10 * NS_PER_MS)

struct loop {
    int epoll_fd;
    int wake_fd;
    int timer_fd;
    struct loop_watch wake_watch, timer_watch;
    struct timer_heap timers;
    uint64_t alarm_ns;                      /* when timer_fd is due; 0: never */
    _Atomic(struct loop_message *) mailbox; /* last posted first */
    atomic_bool stopping;
    atomic_bool running;
    _Atomic(pthread_t) thread; /* valid while running */
    /* The batch being handled: a watch that is removed is also taken out of what is left of it. */
    struct epoll_event events[EVENT_BATCH];
    int event_count;
    int event_at;
};

/* ---- messages ---- */

static void wake(struct loop *loop) {
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(loop->wake_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR); /* EAGAIN: it is readable, which is all that is wanted */
}

/* Of an eventfd or timerfd: makes it unreadable. */
static void take_count(int fd) {
    uint64_t count;
    ssize_t n;
    do
        n = read(fd, &count, sizeof count);
    while (n < 0 && errno == EINTR);
}

static void on_wake(struct loop_watch *watch, uint32_t events) {
    (void)events;
    take_count(watch->fd);
}

static bool is_own_thread(struct loop *loop) {
    return atomic_load(&loop->running) && pthread_equal(atomic_load(&loop->thread), pthread_self());
}

void loop_post(struct loop *loop, struct loop_message *message) {
    struct loop_message *head = atomic_load(&loop->mailbox);
    do
        message->next = head;
    while (!atomic_compare_exchange_weak(&loop->mailbox, &head, message));
    /* Behind other messages: whoever posted the first one has woken the loop. On its own thread the loop is awake. */
    if (!head && !is_own_thread(loop))
        wake(loop);
}

/* Runs what is queued now, oldest first; false when there was nothing. */
static bool run_batch(struct loop *loop) {
    struct loop_message *newest = atomic_exchange(&loop->mailbox, NULL), *oldest = NULL;
    bool any = newest != NULL;
    while (newest) {
        struct loop_message *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    while (oldest) {
        struct loop_message *next = oldest->next; /* the message may be gone after run */
        oldest->run(oldest);
        oldest = next;
    }
    return any;
}

void loop_run_messages(struct loop *loop) {
    while (run_batch(loop))
        ;
}

/* ---- timers ---- */

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer) {
    if (timer_heap_contains(&loop->timers, timer))
        timer_heap_remove(&loop->timers, timer);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns) {
    loop_timer_cancel(loop, timer);
    timer->deadline_ns = deadline_ns;
    timer_heap_insert(&loop->timers, timer);
}

/* No timer is due before the alarm, if there are any. */
static bool alarm_is_set(const struct loop *loop) {
    const struct loop_timer *first = loop->timers.root;
    return !first || (loop->alarm_ns != 0 && loop->alarm_ns <= first->deadline_ns);
}

/* Fires what is due by now, the earliest first; timers that are set meanwhile wait for the next round. */
static void fire_timers(struct loop *loop) {
    if (alarm_is_set(loop))
        return;
    uint64_t now = clock_monotonic_ns(), late = now + FIRE_NS;
    while (loop->timers.root && loop->timers.root->deadline_ns <= now && clock_monotonic_ns() < late) {
        struct loop_timer *timer = loop->timers.root;
        timer_heap_remove(&loop->timers, timer);
        timer->fire(timer);
    }
}

static void on_alarm(struct loop_watch *watch, uint32_t events) {
    (void)events;
    take_count(watch->fd);
    LOOP_CONTAINER(watch, struct loop, timer_watch)->alarm_ns = 0;
}

/* Makes the loop wake up when its first timer is due. Deadlines mostly move away, so the alarm is left where it was and
 * rings for nothing now and then: to tell epoll_wait each time how long to wait costs a request more. */
static void set_alarm(struct loop *loop) {
    if (alarm_is_set(loop))
        return;
    uint64_t deadline = loop->timers.root->deadline_ns;
    loop->alarm_ns = deadline > 0 ? deadline : 1; /* 0 would be none */
    const struct itimerspec alarm = {
        .it_value = {.tv_sec = (time_t)(loop->alarm_ns / NS_PER_S), .tv_nsec = (long)(loop->alarm_ns % NS_PER_S)}};
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &alarm, NULL);
}

/* ---- descriptors ---- */

static int control(struct loop *loop, int operation, struct loop_watch *watch) {
    struct epoll_event event = {.events = watch->events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, operation, watch->fd, &event);
}

struct status loop_watch_add(struct loop *loop, struct loop_watch *watch) {
    if (control(loop, EPOLL_CTL_ADD, watch))
        return status_error(STATUS_INTERNAL, "cannot watch descriptor %d: %s", watch->fd, strerror(errno));
    return status_ok();
}

void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events) {
    watch->events = events;
    control(loop, EPOLL_CTL_MOD, watch);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch) {
    control(loop, EPOLL_CTL_DEL, watch);
    for (int i = loop->event_at; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

static struct status wait_and_handle(struct loop *loop) {
    set_alarm(loop);
    int timeout = atomic_load(&loop->mailbox) ? 0 : -1;
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENT_BATCH, timeout);
    if (count < 0 && errno != EINTR)
        return status_error(STATUS_INTERNAL, "cannot wait for events: %s", strerror(errno));
    loop->event_count = count > 0 ? count : 0;
    for (loop->event_at = 0; loop->event_at < loop->event_count;) {
        const struct epoll_event *event = &loop->events[loop->event_at++];
        struct loop_watch *watch = event->data.ptr;
        if (watch)
            watch->ready(watch, event->events);
    }
    loop->event_count = 0;
    return status_ok();
}

/* ---- life ---- */

struct status loop_create(struct loop **ret) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an event loop");
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct status status = status_ok();
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 || loop->timer_fd < 0) {
        status = status_error(STATUS_RESOURCE_EXHAUSTED, "cannot create an event loop: %s", strerror(errno));
    } else {
        loop->wake_watch = (struct loop_watch){.fd = loop->wake_fd, .events = EPOLLIN, .ready = on_wake};
        loop->timer_watch = (struct loop_watch){.fd = loop->timer_fd, .events = EPOLLIN, .ready = on_alarm};
        status = loop_watch_add(loop, &loop->wake_watch);
    }
    if (status_is_ok(&status))
        status = loop_watch_add(loop, &loop->timer_watch);
    if (status_is_ok(&status))
        *ret = loop;
    else
        loop_destroy(loop);
    return status;
}

void loop_destroy(struct loop *loop) {
    if (!loop)
        return;
    loop_run_messages(loop);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop);
}

struct status loop_run(struct loop *loop) {
    atomic_store(&loop->thread, pthread_self());
    atomic_store(&loop->running, true);
    struct status status = status_ok();
    for (;;) {
        bool stopping = atomic_load(&loop->stopping);
        run_batch(loop);
        if (stopping)
            break;
        fire_timers(loop);
        status = wait_and_handle(loop);
        if (!status_is_ok(&status))
            break;
    }
    atomic_store(&loop->running, false);
    return status;
}

void loop_stop(struct loop *loop) {
    atomic_store(&loop->stopping, true);
    wake(loop);
}
