/* Models whose executions are short enough for the thread that submits: what runs there, and what does not. */
#include "probe_backend.h"

#define QUICK "backend: \"quick_probe\" "

static struct fixture f;

static int set_up(void **state) {
    (void)state;
    fixture_init(&f);
    return 0;
}

static void call_quick(struct call *call, int32_t mark) {
    call_vector(call, &f, "m", 1, mark);
    call->request->runs_inside = true;
}

/* A server whose instance's worker has reached its sleep: the instance is idle from here on. */
static void start_quick(const char *config, bool open) {
    probe_reset(PROBE_ANSWER, true);
    probe_start(&f, config);
    for (bool inside = false; !inside;) {
        static const int32_t rows[8] = {0}; /* a full batch waits for no company */
        struct call call;
        call_init(&call, &f, "m");
        call_add_input(&call, "x", DATATYPE_INT32, 2, (const int64_t[]){8, 1}, rows, sizeof rows);
        call.request->runs_inside = true;
        call_run(&call);
        inside = pthread_equal(call.thread, pthread_self());
        call_end(&call);
    }
    f.delivered = probe.entered = probe.batch_count = 0;
    probe.open = open;
}

/* ---- a request at an idle instance ---- */

static void runs_within_submit(void **state) {
    (void)state;
    start_quick(QUICK, true);
    for (int32_t mark = 1; mark <= 5; mark++) {
        struct call call;
        call_quick(&call, mark);
        assert_good(call_submit(&call));
        assert_int_equal(call.releases, 1);
        assert_int_equal(call.finals, 1);
        assert_true(pthread_equal(call.thread, pthread_self()));
        assert_true(call.booked);
        assert_memory_equal(call.last->outputs[0].data.data, &mark, sizeof mark);
        call_end(&call);
    }
    probe_end(&f);
}

/* Submits and waits, and expects that another thread has answered. */
static void expect_elsewhere(struct call *call) {
    call_run(call);
    assert_false(pthread_equal(call->thread, pthread_self()));
    call_end(call);
}

static void not_without_the_adapters_leave(void **state) {
    (void)state;
    start_quick(QUICK, true);
    struct call call;
    call_vector(&call, &f, "m", 1, 1);
    expect_elsewhere(&call);
    probe_end(&f);
}

static void not_of_other_models(void **state) {
    (void)state;
    probe_reset(PROBE_ANSWER, true);
    probe_start(&f, "");
    struct call call;
    call_quick(&call, 1);
    expect_elsewhere(&call);
    probe_end(&f);
}

/* The decision comes before: what is to wait for company runs later, on the worker. */
static void not_what_must_wait(void **state) {
    (void)state;
    probe_reset(PROBE_ANSWER, true);
    probe_start(&f, QUICK "dynamic_batching { max_queue_delay_microseconds: 1000 }");
    struct call call;
    call_quick(&call, 1);
    expect_elsewhere(&call);
    probe_end(&f);
}

/* Seven wait for an eighth, which brings them all to run where it is submitted. */
static void the_last_of_a_batch_runs_all(void **state) {
    (void)state;
    enum { COUNT = 8 };
    start_quick(QUICK "dynamic_batching { max_queue_delay_microseconds: 60000000 }", true);
    struct call calls[COUNT];
    for (int i = 0; i < COUNT; i++) {
        call_quick(&calls[i], i);
        assert_false(i > 0 && call_is_answered(&calls[0]));
        assert_good(call_submit(&calls[i]));
    }
    assert_int_equal(probe.batch_count, 1);
    assert_int_equal(probe.batches[0].count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(calls[i].releases, 1);
        assert_true(pthread_equal(calls[i].thread, pthread_self()));
        call_end(&calls[i]);
    }
    probe_end(&f);
}

static void errors_come_from_inside_too(void **state) {
    (void)state;
    start_quick(QUICK, true);
    probe.mode = PROBE_FAIL;
    struct call call;
    call_quick(&call, 1);
    assert_good(call_submit(&call));
    assert_int_equal(call.releases, 1);
    assert_string_equal(call.status.message, "the engine is out of order");
    call_end(&call);
    probe_end(&f);
}

