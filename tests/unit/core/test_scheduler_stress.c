/* Many threads that submit, cancel and set deadlines, on several models at once, until the server is taken down under
 * them: every accepted request gets exactly one final response and one release, and the counters agree with what was
 * seen. */
#include "server_fixture.h"

#include <sched.h>

/* On a slow machine a submitter stops at the limit of time, but not before it has submitted some. */
enum { SUBMITTERS = 4, REQUESTS_PER_SUBMITTER = 2500, REQUESTS_AT_LEAST = 100, WINDOW = 32 };
#define LIMIT_NS (2 * NS_PER_S)

struct tally {
    atomic_size_t accepted, refused, succeeded, failed, released;
};

struct load {
    struct fixture *f;
    struct tally tally;
    atomic_bool stop;
    uint64_t end_ns;
};

/* A request under way. Freed by whoever is last: its submitter or its release. */
struct flight {
    struct load *load;
    struct infer_request *request;
    atomic_int references;
    atomic_int finals;
    atomic_bool released;
};

static void flight_unref(struct flight *flight) {
    if (atomic_fetch_sub(&flight->references, 1) != 1)
        return;
    infer_request_destroy(flight->request);
    free(flight);
}

static void on_response(struct infer_request *request, struct infer_response *response, void *user) {
    struct flight *flight = user;
    struct tally *tally = &flight->load->tally;
    assert_true(response->final);
    atomic_fetch_add(&flight->finals, 1);
    bool good = status_is_ok(&response->status);
    atomic_fetch_add(good ? &tally->succeeded : &tally->failed, 1);
    if (good) /* the answer is that of this request */
        assert_memory_equal(response->outputs[0].data.data, request->inputs[0].data.data, request->inputs[0].data.size);
    infer_response_destroy(response);
}

static void on_release(struct infer_request *request, void *user) {
    struct flight *flight = user;
    (void)request;
    assert_int_equal(atomic_load(&flight->finals), 1);
    assert_false(atomic_exchange(&flight->released, true));
    atomic_fetch_add(&flight->load->tally.released, 1);
    flight_unref(flight);
}

static const char *const models[] = {"plain", "batched", "ordered", "delayed"};

static struct flight *make_flight(struct load *load, unsigned *seed) {
    struct flight *flight = calloc(1, sizeof *flight);
    flight->load = load;
    atomic_init(&flight->references, 2);
    struct infer_request *request = flight->request = infer_request_create(0);
    request->model_name = slice_of(models[rand_r(seed) % 4]);
    int64_t rows = 1 + rand_r(seed) % 3, length = 1 + rand_r(seed) % 4;
    size_t size = (size_t)(rows * length) * sizeof(int32_t);
    int32_t *data = arena_alloc(request->arena, size);
    for (size_t i = 0; i < size / sizeof *data; i++)
        data[i] = rand_r(seed);
    request->inputs = arena_calloc(request->arena, 1, sizeof *request->inputs);
    request->inputs[0] =
        (struct tensor){.name = slice_of("x"), .type = DATATYPE_INT32, .rank = 2, .shape = {rows, length}};
    request->inputs[0].data = (struct slice){(const char *)data, size};
    request->input_count = 1;
    request->on_response = on_response;
    request->on_release = on_release;
    request->user = flight;
    request->runs_inside = rand_r(seed) % 2;
    if (rand_r(seed) % 4 == 0)
        request->deadline_ns = clock_monotonic_ns() + (uint64_t)(rand_r(seed) % 300) * NS_PER_US;
    return flight;
}

static void *submit_many(void *argument) {
    struct load *load = argument;
    unsigned seed = (unsigned)(uintptr_t)&seed ^ (unsigned)clock_monotonic_ns();
    struct flight *window[WINDOW] = {NULL};
    for (int i = 0; i < REQUESTS_PER_SUBMITTER && (i < REQUESTS_AT_LEAST || clock_monotonic_ns() < load->end_ns); i++) {
        struct flight **slot = &window[rand_r(&seed) % WINDOW];
        if (*slot) {
            /* Cancelling what may have been answered already is allowed: the request is not destroyed before this
             * unref. */
            if (rand_r(&seed) % 3 == 0)
                inference_server_cancel(load->f->server, (*slot)->request);
            flight_unref(*slot);
        }
        *slot = make_flight(load, &seed);
        struct status status = inference_server_submit(load->f->server, (*slot)->request);
        if (status_is_ok(&status)) {
            atomic_fetch_add(&load->tally.accepted, 1);
            continue;
        }
        assert_true(status.code == STATUS_UNAVAILABLE || status.code == STATUS_DEADLINE_EXCEEDED);
        atomic_fetch_add(&load->tally.refused, 1);
        flight_unref(*slot); /* what the release would have given back */
        flight_unref(*slot);
        *slot = NULL;
    }
    for (size_t i = 0; i < WINDOW; i++)
        if (window[i])
            flight_unref(window[i]);
    return NULL;
}

