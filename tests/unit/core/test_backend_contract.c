/* Every way in which an engine may answer, or break its promises: what the requester gets, and what is booked. */
#include <stdatomic.h>

#include "probe_backend.h"

#define DECOUPLED "model_transaction_policy { decoupled: true } "

/* `extra` goes into the config. */
static void run_two_of(struct fixture *f, enum probe_mode mode, struct call *calls, const char *extra) {
    char config[256];
    snprintf(config, sizeof config,
             "dynamic_batching { preferred_batch_size: [ 2 ] max_queue_delay_microseconds: 600000000 } %s", extra);
    fixture_init(f);
    probe_reset(mode, true);
    probe_start(f, config);
    for (int32_t i = 0; i < 2; i++) {
        call_vector(&calls[i], f, "m", 2, i + 1);
        assert_good(call_submit(&calls[i]));
    }
    for (int i = 0; i < 2; i++)
        call_wait(&calls[i]);
}

static void run_two(struct fixture *f, enum probe_mode mode, struct call *calls) {
    run_two_of(f, mode, calls, "");
}

static void end_two(struct fixture *f, struct call *calls) {
    call_end(&calls[0]);
    call_end(&calls[1]);
    probe_end(f);
}

static void expect_counts(struct fixture *f, uint64_t success, uint64_t failed, uint64_t executions) {
    struct arena *arena = arena_create(0);
    struct model_statistics s = fixture_statistics(f, arena);
    assert_int_equal(s.success.count, success);
    assert_int_equal(s.failures[FAILURE_BACKEND], failed);
    assert_int_equal(s.fail.count, failed);
    assert_int_equal(s.execution_count, executions);
    assert_int_equal(s.batch_count, executions);
    arena_destroy(arena);
}

static void expect_both(struct call *calls, enum status_code code, const char *message) {
    for (int i = 0; i < 2; i++) {
        assert_string_equal(calls[i].status.message, message);
        assert_int_equal(calls[i].status.code, code);
        assert_int_equal(calls[i].responses, 1);
        assert_int_equal(calls[i].last->output_count, 0);
        assert_true(calls[i].booked);
    }
}

static void a_failed_execution_answers_all(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two(&f, PROBE_FAIL, calls);
    expect_both(calls, STATUS_INTERNAL, "the engine is out of order");
    expect_counts(&f, 0, 2, 0);
    end_two(&f, calls);
}

static void each_request_may_fail_by_itself(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two(&f, PROBE_FAIL_EACH, calls);
    expect_both(calls, STATUS_INTERNAL, "no answer for you");
    expect_counts(&f, 0, 2, 0);
    end_two(&f, calls);
}

static void no_response_means_no_memory(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two(&f, PROBE_NO_MEMORY, calls);
    expect_both(calls, STATUS_RESOURCE_EXHAUSTED, "no memory for the response of model 'm'");
    expect_counts(&f, 0, 2, 0);
    end_two(&f, calls);
}

static void a_second_final_response_is_dropped(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two(&f, PROBE_TWICE, calls);
    for (int i = 0; i < 2; i++)
        assert_int_equal(calls[i].responses, 1);
    expect_counts(&f, 2, 0, 1);
    end_two(&f, calls);
}

static void responses_may_come_after_execute(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two_of(&f, PROBE_LATER, calls, DECOUPLED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(calls[i].responses, 3);
        assert_int_equal(calls[i].status.code, STATUS_OK);
        assert_true(calls[i].booked);
    }
    expect_counts(&f, 2, 0, 1);
    end_two(&f, calls);
}

/* The instance is free while answers are outstanding, and unloading waits for them. */
static void an_instance_goes_on_while_answers_are_outstanding(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[3];
    fixture_init(&f);
    probe_reset(PROBE_LATER, false);
    probe_start(&f, DECOUPLED "dynamic_batching { preserve_ordering: true }");
    for (int32_t i = 0; i < 3; i++) {
        call_vector(&calls[i], &f, "m", 1, i + 1);
        assert_good(call_submit(&calls[i]));
        probe_wait_entered((size_t)i + 1);
    }
    assert_int_equal(calls[2].finals, 0);
    struct status status = inference_server_drain(f.server, clock_monotonic_ns() + NS_PER_MS);
    assert_string_equal(status.message, "model 'm' still has 3 requests in flight");
    probe_open();
    for (size_t i = 0; i < 3; i++) {
        call_wait(&calls[i]);
        assert_int_equal(calls[i].responses, 3);
        assert_int_equal(calls[i].final_place, 3 * (i + 1)); /* all of a request before any of the next */
        call_end(&calls[i]);
    }
    probe_end(&f);
}