/* ---- while the instance is taken ---- */

static void *submit_elsewhere(void *argument) {
    assert_good(call_submit(argument));
    return NULL;
}

/* Another thread has the instance's turn and is held in its execution. */
static pthread_t hold_instance(struct call *call) {
    pthread_t thread;
    call_quick(call, 100);
    assert_int_equal(pthread_create(&thread, NULL, submit_elsewhere, call), 0);
    probe_wait_entered(1);
    return thread;
}

static void what_comes_meanwhile_waits(void **state) {
    (void)state;
    enum { COUNT = 3 };
    start_quick(QUICK, false);
    struct call held, calls[COUNT];
    pthread_t thread = hold_instance(&held);
    for (int i = 0; i < COUNT; i++) {
        call_quick(&calls[i], i);
        assert_good(call_submit(&calls[i]));
        assert_false(call_is_answered(&calls[i]));
    }
    probe_open();
    pthread_join(thread, NULL);
    assert_int_equal(held.final_place, 1);
    assert_true(pthread_equal(held.thread, thread));
    for (int i = 0; i < COUNT; i++) { /* the thread that had the turn has gone on with them */
        call_wait(&calls[i]);
        assert_true(pthread_equal(calls[i].thread, thread));
        assert_int_equal(calls[i].final_place, i + 2);
        call_end(&calls[i]);
    }
    call_end(&held);
    probe_end(&f);
}

/* A connection's thread does not become the model's worker. */
static void a_turn_has_an_end(void **state) {
    (void)state;
    enum { COUNT = 40 };
    start_quick(QUICK, false);
    struct call held, calls[COUNT];
    pthread_t thread = hold_instance(&held);
    for (int i = 0; i < COUNT; i++) {
        call_quick(&calls[i], i);
        assert_good(call_submit(&calls[i]));
    }
    probe_open();
    pthread_join(thread, NULL);
    size_t by_worker = 0;
    for (int i = 0; i < COUNT; i++) {
        call_wait(&calls[i]);
        by_worker += !pthread_equal(calls[i].thread, thread);
        call_end(&calls[i]);
    }
    assert_int_equal(by_worker, COUNT - 15);
    call_end(&held);
    probe_end(&f);
}

static void *open_soon(void *unused) {
    struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&nap, NULL);
    probe_open();
    return unused;
}

/* The server goes down under a turn: it waits for it. */
static void the_end_waits_for_turns(void **state) {
    (void)state;
    start_quick(QUICK, false);
    struct call held, waiting;
    pthread_t opener, thread = hold_instance(&held);
    call_quick(&waiting, 1);
    assert_good(call_submit(&waiting));
    assert_int_equal(pthread_create(&opener, NULL, open_soon, NULL), 0);
    inference_server_destroy(f.server);
    f.server = NULL;
    assert_int_equal(held.releases, 1);
    assert_int_equal(held.status.code, STATUS_OK);
    assert_int_equal(waiting.status.code, STATUS_UNAVAILABLE);
    pthread_join(thread, NULL);
    pthread_join(opener, NULL);
    call_end(&held);
    call_end(&waiting);
    probe_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(runs_within_submit, set_up),
        cmocka_unit_test_setup(not_without_the_adapters_leave, set_up),
        cmocka_unit_test_setup(not_of_other_models, set_up),
        cmocka_unit_test_setup(not_what_must_wait, set_up),
        cmocka_unit_test_setup(the_last_of_a_batch_runs_all, set_up),
        cmocka_unit_test_setup(errors_come_from_inside_too, set_up),
        cmocka_unit_test_setup(what_comes_meanwhile_waits, set_up),
        cmocka_unit_test_setup(a_turn_has_an_end, set_up),
        cmocka_unit_test_setup(the_end_waits_for_turns, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
