/* Items that a thread of their own writes: batches, a queue that is full, writers that fail, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spool.h"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
    } while (0)

#define wait_until(condition)                                                                                          \
    while (!(condition))                                                                                               \
    usleep(500)

struct note {
    struct spool_item item;
    int number;
};

/* What is written, and how the writer behaves. */
struct sink {
    FILE *log_file;
    struct log log;
    struct spool *spool;
    pthread_mutex_t gate; /* held: the writer waits */
    atomic_int calls, written, largest_batch, last;
    atomic_int alive; /* notes that exist */
    atomic_bool fails, user_destroyed;
};

static struct sink sink;

static void destroy_note(struct spool_item *item) {
    atomic_fetch_sub(&sink.alive, 1);
    free(item);
}

static size_t write_notes(void *user, struct spool_item *list, const atomic_uint_fast64_t *deadline_ns,
                          struct status *ret_status) {
    struct sink *to = user;
    int count = 0;
    assert_true(*deadline_ns > 0);
    atomic_fetch_add(&to->calls, 1);
    pthread_mutex_lock(&to->gate);
    while (list) {
        struct note *note = (struct note *)list;
        list = list->next;
        assert_int_equal(note->number, to->last + 1); /* in order */
        to->last = note->number;
        destroy_note(&note->item);
        count++;
    }
    pthread_mutex_unlock(&to->gate);
    if (count > to->largest_batch)
        to->largest_batch = count;
    if (to->fails) {
        *ret_status = status_error(STATUS_INTERNAL, "the sink is broken");
        return (size_t)count - 1; /* all but the last one */
    }
    atomic_fetch_add(&to->written, count);
    return (size_t)count;
}

static void destroy_sink(void *user) {
    struct sink *to = user;
    to->user_destroyed = true;
}

static void begin(size_t max_items, size_t max_bytes, size_t batch, uint64_t delay_ns) {
    sink = (struct sink){.log = log_default(), .log_file = tmpfile()};
    sink.log.fd = fileno(sink.log_file);
    pthread_mutex_init(&sink.gate, NULL);
    const struct spool_options options = {.what = "notes",
                                          .thread = "notes",
                                          .log = &sink.log,
                                          .max_items = max_items,
                                          .max_bytes = max_bytes,
                                          .batch = batch,
                                          .delay_ns = delay_ns,
                                          .write_timeout_ns = NS_PER_S,
                                          .write = write_notes,
                                          .destroy_item = destroy_note,
                                          .destroy_user = destroy_sink,
                                          .user = &sink};
    assert_good(spool_create(&options, &sink.spool));
}

static void push(int number, size_t size) {
    struct note *note = calloc(1, sizeof *note);
    assert_non_null(note);
    note->number = number;
    note->item.size = size;
    atomic_fetch_add(&sink.alive, 1);
    spool_push(sink.spool, &note->item);
}

static bool log_says(const char *text) {
    char content[8192] = {0};
    assert_true(pread(sink.log.fd, content, sizeof content - 1, 0) >= 0);
    return strstr(content, text) != NULL;
}

/* Nothing is left behind, whatever became of it. */
static void end(void) {
    spool_destroy(sink.spool, 10 * NS_PER_S);
    assert_int_equal(sink.alive, 0);
    assert_true(sink.user_destroyed);
    pthread_mutex_destroy(&sink.gate);
    fclose(sink.log_file);
}

static void one_after_the_other(void **state) {
    (void)state;
    begin(100, 1000, 1, 0);
    assert_good(spool_start(sink.spool));
    assert_good(spool_start(sink.spool)); /* nothing more */
    for (int i = 1; i <= 50; i++)
        push(i, 1);
    wait_until(spool_counts(sink.spool).written == 50);
    assert_int_equal(sink.largest_batch, 1);
    assert_int_equal(sink.calls, 50);
    end();
}

/* The delay is an hour: a batch goes at once, and so does the rest at the end. */
static void batches(void **state) {
    (void)state;
    begin(100, 1000, 10, 3600 * NS_PER_S);
    for (int i = 1; i <= 25; i++)
        push(i, 1);
    assert_good(spool_start(sink.spool));
    wait_until(spool_counts(sink.spool).written == 20);
    assert_int_equal(sink.calls, 2);
    spool_destroy(sink.spool, 10 * NS_PER_S);
    assert_int_equal(sink.written, 25);
    assert_int_equal(sink.calls, 3);
    assert_int_equal(sink.alive, 0);
    fclose(sink.log_file);
}