/* Only the end tells: until then the request is the engine's. */
static void several_responses_need_a_decoupled_model(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two(&f, PROBE_LATER, calls);
    expect_both(calls, STATUS_INTERNAL,
                "the engine of model 'm' made several responses to a request, and only the config's "
                "model_transaction_policy { decoupled: true } allows that");
    end_two(&f, calls);
}

static void a_request_may_have_no_response_at_all(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two_of(&f, PROBE_FINISH, calls, DECOUPLED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(calls[i].responses, 1);
        assert_int_equal(calls[i].status.code, STATUS_OK);
        assert_true(calls[i].last->empty);
    }
    expect_counts(&f, 2, 0, 1);
    end_two(&f, calls);
    run_two(&f, PROBE_FINISH, calls);
    expect_both(calls, STATUS_INTERNAL,
                "the engine of model 'm' made no response to a request, and only the config's "
                "model_transaction_policy { decoupled: true } allows that");
    end_two(&f, calls);
}

static void a_broken_part_ends_the_request_with_an_error(void **state) {
    (void)state;
    struct fixture f;
    struct call call;
    fixture_init(&f);
    probe_reset(PROBE_BROKEN_PART, true);
    f.backends[f.backend_count++] = &probe_backend;
    add_model(&f, "m",
              "backend: \"probe\" max_batch_size: 8 input { name: \"x\" data_type: TYPE_INT32 dims: [ 2 ] } "
              "output { name: \"y\" data_type: TYPE_INT32 dims: [ 2, 1 ] reshape { shape: [ 2 ] } } " DECOUPLED);
    start_server(&f);
    assert_int_equal(f.failed, 0);
    call_vector(&call, &f, "m", 2, 1);
    assert_good(call_submit(&call));
    call_wait(&call);
    assert_int_equal(call.responses, 2); /* a good one, then the error in place of those that followed */
    assert_int_equal(call.status.code, STATUS_INTERNAL);
    assert_non_null(strstr(call.status.message, "gave output 'y' the shape [1,2,1]"));
    call_end(&call);
    probe_end(&f);
}

static void decoupled_models_need_an_adapter_that_takes_several(void **state) {
    (void)state;
    struct fixture f;
    struct call call;
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, true);
    probe_start(&f, DECOUPLED);
    call_vector(&call, &f, "m", 1, 1);
    call.request->takes_several = false;
    struct status status = call_submit(&call);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_non_null(strstr(status.message, "doesn't support models with decoupled transaction policy"));
    struct arena *arena = arena_create(0);
    struct model_statistics s = fixture_statistics(&f, arena);
    for (size_t i = 0; i < sizeof s.failures / sizeof s.failures[0]; i++)
        assert_int_equal(s.failures[i], 0); /* it is none of the model's */
    arena_destroy(arena);
    call.request->takes_several = true;
    call_run(&call); /* it is as it was */
    call_end(&call);
    probe_end(&f);
}

/* --- Results that nobody waits for any more --- */

static void what_comes_after_a_cancellation_is_dropped(void **state) {
    (void)state;
    struct fixture f;
    struct call call;
    fixture_init(&f);
    probe_reset(PROBE_LATER, false);
    probe_start(&f, DECOUPLED);
    call_vector(&call, &f, "m", 1, 1);
    call.request->id = slice_of("7");
    assert_good(call_submit(&call));
    while (!call_is_answered(&call))
        sched_yield();
    inference_server_cancel(f.server, call.request);
    assert_true(atomic_load(&call.request->cancelled));
    probe_open();
    call_wait(&call);
    assert_int_equal(call.responses, 2); /* the part before it, and the end */
    assert_int_equal(call.status.code, STATUS_CANCELLED);
    assert_string_equal(call.status.message, "[request id: 7] request was cancelled during its execution");
    call_end(&call);
    struct arena *arena = arena_create(0);
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_int_equal(s.failures[FAILURE_CANCELED], 1);
    assert_int_equal(s.success.count, 0);
    assert_int_equal(s.execution_count, 1);
    arena_destroy(arena);
    probe_end(&f);
}

