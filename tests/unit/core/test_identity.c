/* The identity backend behind the server: what it copies, how it fails when asked, what it refuses. */
#include "server_fixture.h"

#include <sched.h>

#define VECTOR                                                                                                         \
    "backend: \"identity\"\nmax_batch_size: 8\n"                                                                       \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] }\n"                                                       \
    "output { name: \"y\" data_type: TYPE_INT32 dims: [ -1 ] }\n"

#define DECOUPLED VECTOR "model_transaction_policy { decoupled: true }\n"

static void reshape_is_undone_on_the_way_back(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m",
              "backend: \"identity\"\nmax_batch_size: 8\n"
              "input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] reshape { shape: [ ] } }\n"
              "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] reshape { shape: [ ] } }\n");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    struct call call;
    call_vector(&call, &f, "m", 1, 5);
    call_run(&call);
    assert_int_equal(call.request->inputs[0].rank, 1); /* as the engine saw it */
    assert_int_equal(call.last->outputs[0].rank, 2);
    assert_int_equal(call.last->outputs[0].shape[1], 1);
    call_end(&call);
    fixture_end(&f);
}

static void an_absent_optional_input_has_no_output(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m",
              "backend: \"identity\"\n"
              "input [ { name: \"a\" data_type: TYPE_INT32 dims: [ 1 ] optional: true }, "
              "{ name: \"b\" data_type: TYPE_STRING dims: [ 1 ] } ]\n"
              "output [ { name: \"c\" data_type: TYPE_INT32 dims: [ 1 ] }, "
              "{ name: \"d\" data_type: TYPE_STRING dims: [ 1 ] } ]\n");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    struct call call;
    call_init(&call, &f, "m");
    call_add_input(&call, "b", DATATYPE_BYTES, 1, (const int64_t[]){1}, "\2\0\0\0hi", 6);
    call_run(&call);
    assert_int_equal(call.last->output_count, 1);
    assert_true(slice_equal_text(call.last->outputs[0].name, "d"));
    assert_int_equal(call.last->outputs[0].data.size, 6);
    call_end(&call);
    call_init(&call, &f, "m");
    int32_t one = 1;
    call_add_input(&call, "b", DATATYPE_BYTES, 1, (const int64_t[]){1}, "\0\0\0\0", 4);
    call_add_input(&call, "a", DATATYPE_INT32, 1, (const int64_t[]){1}, &one, 4);
    struct requested_output wanted = {.name = slice_of("c")};
    call.request->outputs = &wanted;
    call.request->output_count = 1;
    call_run(&call);
    assert_int_equal(call.last->output_count, 1);
    assert_true(slice_equal_text(call.last->outputs[0].name, "c"));
    call_end(&call);
    fixture_end(&f);
}

static void a_sequence_id_comes_back(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", VECTOR);
    start_server(&f);
    struct call call;
    call_vector(&call, &f, "m", 1, 1);
    call.request->sequence.kind = SEQUENCE_NUMBER;
    call.request->sequence.number = 77;
    call.request->sequence_flags = SEQUENCE_END;
    call_run(&call);
    assert_int_equal(call.last->parameter_count, 3);
    const struct infer_parameter *parameters = call.last->parameters;
    assert_true(slice_equal_text(parameters[0].name, "sequence_id"));
    assert_int_equal(parameters[0].kind, PARAMETER_INT);
    assert_int_equal(parameters[0].value.integer, 77);
    assert_true(slice_equal_text(parameters[1].name, "sequence_start"));
    assert_false(parameters[1].value.boolean);
    assert_true(slice_equal_text(parameters[2].name, "sequence_end"));
    assert_true(parameters[2].value.boolean);
    call_end(&call);
    call_vector(&call, &f, "m", 1, 1);
    call.request->sequence.kind = SEQUENCE_STRING;
    call.request->sequence.string = slice_of("abc");
    call_run(&call);
    assert_int_equal(call.last->parameters[0].kind, PARAMETER_STRING);
    assert_true(slice_equal_text(call.last->parameters[0].value.string, "abc"));
    call_end(&call);
    fixture_end(&f);
}

