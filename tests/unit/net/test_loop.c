/* The event loop: messages from many threads, timers, descriptors that go away while others are handled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

static struct loop *open_loop(void) {
    struct loop *loop;
    struct status status = loop_create(&loop);
    assert_int_equal(status.code, STATUS_OK);
    return loop;
}

static void run(struct loop *loop) {
    struct status status = loop_run(loop);
    assert_int_equal(status.code, STATUS_OK);
}

/* ---- messages ---- */

enum { SENDERS = 4, MESSAGES = 5000 };

struct counted {
    struct loop_message message;
    struct sender *sender;
    int number;
};

struct sender {
    struct loop *loop;
    struct counted messages[MESSAGES];
    int received;
    int *total;
};

static void on_counted(struct loop_message *message) {
    struct counted *counted = (struct counted *)message;
    struct sender *sender = counted->sender;
    assert_int_equal(counted->number, sender->received); /* in order */
    sender->received++;
    if (++*sender->total == SENDERS * MESSAGES)
        loop_stop(sender->loop);
}

static void *send_all(void *user) {
    struct sender *sender = user;
    for (int i = 0; i < MESSAGES; i++) {
        sender->messages[i] = (struct counted){{.run = on_counted}, sender, i};
        loop_post(sender->loop, &sender->messages[i].message);
    }
    return NULL;
}

static void test_messages_of_many_threads(void **state) {
    (void)state;
    struct loop *loop = open_loop();
    struct sender *senders = calloc(SENDERS, sizeof *senders);
    assert_non_null(senders);
    pthread_t threads[SENDERS];
    int total = 0;
    for (int i = 0; i < SENDERS; i++) {
        senders[i].loop = loop;
        senders[i].total = &total;
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    run(loop);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(total, SENDERS * MESSAGES);
    loop_destroy(loop);
    free(senders);
}

struct repeating {
    struct loop_message message;
    struct loop *loop;
    int count;
};

/* Frees itself, or posts itself again from inside. */
static void on_repeating(struct loop_message *message) {
    struct repeating *repeating = (struct repeating *)message;
    if (++repeating->count < 100) {
        loop_post(repeating->loop, message);
        return;
    }
    loop_stop(repeating->loop);
    free(repeating);
}

static void test_messages_post_themselves(void **state) {
    (void)state;
    struct loop *loop = open_loop();
    struct repeating *repeating = calloc(1, sizeof *repeating);
    assert_non_null(repeating);
    repeating->message.run = on_repeating;
    repeating->loop = loop;
    loop_post(loop, &repeating->message);
    run(loop);
    loop_destroy(loop);
}

struct flagged {
    struct loop_message message;
    bool ran;
};

static void on_flagged(struct loop_message *message) {
    ((struct flagged *)message)->ran = true;
}

static void test_queued_messages_are_not_lost(void **state) {
    (void)state;
    struct flagged before = {{.run = on_flagged}, false}, after = {{.run = on_flagged}, false};
    struct loop *loop = open_loop();
    loop_post(loop, &before.message);
    loop_stop(loop);
    run(loop);
    assert_true(before.ran); /* came before the stop */
    loop_post(loop, &after.message);
    loop_destroy(loop);
    assert_true(after.ran); /* so that its sender can let go of it */
}

/* ---- timers ---- */

struct test_timer {
    struct loop_timer timer;
    struct loop *loop;
    struct test_timer *other;
    char name;
    bool last;
    char *order;
};

static void on_test_timer(struct loop_timer *timer) {
    struct test_timer *self = (struct test_timer *)timer;
    assert_true(clock_monotonic_ns() >= timer->deadline_ns);
    strncat(self->order, &self->name, 1);
    if (self->other)
        loop_timer_cancel(self->loop, &self->other->timer);
    if (self->last)
        loop_stop(self->loop);
}

static void test_timers(void **state) {
    (void)state;
    struct loop *loop = open_loop();
    char order[16] = "";
    uint64_t now = clock_monotonic_ns();
    struct test_timer timers[5];
    for (int i = 0; i < 5; i++)
        timers[i] =
            (struct test_timer){.timer.fire = on_test_timer, .loop = loop, .name = (char)('a' + i), .order = order};
    loop_timer_cancel(loop, &timers[0].timer); /* not set: nothing happens */
    loop_timer_set(loop, &timers[0].timer, now + 8 * NS_PER_MS);
    loop_timer_set(loop, &timers[1].timer, now + 3 * NS_PER_MS);
    loop_timer_set(loop, &timers[2].timer, now + 2 * NS_PER_MS);
    loop_timer_set(loop, &timers[3].timer, now + 5 * NS_PER_MS);
    loop_timer_set(loop, &timers[4].timer, now - 1);             /* due already */
    loop_timer_set(loop, &timers[2].timer, now + 6 * NS_PER_MS); /* moved */
    timers[1].other = &timers[3];                                /* which b takes out */
    timers[0].last = true;
    run(loop);
    assert_string_equal(order, "ebca");
    loop_destroy(loop);
}

/* ---- descriptors ---- */

struct pipe_watch {
    struct loop_watch watch;
    struct loop *loop;
    int writer;
    struct pipe_watch **others; /* both, NULL once gone */
};

static void remove_pipe(struct pipe_watch *watch) {
    loop_watch_remove(watch->loop, &watch->watch);
    close(watch->watch.fd);
    close(watch->writer);
    free(watch);
}

/* Both are ready in the same round: whichever comes first removes the other. */
static void on_pipe(struct loop_watch *watch, uint32_t events) {
    struct pipe_watch *self = (struct pipe_watch *)watch;
    assert_true(events & EPOLLIN);
    size_t other = self->others[0] == self;
    assert_non_null(self->others[other]); /* this is the first and only call */
    remove_pipe(self->others[other]);
    self->others[other] = NULL;
    loop_watch_change(self->loop, watch, 0); /* and this one is quiet now */
    loop_stop(self->loop);
}

static void test_removed_watches_are_not_called(void **state) {
    (void)state;
    struct loop *loop = open_loop();
    struct pipe_watch *watches[2];
    for (int i = 0; i < 2; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "x", 1), 1);
        watches[i] = calloc(1, sizeof *watches[i]);
        assert_non_null(watches[i]);
        *watches[i] = (struct pipe_watch){{.fd = ends[0], .events = EPOLLIN, .ready = on_pipe}, loop, ends[1], watches};
        struct status status = loop_watch_add(loop, &watches[i]->watch);
        assert_int_equal(status.code, STATUS_OK);
    }
    run(loop);
    size_t left = watches[0] == NULL;
    assert_null(watches[1 - left]);
    remove_pipe(watches[left]);
    loop_destroy(loop);
}