static void many_bytes_do_not_wait_for_a_batch(void **state) {
    (void)state;
    begin(100, 1000, 10, 3600 * NS_PER_S);
    assert_good(spool_start(sink.spool));
    push(1, 100);
    push(2, 150);
    wait_until(spool_counts(sink.spool).written == 2);
    end();
}

static void less_than_a_batch_goes_after_the_delay(void **state) {
    (void)state;
    begin(100, 1000, 10, NS_PER_MS);
    assert_good(spool_start(sink.spool));
    push(1, 1);
    wait_until(spool_counts(sink.spool).written == 1);
    push(2, 1);
    wait_until(spool_counts(sink.spool).written == 2);
    end();
}

static void a_queue_that_is_full(void **state) {
    (void)state;
    begin(3, 1000, 1, 0);
    assert_true(spool_has_room(sink.spool, 1000));
    assert_false(spool_has_room(sink.spool, 1001));
    push(1, 600);
    assert_false(spool_has_room(sink.spool, 401));
    push(99, 401); /* too many bytes */
    push(2, 200);
    push(3, 0);
    assert_false(spool_has_room(sink.spool, 0));
    push(99, 0); /* too many */
    spool_drop(sink.spool);
    assert_int_equal(spool_counts(sink.spool).dropped, 3);
    assert_good(spool_start(sink.spool));
    wait_until(spool_counts(sink.spool).written == 3);
    assert_true(log_says("3 notes were dropped: they come faster than they can be written"));
    assert_true(spool_has_room(sink.spool, 1000));
    end();
}

/* Told of once while it lasts; what was dropped since is told at the end. */
static void drops_are_told_of_seldom(void **state) {
    (void)state;
    begin(1, 1000, 1, 0);
    push(1, 0);
    push(99, 0);
    assert_good(spool_start(sink.spool));
    wait_until(log_says("1 notes were dropped"));
    wait_until(spool_counts(sink.spool).written == 1);
    spool_drop(sink.spool);
    spool_drop(sink.spool);
    push(2, 0);
    wait_until(spool_counts(sink.spool).written == 2);
    assert_false(log_says("2 notes were dropped"));
    FILE *log = sink.log_file;
    spool_destroy(sink.spool, 10 * NS_PER_S);
    assert_true(log_says("2 notes were dropped"));
    fclose(log);
}

static void a_writer_that_fails_and_recovers(void **state) {
    (void)state;
    begin(100, 1000, 10, NS_PER_MS);
    sink.fails = true;
    for (int i = 1; i <= 10; i++)
        push(i, 1);
    assert_good(spool_start(sink.spool));
    wait_until(spool_counts(sink.spool).failed == 1);
    assert_int_equal(spool_counts(sink.spool).written, 9);
    wait_until(log_says("notes are lost: the sink is broken"));
    sink.fails = false;
    push(11, 1);
    wait_until(spool_counts(sink.spool).written == 10);
    wait_until(log_says("notes are written again; 1 were lost"));
    end();
}

/* The thread hangs: it is left behind, and ends everything once it can. */
static void a_thread_that_is_left_behind(void **state) {
    (void)state;
    begin(100, 1000, 1, 0);
    pthread_mutex_lock(&sink.gate);
    push(1, 1);
    push(2, 1);
    assert_good(spool_start(sink.spool));
    wait_until(sink.calls == 1);
    spool_destroy(sink.spool, 0);
    assert_false(sink.user_destroyed);
    assert_true(log_says("the last notes are lost: the system holds up the thread that writes them"));
    pthread_mutex_unlock(&sink.gate);
    wait_until(sink.user_destroyed);
    assert_int_equal(sink.alive, 0);
    assert_int_equal(sink.written, 1);
    fclose(sink.log_file);
}

static void one_that_never_started(void **state) {
    (void)state;
    begin(100, 1000, 1, 0);
    push(1, 1);
    spool_destroy(NULL, 0);
    FILE *log = sink.log_file;
    spool_destroy(sink.spool, 0);
    assert_true(log_says("1 notes were not written before the end"));
    assert_int_equal(sink.alive, 0);
    fclose(log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(batches),
        cmocka_unit_test(many_bytes_do_not_wait_for_a_batch),
        cmocka_unit_test(less_than_a_batch_goes_after_the_delay),
        cmocka_unit_test(a_queue_that_is_full),
        cmocka_unit_test(drops_are_told_of_seldom),
        cmocka_unit_test(a_writer_that_fails_and_recovers),
        cmocka_unit_test(a_thread_that_is_left_behind),
        cmocka_unit_test(one_that_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