static void expect_late(enum status_code wanted, enum status_code got, const char *text) {
    struct fixture f;
    struct call call;
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    call_vector(&call, &f, "m", 1, 1);
    call.request->deadline_ns = clock_monotonic_ns() + NS_PER_S; /* the engine has it long before */
    call.request->deadline_code = wanted;
    assert_good(call_submit(&call));
    probe_wait_entered(1);
    while (clock_monotonic_ns() <= call.request->deadline_ns)
        sched_yield();
    inference_server_expire(f.server, call.request);
    assert_true(atomic_load(&call.request->cancelled));
    probe_open();
    call_wait(&call);
    assert_int_equal(call.status.code, got);
    assert_string_equal(call.status.message, text);
    struct arena *arena = arena_create(0);
    assert_int_equal(fixture_statistics(&f, arena).failures[FAILURE_CANCELED], 1);
    arena_destroy(arena);
    call_end(&call);
    probe_end(&f);
}

static void a_result_after_the_deadline_is_dropped(void **state) {
    (void)state;
    expect_late(STATUS_OK, STATUS_DEADLINE_EXCEEDED, "Deadline Exceeded");
    expect_late(STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, "Request timeout expired");
}

static void a_wrong_output_shape_of_a_reshaped_output_is_an_error(void **state) {
    (void)state;
    struct fixture f;
    struct call call;
    fixture_init(&f);
    probe_reset(PROBE_BROKEN_SHAPE, true);
    f.backends[f.backend_count++] = &probe_backend;
    add_model(&f, "m",
              "backend: \"probe\" max_batch_size: 8 input { name: \"x\" data_type: TYPE_INT32 dims: [ 2 ] } "
              "output { name: \"y\" data_type: TYPE_INT32 dims: [ 2, 1 ] reshape { shape: [ 2 ] } }");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    call_vector(&call, &f, "m", 2, 1);
    assert_good(call_submit(&call));
    call_wait(&call);
    assert_int_equal(call.status.code, STATUS_INTERNAL);
    assert_non_null(strstr(call.status.message, "gave output 'y' the shape [1,2,1]"));
    call_end(&call);
    probe_end(&f);
}

static void impossible_times_are_put_right(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    run_two(&f, PROBE_BROKEN_TIMES, calls);
    const struct infer_times *t = &calls[0].request->times;
    assert_true(t->compute_start >= t->queued && t->compute_input_end >= t->compute_start);
    assert_true(t->compute_output_start >= t->compute_input_end && t->compute_end >= t->compute_output_start);
    assert_true(t->compute_end <= clock_monotonic_ns());
    struct arena *arena = arena_create(0);
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_true(s.compute_infer.ns <= s.success.ns);
    arena_destroy(arena);
    end_two(&f, calls);
}

/* --- Optional functions --- */

static struct status complete_config(void *backend, struct model_config *config, const char *version_directory) {
    assert_ptr_equal(backend, &probe);
    assert_non_null(strstr(version_directory, "/m/3"));
    model_config_set_max_batch_size(config, 8);
    const int64_t dims[] = {-1};
    struct status status = model_config_add_input(config, slice_of("x"), DATATYPE_INT32, dims, 1);
    return status_is_ok(&status) ? model_config_add_output(config, slice_of("y"), DATATYPE_INT32, dims, 1) : status;
}