/* Reads everything that can be read while the others work. */
static void *read_all(void *argument) {
    struct load *load = argument;
    while (!atomic_load(&load->stop)) {
        struct arena *arena = arena_create(0);
        struct model_index_row *rows;
        size_t count;
        assert_good(inference_server_index(load->f->server, arena, &rows, &count));
        for (size_t i = 0; i < count; i++) {
            struct model *model;
            struct model_statistics s;
            assert_good(inference_server_acquire_model(load->f->server, rows[i].name, rows[i].version, &model));
            assert_good(model_statistics_snapshot(model, arena, &s));
            assert_int_equal(s.queue.count, s.success.count);
            assert_true(s.inference_count >= s.success.count);
            model_release(model);
        }
        arena_destroy(arena);
        sched_yield();
    }
    return NULL;
}

#define MODEL(batching, instances)                                                                                     \
    "backend: \"identity\" max_batch_size: 8 "                                                                         \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] } "                                                        \
    "output { name: \"y\" data_type: TYPE_INT32 dims: [ -1 ] } " batching " instance_group { count: " instances        \
    " kind: KIND_CPU }"

static void run_load(struct load *load, struct fixture *f) {
    fixture_init(f);
    f->max_queue_size = 64;
    add_model(f, "plain", MODEL("", "1"));
    add_model(f, "batched", MODEL("dynamic_batching { preferred_batch_size: [ 4 ] }", "2"));
    add_model(f, "ordered",
              MODEL("dynamic_batching { preserve_ordering: true max_queue_delay_microseconds: 50 }", "3"));
    add_model(f, "delayed",
              MODEL("dynamic_batching { max_queue_delay_microseconds: 200 } "
                    "parameters { key: \"execute_delay_ms\" value { string_value: \"0.05\" } }",
                    "2"));
    start_server(f);
    assert_int_equal(f->failed, 0);
    *load = (struct load){.f = f, .end_ns = clock_monotonic_ns() + LIMIT_NS};
}

static void expect_balance(const struct tally *tally) {
    assert_int_equal(tally->released, tally->accepted);
    assert_int_equal(tally->succeeded + tally->failed, tally->accepted);
    assert_true(tally->succeeded > 0);
}

static void counters_agree_after_a_storm(void **state) {
    (void)state;
    struct fixture f;
    struct load load;
    run_load(&load, &f);
    pthread_t submitters[SUBMITTERS], reader;
    assert_int_equal(pthread_create(&reader, NULL, read_all, &load), 0);
    for (size_t i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&submitters[i], NULL, submit_many, &load), 0);
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i], NULL);
    atomic_store(&load.stop, true);
    pthread_join(reader, NULL);
    assert_good(inference_server_drain(f.server, clock_monotonic_ns() + 600 * NS_PER_S));
    expect_balance(&load.tally);
    uint64_t success = 0, failed = 0;
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < 4; i++) {
        struct model *model;
        struct model_statistics s;
        assert_good(inference_server_acquire_model(f.server, slice_of(models[i]), -1, &model));
        assert_good(model_statistics_snapshot(model, arena, &s));
        assert_int_equal(s.pending_count, 0);
        success += s.success.count;
        failed += s.fail.count;
        model_release(model);
    }
    arena_destroy(arena);
    assert_int_equal(success, load.tally.succeeded);
    assert_int_equal(failed, load.tally.failed + load.tally.refused);
    fixture_end(&f);
}

/* The drain begins while requests still come in; then the server goes, with no request lost. */
static void nothing_is_lost_when_the_server_goes(void **state) {
    (void)state;
    struct fixture f;
    struct load load;
    run_load(&load, &f);
    pthread_t submitters[SUBMITTERS];
    for (size_t i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&submitters[i], NULL, submit_many, &load), 0);
    while (atomic_load(&load.tally.succeeded) < 200 && clock_monotonic_ns() < load.end_ns)
        sched_yield();
    struct status drained = inference_server_drain(f.server, clock_monotonic_ns() + 600 * NS_PER_S);
    assert_int_equal(drained.code, STATUS_OK);
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i], NULL);
    expect_balance(&load.tally);
    fixture_end(&f);
}

/* No drain: what is queued when the server is destroyed is answered all the same. */
static void destroying_under_load_answers_everything(void **state) {
    (void)state;
    struct fixture f;
    struct load load;
    run_load(&load, &f);
    unsigned seed = 1;
    struct flight *flights[64];
    for (size_t i = 0; i < 64; i++) {
        flights[i] = make_flight(&load, &seed);
        flights[i]->request->deadline_ns = 0;
        struct status status = inference_server_submit(f.server, flights[i]->request);
        assert_int_equal(status.code, STATUS_OK);
        atomic_fetch_add(&load.tally.accepted, 1);
    }
    inference_server_destroy(f.server);
    f.server = NULL;
    for (size_t i = 0; i < 64; i++) {
        assert_true(atomic_load(&flights[i]->released));
        flight_unref(flights[i]);
    }
    assert_int_equal(load.tally.released, 64);
    assert_int_equal(load.tally.succeeded + load.tally.failed, 64);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_agree_after_a_storm),
        cmocka_unit_test(nothing_is_lost_when_the_server_goes),
        cmocka_unit_test(destroying_under_load_answers_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