/* Timers behind which there is much work, and a descriptor that is ready all the while. */
enum { LONG_TIMERS = 20 };

struct long_timer {
    struct loop_timer timer;
    int *fired;
};

struct ready_watch {
    struct loop_watch watch;
    struct loop *loop;
    int *fired;
    int first_seen; /* timers that had fired when it was looked at for the first time */
};

static void on_long_timer(struct loop_timer *timer) {
    ++*((struct long_timer *)timer)->fired;
    for (uint64_t end = clock_monotonic_ns() + 2 * NS_PER_MS; clock_monotonic_ns() < end;)
        ;
}

static void on_ready_watch(struct loop_watch *watch, uint32_t events) {
    struct ready_watch *self = (struct ready_watch *)watch;
    assert_true(events & EPOLLIN);
    if (self->first_seen < 0)
        self->first_seen = *self->fired;
    if (*self->fired == LONG_TIMERS)
        loop_stop(self->loop);
}

static void test_descriptors_between_timers(void **state) {
    (void)state;
    struct loop *loop = open_loop();
    int ends[2], fired = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    struct ready_watch watch = {
        {.fd = ends[0], .events = EPOLLIN, .ready = on_ready_watch}, loop, .fired = &fired, .first_seen = -1};
    struct status status = loop_watch_add(loop, &watch.watch);
    assert_int_equal(status.code, STATUS_OK);
    struct long_timer timers[LONG_TIMERS];
    for (int i = 0; i < LONG_TIMERS; i++) {
        timers[i] = (struct long_timer){.timer.fire = on_long_timer, .fired = &fired};
        loop_timer_set(loop, &timers[i].timer, 1);
    }
    run(loop);
    assert_true(watch.first_seen < LONG_TIMERS);
    close(ends[0]);
    close(ends[1]);
    loop_destroy(loop);
}

static void test_bad_descriptor(void **state) {
    (void)state;
    struct loop *loop = open_loop();
    struct loop_watch watch = {.fd = -1, .events = EPOLLIN};
    struct status status = loop_watch_add(loop, &watch);
    assert_int_equal(status.code, STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "-1"));
    loop_destroy(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_many_threads),       cmocka_unit_test(test_messages_post_themselves),
        cmocka_unit_test(test_queued_messages_are_not_lost),   cmocka_unit_test(test_timers),
        cmocka_unit_test(test_removed_watches_are_not_called), cmocka_unit_test(test_bad_descriptor),
        cmocka_unit_test(test_descriptors_between_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