static void the_engine_completes_a_missing_config(void **state) {
    (void)state;
    struct fixture f;
    struct call call;
    struct model *model;
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, true);
    struct backend_ops engine = probe_backend;
    engine.name = "openvino";
    engine.complete_config = complete_config;
    f.backends[f.backend_count++] = &engine;
    write_file(&f, "m/2/model.onnx", "");
    write_file(&f, "m/3/model.onnx", "");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    assert_good(inference_server_acquire_model(f.server, slice_of("m"), -1, &model));
    const struct model_config *config = model_config_of(model);
    assert_int_equal(model_version_of(model), 3);
    assert_true(slice_equal_text(config->backend, "onnxruntime"));
    assert_true(slice_equal_text(config->platform, "onnxruntime_onnx"));
    assert_int_equal(config->max_batch_size, 8);
    model_release(model);
    assert_logged(&f,
                  "loaded 'm' version 3: backend 'onnxruntime' is run by engine 'openvino' (for tests), 1 instance");
    call_vector(&call, &f, "m", 2, 1);
    call_run(&call);
    call_end(&call);
    probe_end(&f);
}

/* Four items for each request, whatever its batch dimension. */
static struct infer_cost four_items(void *model, const struct infer_request *request) {
    assert_ptr_equal(model, &probe);
    assert_int_equal(request->inputs[0].rank, 2);
    return (struct infer_cost){.items = 4, .tokens = 100};
}

static void the_engine_tells_what_a_request_costs(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[4];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    struct backend_ops engine = probe_backend;
    engine.name = "costly";
    engine.cost = four_items;
    f.backends[f.backend_count++] = &engine;
    probe_start(&f, "backend: \"costly\" dynamic_batching { }");
    for (int32_t i = 0; i < 4; i++) {
        call_vector(&calls[i], &f, "m", 1, i + 1);
        assert_good(call_submit(&calls[i]));
        probe_wait_entered(1);
    }
    probe_open();
    for (size_t i = 0; i < 4; i++) {
        call_wait(&calls[i]);
        call_end(&calls[i]);
    }
    assert_int_equal(probe.batch_count, 3); /* 1, then 2 of 8 items, then 1 */
    assert_int_equal(probe.batches[1].count, 2);
    assert_int_equal(probe.batches[1].items, 8);
    struct arena *arena = arena_create(0);
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_int_equal(s.inference_count, 4);                       /* what was asked for */
    assert_int_equal(s.batches[s.batch_count - 1].batch_size, 8); /* what was run */
    arena_destroy(arena);
    probe_end(&f);
}

#define VECTOR_OF(engine)                                                                                              \
    "backend: \"" engine "\" max_batch_size: 8 input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] } "              \
    "output { name: \"y\" data_type: TYPE_INT32 dims: [ -1 ] }"

static atomic_bool is_lost;
static atomic_int changes, found_lost;

static bool device_is_lost(const void *model) {
    assert_ptr_equal(model, &probe);
    bool lost = atomic_load(&is_lost);
    atomic_fetch_add(&found_lost, lost);
    return lost;
}

/* Of any number of models. */
static struct status create_instance(void *model, int index, void **ret) {
    (void)index;
    *ret = model;
    return status_ok();
}

static void destroy_instance(void *instance) {
    assert_ptr_equal(instance, &probe);
}

static void count_change(void *user) {
    assert_null(user);
    atomic_fetch_add(&changes, 1);
}

static void expect_rows(struct fixture *f, enum model_state state, const char *reason) {
    struct arena *arena = arena_create(0);
    struct model_index_row *rows;
    size_t count;
    assert_good(inference_server_index(f->server, arena, &rows, &count));
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rows[i].state, state);
        assert_true(slice_equal_text(rows[i].reason, reason));
    }
    arena_destroy(arena);
}

/* Two models, "m" and "other", of an engine whose device may be lost. */
static void start_fragile(struct fixture *f, struct backend_ops *engine) {
    fixture_init(f);
    probe_reset(PROBE_FAIL, true);
    *engine = probe_backend;
    engine->name = "fragile";
    engine->is_lost = device_is_lost;
    engine->instance_create = create_instance;
    engine->instance_destroy = destroy_instance;
    f->backends[f->backend_count++] = engine;
    f->on_change = count_change;
    f->control = MODEL_CONTROL_EXPLICIT;
    f->startup[f->startup_count++] = "m";
    add_model(f, "other", VECTOR_OF("fragile"));
    f->startup[f->startup_count++] = "other";
    probe_start(f, "backend: \"fragile\"");
}