static void it_fails_as_asked(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "requests", VECTOR "parameters { key: \"fail_requests\" value { string_value: \"every_n:3\" } }\n");
    add_model(&f, "executions",
              VECTOR "parameters { key: \"fail_executions\" value { string_value: \"every_n:2\" } }\n"
                     "parameters { key: \"execute_delay_ms\" value { string_value: \"0.1\" } }\n");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    static const struct {
        const char *model;
        int every;
    } cases[] = {{"requests", 3}, {"executions", 2}};
    for (size_t c = 0; c < 2; c++) {
        for (int i = 1; i <= 6; i++) {
            struct call call;
            call_vector(&call, &f, cases[c].model, 1, i);
            assert_good(call_submit(&call));
            call_wait(&call);
            assert_int_equal(call.status.code, i % cases[c].every ? STATUS_OK : STATUS_INTERNAL);
            call_end(&call);
        }
        struct model *model;
        struct model_statistics s;
        struct arena *arena = arena_create(0);
        assert_good(inference_server_acquire_model(f.server, slice_of(cases[c].model), -1, &model));
        assert_good(model_statistics_snapshot(model, arena, &s));
        assert_int_equal(s.fail.count, 6 / cases[c].every);
        assert_int_equal(s.failures[FAILURE_BACKEND], 6 / cases[c].every);
        assert_int_equal(s.success.count + s.fail.count, 6);
        assert_int_equal(s.execution_count,
                         s.success.count); /* one request each; those without a success are not counted */
        model_release(model);
        arena_destroy(arena);
    }
    fixture_end(&f);
}

