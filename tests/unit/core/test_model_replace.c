/* Loads and unloads at the same time as each other, as requests, and as the end of the server. */
#include "control_fixture.h"

/* ---- several at once ---- */

static void work_on_one_model_waits_and_on_others_goes_on(void **state) {
    (void)state;
    struct fixture f;
    struct work first, second, third;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    add_model(&f, "other", "backend: \"identity\" " GATE_TENSORS);
    start_server(&f);
    gate_set(true, 0);
    work_start(&first, &f, "m", load);
    gate_wait(&gate.waiting, 1);
    assert_index(&f, "m 1 LOADING\nother - UNKNOWN\n");
    assert_not_served(&f, "m", STATUS_UNAVAILABLE,
                      "Request for unknown model: 'm' version 1 is not at ready state: it is being loaded");
    work_start(&second, &f, "m", unload);
    work_start(&third, &f, "m", unload);
    assert_good(load(&f, "other"));
    assert_good(unload(&f, "other"));
    assert_false(atomic_load(&first.done) || atomic_load(&second.done) || atomic_load(&third.done));
    gate_set(false, 0);
    work_end(&first);
    work_end(&second);
    work_end(&third);
    assert_int_equal(gate_live(), 0);
    assert_index(&f, "m 1 UNAVAILABLE unloaded\nother 1 UNAVAILABLE unloaded\n");
    control_end(&f);
}

struct traffic {
    struct fixture *f;
    atomic_bool stop;
    bool unloads; /* happen too: refusals are fine then */
    size_t answered, refused;
    pthread_t thread;
};

static void *traffic_run(void *argument) {
    struct traffic *traffic = argument;
    while (!atomic_load(&traffic->stop)) {
        struct call call;
        call_vector(&call, traffic->f, "m", 1, 0);
        struct status status = call_submit(&call);
        if (status_is_ok(&status)) {
            call_wait(&call);
            assert_true(gate_number(&call) > 0);
            traffic->answered++;
        } else {
            assert_true(traffic->unloads);
            assert_int_equal(status.code, STATUS_UNAVAILABLE);
            traffic->refused++;
        }
        call_end(&call);
    }
    return NULL;
}

static void traffic_start(struct traffic *traffic, struct fixture *f, size_t count, bool unloads) {
    for (size_t i = 0; i < count; i++) {
        traffic[i] = (struct traffic){.f = f, .unloads = unloads};
        assert_int_equal(pthread_create(&traffic[i].thread, NULL, traffic_run, &traffic[i]), 0);
    }
}

static void traffic_end(struct traffic *traffic, size_t count) {
    for (size_t i = 0; i < count; i++) {
        atomic_store(&traffic[i].stop, true);
        pthread_join(traffic[i].thread, NULL);
        assert_true(traffic[i].answered > 0);
    }
}

/* No request is even refused: each finds either the old version or the new one. */
static void reloads_under_traffic_are_not_noticed(void **state) {
    (void)state;
    struct fixture f;
    struct traffic traffic[3];
    control_begin(&f);
    add_model(&f, "m",
              GATE_CONFIG "instance_group { count: 2 } dynamic_batching { max_queue_delay_microseconds: 100 }");
    start_server(&f);
    assert_good(load(&f, "m"));
    traffic_start(traffic, &f, 3, false);
    for (int i = 0; i < 50; i++) {
        assert_good(load(&f, "m"));
        gate_wait_more(1); /* requests come through between any two */
    }
    traffic_end(traffic, 3);
    assert_int_equal(gate_live(), 1);
    assert_int_equal(gate.loads, 51);
    control_end(&f);
}

static struct status load_and_unload(struct fixture *f, const char *name) {
    struct status status = status_ok();
    for (int i = 0; i < 25 && status_is_ok(&status); i++) {
        status = load(f, name);
        if (status_is_ok(&status) && i % 3 == 0)
            status = unload(f, name);
    }
    return status;
}

