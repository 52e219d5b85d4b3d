/* What an execution leaves in the statistics, with an engine that tells its times, and what it may answer with. */
#include "server_fixture.h"

#define TENSORS                                                                                                        \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] } output { name: \"y\" data_type: TYPE_INT32 dims: [ -1 "  \
    "] "                                                                                                               \
    "} "
#define TIMED "backend: \"timed\" max_batch_size: 8 " TENSORS

/* The last execution. Executions wait while they are held. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held, entered;
    struct backend_times times;
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static uint64_t tick(void) {
    uint64_t before = clock_monotonic_ns(), now = before;
    while (now < before + 10)
        now = clock_monotonic_ns();
    return now;
}

static struct status execute_timed(void *instance, const struct backend_batch *batch, struct backend_times *times) {
    times->compute_start = tick();
    times->input_end = tick();
    pthread_mutex_lock(&engine.lock);
    engine.entered = true;
    pthread_cond_broadcast(&engine.changed);
    while (engine.held)
        pthread_cond_wait(&engine.changed, &engine.lock);
    pthread_mutex_unlock(&engine.lock);
    times->output_start = tick();
    struct backend_times unused = {0};
    struct status status = identity_backend()->execute(instance, batch, &unused);
    times->compute_end = tick();
    engine.times = *times;
    return status;
}

/* Two responses before the end; the time is over behind the first. */
static struct status execute_late(void *instance, const struct backend_batch *batch, struct backend_times *times) {
    (void)instance, (void)times;
    for (size_t i = 0; i < batch->count; i++) {
        struct infer_request *request = batch->requests[i];
        backend_respond(request, infer_response_create(request, 0), false);
        request->deadline_ns = 1;
        backend_respond(request, infer_response_create(request, 0), false);
        backend_finish(request);
    }
    return status_ok();
}

static struct backend_ops ops_of(const char *name,
                                 struct status (*execute)(void *instance, const struct backend_batch *batch,
                                                          struct backend_times *times)) {
    struct backend_ops ops = *identity_backend();
    ops.name = name;
    ops.is_quick = NULL;
    ops.execute = execute;
    return ops;
}

static void hold(bool held) {
    pthread_mutex_lock(&engine.lock);
    engine.held = held;
    engine.entered = false;
    pthread_cond_broadcast(&engine.changed);
    pthread_mutex_unlock(&engine.lock);
}

static void wait_entered(void) {
    pthread_mutex_lock(&engine.lock);
    while (!engine.entered)
        pthread_cond_wait(&engine.changed, &engine.lock);
    pthread_mutex_unlock(&engine.lock);
}

static void a_batch_is_booked_with_the_times_of_its_engine(void **state) {
    (void)state;
    struct fixture f;
    struct backend_ops timed = ops_of("timed", execute_timed);
    struct call call;
    struct arena *arena = arena_create(0);
    fixture_init(&f);
    f.backends[f.backend_count++] = &timed;
    add_model(&f, "m", TIMED);
    start_server(&f);
    call_vector(&call, &f, "m", 3, 1);
    call_run(&call);
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_int_equal(s.batch_count, 1);
    const struct backend_times *times = &engine.times;
    assert_int_equal(s.batches[0].compute_input.ns, times->input_end - times->compute_start);
    assert_int_equal(s.batches[0].compute_infer.ns, times->output_start - times->input_end);
    assert_int_equal(s.batches[0].compute_output.ns, times->compute_end - times->output_start);
    assert_int_equal(s.compute_infer.ns, s.batches[0].compute_infer.ns);
    uint64_t now_ms = clock_realtime_ns() / NS_PER_MS; /* a date, to the hour */
    assert_in_range(s.last_inference_ms, now_ms - 3600 * 1000, now_ms + 3600 * 1000);
    call_end(&call);
    arena_destroy(arena);
    fixture_end(&f);
}

/* From when it was taken in, not from when an instance was free. */
static void the_time_in_the_queue_is_all_of_it(void **state) {
    (void)state;
    struct fixture f;
    struct backend_ops timed = ops_of("timed", execute_timed);
    struct call first, second;
    struct arena *arena = arena_create(0);
    fixture_init(&f);
    f.backends[f.backend_count++] = &timed;
    add_model(&f, "m", TIMED);
    start_server(&f);
    call_vector(&first, &f, "m", 1, 1);
    call_vector(&second, &f, "m", 1, 2);
    hold(true);
    assert_good(call_submit(&first));
    wait_entered();
    assert_good(call_submit(&second));
    uint64_t begun_ns = clock_monotonic_ns();
    nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
    uint64_t waited_ns = clock_monotonic_ns() - begun_ns; /* at least */
    hold(false);
    call_wait(&first);
    call_wait(&second);
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_int_equal(s.success.count, 2);
    assert_true(s.queue.ns >= waited_ns);
    call_end(&first);
    call_end(&second);
    arena_destroy(arena);
    fixture_end(&f);
}

static void no_response_goes_out_when_the_time_is_over(void **state) {
    (void)state;
    struct fixture f;
    struct backend_ops late = ops_of("late", execute_late);
    struct call call;
    fixture_init(&f);
    f.backends[f.backend_count++] = &late;
    add_model(&f, "m", "backend: \"late\" max_batch_size: 8 model_transaction_policy { decoupled: true } " TENSORS);
    start_server(&f);
    call_vector(&call, &f, "m", 1, 1);
    assert_good(call_submit(&call));
    call_wait(&call);
    assert_int_equal(call.responses, 2); /* the first and the end */
    assert_int_equal(call.status.code, STATUS_DEADLINE_EXCEEDED);
    call_end(&call);
    fixture_end(&f);
}

/* It is as the client gave it, whatever the engine would have seen, and counts as cancelled. */
static void what_is_not_taken_is_as_it_was(void **state) {
    (void)state;
    struct fixture f;
    struct call call;
    struct arena *arena = arena_create(0);
    fixture_init(&f);
    add_model(&f, "m",
              "backend: \"identity\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 4 ] reshape { shape: [ 2, 2 ] } "
              "} output { name: \"y\" data_type: TYPE_INT32 dims: [ 4 ] reshape { shape: [ 2, 2 ] } }");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    const int32_t numbers[4] = {1, 2, 3, 4};
    call_init(&call, &f, "m");
    call_add_input(&call, "x", DATATYPE_INT32, 1, (const int64_t[]){4}, numbers, sizeof numbers);
    atomic_store(&call.request->cancelled, true);
    assert_int_equal(call_submit(&call).code, STATUS_CANCELLED);
    assert_int_equal(call.request->inputs[0].rank, 1);
    assert_int_equal(call.request->inputs[0].shape[0], 4);
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_int_equal(s.failures[FAILURE_CANCELED], 1);
    assert_int_equal(s.fail.count, 1);
    call_end(&call);
    arena_destroy(arena);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_booked_with_the_times_of_its_engine),
        cmocka_unit_test(the_time_in_the_queue_is_all_of_it),
        cmocka_unit_test(no_response_goes_out_when_the_time_is_over),
        cmocka_unit_test(what_is_not_taken_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