static void identity_refuses_what_it_cannot_serve(void **state) {
    (void)state;
    static const struct {
        const char *config, *reason;
    } cases[] = {
        {VECTOR "parameters { key: \"execute_delay\" value { string_value: \"1\" } }",
         "backend 'identity' has no parameter 'execute_delay'; did you mean 'execute_delay_ms'?"},
        {VECTOR "parameters { key: \"execute_delay_ms\" value { string_value: \"-1\" } }",
         "parameter execute_delay_ms must be a number from 0 to 600000, got '-1'"},
        {VECTOR "parameters { key: \"execute_delay_ms\" value { string_value: \"nan\" } }",
         "parameter execute_delay_ms must be a number from 0 to 600000, got 'nan'"},
        {VECTOR "parameters { key: \"fail_requests\" value { string_value: \"every_n:0\" } }",
         "parameter fail_requests must be 'every_n:N' with N from 1, got 'every_n:0'"},
        {VECTOR "parameters { key: \"fail_executions\" value { string_value: \"always\" } }",
         "parameter fail_executions must be 'every_n:N' with N from 1, got 'always'"},
        {VECTOR "parameters { key: \"responses\" value { string_value: \"2\" } }",
         "parameter responses needs model_transaction_policy { decoupled: true }"},
        {DECOUPLED "parameters { key: \"responses\" value { string_value: \"1.5\" } }",
         "parameter responses must be a whole number from 0 to 100000"},
        {DECOUPLED "parameters { key: \"response_delay_ms\" value { string_value: \"inf\" } }",
         "parameter response_delay_ms must be a number from 0 to 600000"},
        {DECOUPLED "parameters { key: \"fail_after_responses\" value { string_value: \"soon\" } }",
         "parameter fail_after_responses must be a whole number from 0 to 100000"},
        {DECOUPLED "parameters { key: \"separate_final\" value { string_value: \"yes\" } }",
         "parameter separate_final must be true or false"},
        {VECTOR "input { name: \"z\" data_type: TYPE_INT32 dims: [ 1 ] }",
         "backend 'identity' needs as many outputs as inputs: the config has 2 inputs and 1 outputs"},
        {"backend: \"identity\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
         "output { name: \"y\" data_type: TYPE_FP32 dims: [ 1 ] }",
         "output 'y' must be TYPE_INT32, as input 'x' that it copies, not TYPE_FP32"},
        {"backend: \"identity\" input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] } "
         "output { name: \"y\" data_type: TYPE_INT32 dims: [ 4 ] }",
         "output 'y' must have the dims [-1] of input 'x' that it copies, not [4]"},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    struct fixture f;
    fixture_init(&f);
    char name[16], expected[400];
    for (size_t i = 0; i < CASES; i++) {
        snprintf(name, sizeof name, "m%zu", i);
        add_model(&f, name, cases[i].config);
    }
    start_server(&f);
    assert_int_equal(f.failed, CASES);
    for (size_t i = 0; i < CASES; i++) {
        struct model *model;
        snprintf(name, sizeof name, "m%zu", i);
        snprintf(expected, sizeof expected, "Request for unknown model: '%s' version 1 is not at ready state: %s", name,
                 cases[i].reason);
        assert_error(inference_server_acquire_model(f.server, slice_of(name), -1, &model), STATUS_UNAVAILABLE,
                     expected);
    }
    fixture_end(&f);
}

/* Ten minutes of execution end when nobody wants the answer any more. */
static void a_long_execution_looks_at_cancellation(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", VECTOR "parameters { key: \"execute_delay_ms\" value { string_value: \"600000\" } }\n");
    start_server(&f);
    struct call call;
    call_vector(&call, &f, "m", 1, 1);
    assert_good(call_submit(&call));
    struct model *model;
    struct arena *arena = arena_create(0);
    struct model_statistics s = {.pending_count = 1};
    assert_good(inference_server_acquire_model(f.server, slice_of("m"), -1, &model));
    while (s.pending_count) { /* until it has left the queue */
        assert_good(model_statistics_snapshot(model, arena, &s));
        sched_yield();
    }
    inference_server_cancel(f.server, call.request);
    call_wait(&call);
    assert_int_equal(call.status.code, STATUS_CANCELLED);
    assert_good(model_statistics_snapshot(model, arena, &s));
    assert_int_equal(s.failures[FAILURE_CANCELED], 1);
    assert_int_equal(s.execution_count, 0);
    call_end(&call);
    model_release(model);
    arena_destroy(arena);
    fixture_end(&f);
}

/* Submits a request with up to two parameters and waits for its end. */
static void run_decoupled(struct call *call, struct fixture *f, const char *model, const struct infer_parameter *given,
                          size_t count) {
    call_vector(call, f, model, 1, 1);
    call->request->parameters = arena_calloc(call->request->arena, count, sizeof *given);
    assert_non_null(call->request->parameters);
    for (size_t i = 0; i < count; i++)
        call->request->parameters[i] = given[i];
    call->request->parameter_count = count;
    assert_good(call_submit(call));
    call_wait(call);
}

static struct infer_parameter number(const char *name, uint64_t value) {
    return (struct infer_parameter){.name = slice_of(name), .kind = PARAMETER_UINT, .value.unsigned_integer = value};
}

static void decoupled_models_answer_as_planned(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "once", DECOUPLED);
    add_model(&f, "thrice",
              DECOUPLED "parameters { key: \"responses\" value { string_value: \"3\" } }\n"
                        "parameters { key: \"response_delay_ms\" value { string_value: \"0.1\" } }\n"
                        "parameters { key: \"separate_final\" value { string_value: \"true\" } }\n");
    add_model(&f, "failing", DECOUPLED "parameters { key: \"fail_after_responses\" value { string_value: \"0\" } }\n");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    const struct {
        const char *model;
        struct infer_parameter parameters[2];
        size_t parameter_count, responses;
        enum status_code code;
        bool empty;
    } cases[] = {
        {.model = "once", .responses = 1},
        {.model = "once", {number("responses", 2)}, 1, 2},
        {.model = "once", {number("responses", 0)}, 1, 1, STATUS_OK, true},
        {.model = "once", {number("responses", 5), number("fail_after_responses", 2)}, 2, 3, STATUS_INTERNAL},
        {.model = "once", {number("responses", 2), number("fail_after_responses", 2)}, 2, 3, STATUS_INTERNAL},
        {.model = "once", {number("separate_final", 1)}, 1, 2, STATUS_OK, true},
        {.model = "once", {number("responses", 100001)}, 1, 1, STATUS_INVALID_ARGUMENT},
        {.model = "once", {number("separate_final", 2)}, 1, 1, STATUS_INVALID_ARGUMENT},
        {.model = "thrice", .responses = 4, .empty = true},
        {.model = "thrice", {number("separate_final", 0)}, 1, 3},
        {.model = "failing", .responses = 1, .code = STATUS_INTERNAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct call call;
        run_decoupled(&call, &f, cases[i].model, cases[i].parameters, cases[i].parameter_count);
        assert_int_equal(call.responses, cases[i].responses);
        assert_int_equal(call.status.code, cases[i].code);
        assert_int_equal(call.last->empty, cases[i].empty);
        assert_int_equal(call.last->output_count, cases[i].code == STATUS_OK && !cases[i].empty ? 1 : 0);
        call_end(&call);
    }
    fixture_end(&f);
}

static void responses_are_counted(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", DECOUPLED "parameters { key: \"response_delay_ms\" value { string_value: \"1\" } }\n");
    start_server(&f);
    const struct infer_parameter three = number("responses", 3);
    const struct infer_parameter ended = number("separate_final", 1);
    const struct infer_parameter failing[] = {three, number("fail_after_responses", 1)};
    struct call call;
    run_decoupled(&call, &f, "m", &three, 1);
    call_end(&call);
    run_decoupled(&call, &f, "m", &ended, 1);
    call_end(&call);
    run_decoupled(&call, &f, "m", failing, 2);
    call_end(&call);
    struct arena *arena = arena_create(0);
    struct model *model;
    struct model_statistics s;
    assert_good(inference_server_acquire_model(f.server, slice_of("m"), -1, &model));
    assert_good(model_statistics_snapshot(model, arena, &s));
    assert_int_equal(s.response_count, 3);
    assert_int_equal(s.responses[0].success.count, 3);
    assert_int_equal(s.responses[1].success.count, 1);
    assert_int_equal(s.responses[1].empty_response.count, 1);
    assert_int_equal(s.responses[1].fail.count, 1);
    assert_int_equal(s.responses[2].success.count, 1);
    for (size_t i = 0; i < 3; i++) {
        const struct response_stat *row = &s.responses[i];
        assert_int_equal(row->compute_output.count, row->success.count);
        assert_int_equal(row->cancel.count, 0);
        assert_true(row->success.ns + row->fail.ns + row->empty_response.ns ==
                    row->compute_infer.ns + row->compute_output.ns);
        assert_true(row->compute_infer.ns >= row->success.count * NS_PER_MS); /* the delay before each */
    }
    assert_int_equal(s.compute_output.ns, 0);
    assert_true(s.compute_infer.ns >= 3 * NS_PER_MS);
    model_release(model);
    arena_destroy(arena);
    fixture_end(&f);
}

static void a_cancelled_request_gets_no_more_responses(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m",
              DECOUPLED "parameters { key: \"responses\" value { string_value: \"100000\" } }\n"
                        "parameters { key: \"response_delay_ms\" value { string_value: \"1\" } }\n");
    start_server(&f);
    struct call call;
    call_vector(&call, &f, "m", 1, 1);
    assert_good(call_submit(&call));
    while (!call_is_answered(&call))
        sched_yield();
    inference_server_cancel(f.server, call.request);
    call_wait(&call);
    assert_int_equal(call.status.code, STATUS_CANCELLED);
    assert_true(call.responses < 100000);
    struct arena *arena = arena_create(0);
    struct model_statistics s;
    assert_good(model_statistics_snapshot(call.request->model, arena, &s));
    uint64_t cancelled = 0;
    for (size_t i = 0; i < s.response_count; i++)
        cancelled += s.responses[i].cancel.count;
    assert_true(cancelled == (call.responses <= RESPONSE_STATS_MAX));
    arena_destroy(arena);
    call_end(&call);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_is_undone_on_the_way_back),
        cmocka_unit_test(an_absent_optional_input_has_no_output),
        cmocka_unit_test(a_sequence_id_comes_back),
        cmocka_unit_test(it_fails_as_asked),
        cmocka_unit_test(identity_refuses_what_it_cannot_serve),
        cmocka_unit_test(a_long_execution_looks_at_cancellation),
        cmocka_unit_test(decoupled_models_answer_as_planned),
        cmocka_unit_test(responses_are_counted),
        cmocka_unit_test(a_cancelled_request_gets_no_more_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