static void racing_loads_and_unloads_end_well(void **state) {
    (void)state;
    struct fixture f;
    struct traffic traffic[2];
    struct work work[3];
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "m"));
    assert_int_equal(gate_ask(&f, "m"), 1);
    traffic_start(traffic, &f, 2, true);
    for (int i = 0; i < 3; i++)
        work_start(&work[i], &f, "m", load_and_unload);
    for (int i = 0; i < 20; i++)
        assert_good(inference_server_rescan(f.server));
    for (int i = 0; i < 3; i++)
        work_end(&work[i]);
    assert_good(load(&f, "m"));
    gate_wait_more(4);
    traffic_end(traffic, 2);
    assert_int_equal(gate_live(), 1);
    assert_good(unload(&f, "m"));
    assert_int_equal(gate_live(), 0);
    control_end(&f);
}

/* ---- the end ---- */

static void at_the_end_nothing_begins_to_load(void **state) {
    (void)state;
    struct fixture f;
    struct work first, second;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG "version_policy { all { } }");
    make_folder(&f, "m/2");
    add_model(&f, "n", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "n"));
    gate_set(true, 0);
    work_start(&first, &f, "m", load);
    gate_wait(&gate.waiting, 1);
    work_start(&second, &f, "m", load); /* waits for the first */
    inference_server_refuse_loads(f.server);
    assert_error(load(&f, "n"), STATUS_UNAVAILABLE, "the server is stopping: no model is loaded any more");
    gate_set(false, 0);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_string_equal(first.status.message,
                        "load failed for model 'm': version 2 is at UNAVAILABLE state: the server is stopping");
    assert_int_equal(first.status.code, STATUS_UNAVAILABLE);
    assert_int_equal(second.status.code, STATUS_UNAVAILABLE);
    assert_int_equal(gate_ask(&f, "n"), 1);
    assert_good(unload(&f, "n"));
    assert_int_equal(gate_live(), 0);
    control_end(&f);
}

static void at_the_end_the_start_gives_up(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    f.control = MODEL_CONTROL_NONE;
    add_model(&f, "m", GATE_CONFIG);
    create_server(&f);
    inference_server_refuse_loads(f.server);
    assert_good(inference_server_load_models(f.server, &f.failed));
    assert_int_equal(f.failed, 1);
    assert_index(&f, "m 1 UNAVAILABLE the server is stopping\n");
    control_end(&f);
}

/* ---- what is seen between two steps ---- */

/* Looks whenever something has changed. */
struct watcher {
    struct fixture *f;
    const char *expected[5];
    size_t seen;
};

static void look(void *user) {
    struct watcher *watcher = user;
    assert_good(inference_server_rescan(watcher->f->server));
    assert_true(watcher->seen < sizeof watcher->expected / sizeof watcher->expected[0]);
    assert_index(watcher->f, watcher->expected[watcher->seen++]);
}

/* When its versions are gone it is not told of any more, and until the load has ended no rescan takes it away. */
static void a_failed_load_of_a_model_of_no_repository_leaves_no_trace(void **state) {
    (void)state;
    struct fixture f;
    struct watcher watcher = {
        .f = &f,
        .expected = {"foreign - LOADING\n", "foreign 1 LOADING\n", "", "" /* not claimed */, "" /* the end */}};
    control_begin(&f);
    f.on_change = look;
    f.on_change_user = &watcher;
    create_server(&f);
    const struct model_file file = {slice_of("1/data"), slice_of("given")};
    struct status status = load_files_that_fail(&f, "foreign", &file, 1);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(watcher.seen, 4);
    control_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_on_one_model_waits_and_on_others_goes_on),
        cmocka_unit_test(reloads_under_traffic_are_not_noticed),
        cmocka_unit_test(racing_loads_and_unloads_end_well),
        cmocka_unit_test(at_the_end_nothing_begins_to_load),
        cmocka_unit_test(at_the_end_the_start_gives_up),
        cmocka_unit_test(a_failed_load_of_a_model_of_no_repository_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