/* A batch finds it out, for its own model and for another that has met no fault itself. */
static void a_model_without_its_device_is_not_ready(void **state) {
    static const char reason[] = "a device that it computes on has failed: restart the server";
    (void)state;
    struct fixture f;
    struct backend_ops engine;
    struct call call;
    struct model *model;
    start_fragile(&f, &engine);
    const int loaded = atomic_load(&changes);
    for (int turn = 0; turn < 2; turn++) {
        atomic_store(&is_lost, turn == 1);
        assert_true(inference_server_is_ready(f.server));
        expect_rows(&f, MODEL_READY, "");
        call_vector(&call, &f, "m", 1, 1);
        assert_good(call_submit(&call));
        call_wait(&call);
        call_end(&call);
        assert_int_equal(atomic_load(&changes) - loaded, turn);
    }
    assert_false(inference_server_is_ready(f.server));
    expect_rows(&f, MODEL_UNAVAILABLE, reason);
    assert_error(inference_server_acquire_model(f.server, slice_of("m"), -1, &model), STATUS_UNAVAILABLE,
                 "Request for unknown model: 'm' version 1 is not at ready state: a device that it computes on has "
                 "failed: restart the server");
    assert_logged(&f, "'m' version 1 is not ready any more");
    assert_logged(&f, "'other' version 1 is not ready any more");
    assert_good(inference_server_unload_model(f.server, slice_of("m")));
    assert_false(inference_server_is_ready(f.server));
    assert_good(inference_server_unload_model(f.server, slice_of("other")));
    assert_true(inference_server_is_ready(f.server));
    atomic_store(&is_lost, false);
    probe_end(&f);
}

/* A pipe that takes no byte more. */
static void open_full_pipe(int ends[2]) {
    static const char bytes[4096];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], bytes, sizeof bytes) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
}

/* The log is a pipe that nobody reads: the thread that tells of the loss waits for that, and nobody else does. */
static void a_log_that_blocks_holds_no_lock(void **state) {
    (void)state;
    struct fixture f;
    struct backend_ops engine;
    struct call call;
    char bytes[4096];
    int ends[2], file;
    start_fragile(&f, &engine);
    open_full_pipe(ends);
    file = f.log.fd;
    f.log.fd = ends[1];
    atomic_store(&found_lost, 0);
    atomic_store(&is_lost, true);
    call_vector(&call, &f, "m", 1, 1);
    assert_good(call_submit(&call));
    while (atomic_load(&found_lost) < 2) /* by the batch, then by who tells of it, under the lock */
        sched_yield();
    assert_false(inference_server_is_ready(f.server));
    for (size_t lines = 0; lines < 2;) {
        ssize_t size = read(ends[0], bytes, sizeof bytes);
        assert_true(size > 0);
        for (ssize_t i = 0; i < size; i++)
            lines += bytes[i] == '\n';
    }
    call_wait(&call);
    call_end(&call);
    f.log.fd = file;
    close(ends[0]);
    close(ends[1]);
    atomic_store(&is_lost, false);
    probe_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_execution_answers_all),
        cmocka_unit_test(each_request_may_fail_by_itself),
        cmocka_unit_test(no_response_means_no_memory),
        cmocka_unit_test(a_second_final_response_is_dropped),
        cmocka_unit_test(responses_may_come_after_execute),
        cmocka_unit_test(an_instance_goes_on_while_answers_are_outstanding),
        cmocka_unit_test(several_responses_need_a_decoupled_model),
        cmocka_unit_test(a_request_may_have_no_response_at_all),
        cmocka_unit_test(a_broken_part_ends_the_request_with_an_error),
        cmocka_unit_test(decoupled_models_need_an_adapter_that_takes_several),
        cmocka_unit_test(what_comes_after_a_cancellation_is_dropped),
        cmocka_unit_test(a_result_after_the_deadline_is_dropped),
        cmocka_unit_test(a_wrong_output_shape_of_a_reshaped_output_is_an_error),
        cmocka_unit_test(impossible_times_are_put_right),
        cmocka_unit_test(the_engine_completes_a_missing_config),
        cmocka_unit_test(the_engine_tells_what_a_request_costs),
        cmocka_unit_test(a_model_without_its_device_is_not_ready),
        cmocka_unit_test(a_log_that_blocks_holds_no_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
