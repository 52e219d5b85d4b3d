/* The life of an inference between its exchange and the core: in whatever order they end, nothing is touched after it
 * is gone and nothing is left behind (the sanitizers tell). Also the plain calls over HTTP. */
#include "served_models.h"

#include "api/infer_call.h"

#define VECTOR_CONFIG                                                                                                  \
    "backend: \"identity\" max_batch_size: 4 "                                                                         \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [-1] } output { name: \"y\" data_type: TYPE_INT32 dims: [-1] } "
#define VECTOR_REQUEST "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"INT32\",\"data\":[7,8]}]}"

/* ---- a backend that gives several responses to a request ---- */

static struct status many_load(void *backend, const struct backend_model_args *args, void **ret_model) {
    (void)backend;
    *ret_model = (void *)(uintptr_t)args;
    return status_ok();
}

static void many_unload(void *model) {
    (void)model;
}

static struct status many_create(void *model, int index, void **ret_instance) {
    (void)index;
    *ret_instance = model;
    return status_ok();
}

static struct status many_execute(void *instance, const struct backend_batch *batch, struct backend_times *ret_times) {
    (void)instance;
    ret_times->compute_start = ret_times->input_end = ret_times->output_start = clock_monotonic_ns();
    for (size_t i = 0; i < batch->count; i++) {
        struct infer_request *request = batch->requests[i];
        backend_respond(request, infer_response_create(request, 0), false);
        backend_respond(request, infer_response_create(request, 0), false);
        backend_respond(request, infer_response_create(request, 0), true);
    }
    ret_times->compute_end = clock_monotonic_ns();
    return status_ok();
}

static const struct backend_ops many_backend = {.api_version = BACKEND_API_VERSION,
                                                .name = "many",
                                                .description = "answers each request three times",
                                                .load = many_load,
                                                .unload = many_unload,
                                                .instance_create = many_create,
                                                .instance_destroy = many_unload,
                                                .execute = many_execute};

static struct served served;

static int set_up(void **state) {
    (void)state;
    served_init(&served);
    served.backends[served.backend_count++] = &many_backend;
    served_add_model(&served, "quick", VECTOR_CONFIG);
    /* A nap, so that it runs on its worker's thread. */
    served_add_model(&served, "fast",
                     VECTOR_CONFIG "parameters { key: \"execute_delay_ms\" value { string_value: \"0.001\" } }");
    served_add_model(&served, "slow",
                     VECTOR_CONFIG "parameters { key: \"execute_delay_ms\" value { string_value: \"60000\" } }");
    served_add_model(&served, "many",
                     "backend: \"many\" max_batch_size: 4 input { name: \"x\" data_type: TYPE_INT32 dims: [-1] } "
                     "output { name: \"y\" data_type: TYPE_INT32 dims: [-1] } ");
    served_add_model(&served, "decoupled",
                     "backend: \"many\" max_batch_size: 4 input { name: \"x\" data_type: TYPE_INT32 dims: [-1] } "
                     "output { name: \"y\" data_type: TYPE_INT32 dims: [-1] } "
                     "model_transaction_policy { decoupled: true }");
    served_start(&served);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    served_end(&served);
    return 0;
}

static void answer_comes_by_the_loop(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    served_send_infer(session, "fast", VECTOR_REQUEST);
    served_wait(&served);
    struct buf early = served_receive(session);
    assert_string_equal(early.data, ""); /* nothing is said on another thread */
    buf_free(&early);
    served_run_task(&served);
    served_expect(session, "200", "\"datatype\":\"INT32\",\"shape\":[1,2],\"data\":[7,8]");
    session->ops->destroy(session);
    assert_int_equal(served.closed, 1);
    assert_int_equal(served.aborted, 0);
}

static void connection_serves_one_inference_after_the_other(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    for (int i = 0; i < 20; i++) {
        served_send_infer(session, "fast", VECTOR_REQUEST);
        served_run_task(&served);
        served_expect(session, "200", "[7,8]");
    }
    session->ops->destroy(session);
    assert_int_equal(served.closed, 20);
}

static void quick_models_answer_at_once(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    /* Until its instance's worker has reached its sleep, which comes soon after the load. */
    for (bool at_once = false; !at_once; served.closed = 0) {
        served_send_infer(session, "quick", VECTOR_REQUEST);
        struct buf answer = served_receive(session);
        at_once = answer.size > 1;
        buf_free(&answer);
        if (!at_once)
            served_check(served_await(&served, session), "200", "[7,8]");
    }
    for (int i = 0; i < 20; i++) {
        served_send_infer(session, "quick", VECTOR_REQUEST);
        assert_null(served.tasks);
        served_expect(session, "200", "\"datatype\":\"INT32\",\"shape\":[1,2],\"data\":[7,8]");
    }
    served_send_infer(session, "quick", VECTOR_REQUEST); /* answered, and lost before the answer is taken */
    session->ops->destroy(session);
    assert_int_equal(served.closed, 20);
    assert_int_equal(served.aborted, 1);
    assert_null(served.tasks);
}

/* Large outputs are not copied: they go out of the request's own memory, which lives until they are gone. */
static void large_tensors_go_out_as_they_lie(void **state) {
    (void)state;
    enum { COUNT = 50000, SIZE = COUNT * 4 };
    static const char *const names[] = {"quick", "fast"};
    char json[256];
    struct buf text = BUF_EMPTY;
    snprintf(json, sizeof json,
             "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,%d],\"datatype\":\"INT32\",\"parameters\":"
             "{\"binary_data_size\":%d}}],\"parameters\":{\"binary_data_output\":true}}",
             COUNT, SIZE);
    for (int round = 0; round < 4; round++) {
        struct session *session = served_connect(&served);
        buf_clear(&text);
        buf_printf(&text,
                   "POST /v2/models/%s/infer HTTP/1.1\r\nHost: h\r\nInference-Header-Content-Length: %zu\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   names[round % 2], strlen(json), strlen(json) + SIZE, json);
        for (int32_t i = 0; i < COUNT; i++)
            buf_append(&text, &i, sizeof i);
        assert_good(session->ops->input(session, text.data, text.size));
        struct buf answer = BUF_EMPTY;
        while (answer.size == 0) {
            assert_good(take_from(session, round < 2 ? 1 << 20 : 1 << 10, &answer));
            if (answer.size == 0)
                served_run_task(&served);
        }
        assert_memory_equal(answer.data, "HTTP/1.1 200", 12);
        if (round < 2)
            assert_memory_equal(answer.data + answer.size - SIZE, text.data + text.size - SIZE, SIZE);
        else /* the client is lost with the answer half taken */
            assert_true(answer.size < SIZE);
        buf_free(&answer);
        session->ops->destroy(session);
    }
    buf_free(&text);
    assert_int_equal(served.closed, 2);
    assert_int_equal(served.aborted, 2);
}

/* The delay is a minute: the test ends soon only because the lost client's request is cancelled. */
static void lost_client_cancels_its_request(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    served_send_infer(session, "slow", VECTOR_REQUEST);
    session->ops->destroy(session);
    assert_int_equal(served.aborted, 1);
    served_run_task(&served); /* the end of the request finds no exchange */
}

static void queued_requests_of_lost_clients_go_too(void **state) {
    (void)state;
    enum { CLIENTS = 8 };
    struct session *sessions[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        sessions[i] = served_connect(&served);
        served_send_infer(sessions[i], "slow", VECTOR_REQUEST);
    }
    for (int i = CLIENTS - 1; i >= 0; i--)
        sessions[i]->ops->destroy(sessions[i]);
    for (int i = 0; i < CLIENTS; i++)
        served_run_task(&served);
    assert_int_equal(served.aborted, CLIENTS);
}

static void client_may_be_lost_between_answer_and_sending(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    served_send_infer(session, "fast", VECTOR_REQUEST);
    served_wait(&served);
    session->ops->destroy(session);
    assert_int_equal(served.aborted, 1);
    served_run_task(&served);
}

/* Ending clients and ending requests meet in every order; thousands of times would find a race, under TSan these do. */
static void ends_may_race(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct session *session = served_connect(&served);
        served_send_infer(session, "fast", VECTOR_REQUEST);
        session->ops->destroy(session);
        served_run_task(&served);
    }
    assert_int_equal(served.aborted, 200);
}

static void refused_requests_leave_nothing(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    served_send_infer(session, "fast", "{\"inputs\":[]}");
    served_expect(session, "400", "{\"error\":\"expected 1 inputs but got 0 inputs for model 'fast'");
    served_send_infer(session, "none", VECTOR_REQUEST);
    served_expect(session, "404", "'none'");
    served_send_infer(session, "fast", "{");
    served_expect(session, "400", "not JSON");
    assert_int_equal(served.closed, 3);
    session->ops->destroy(session);
    assert_null(served.tasks);
}

static void several_responses_do_not_fit_in_one_answer(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    served_send_infer(session, "many", VECTOR_REQUEST);
    served_run_task(&served);
    served_expect(session, "500", "model 'many' made several responses");
    served_send_infer(session, "decoupled", VECTOR_REQUEST);
    served_expect(session, "501", "doesn't support models with decoupled transaction policy");
    session->ops->destroy(session);
    assert_null(served.tasks);
}

/* As a stream does which keeps an answer, finds no room for it, and ends. */
static void keep_and_give_back(struct infer_call *call, struct infer_answer *answer) {
    size_t *told = call->exchange;
    assert_true(answer->final);
    assert_string_equal(answer->status.message, "no");
    answer->kept = true;
    infer_answer_free(call, answer);
    ++*told;
}

static void answer_may_be_given_back_while_it_is_sent(void **state) {
    (void)state;
    static const struct infer_call_ops ops = {.send = keep_and_give_back};
    const struct status error = status_error(STATUS_INVALID_ARGUMENT, "no");
    size_t told = 0;
    struct infer_call *call = infer_call_create(&ops, sizeof *call, &served.context, &told, 0);
    assert_non_null(call);
    assert_true(infer_call_refuse(call, &error));
    assert_int_equal(told, 1);
    infer_call_detach(call);
}

static void exiting_server_is_not_ready_but_answers(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    served_send(session, "GET /v2/health/ready HTTP/1.1\r\nHost: h\r\n\r\n");
    served_expect(session, "200", "{\"ready\":true}");
    atomic_store(&served.exiting, true);
    served_send(session, "GET /v2/health/ready HTTP/1.1\r\nHost: h\r\n\r\n");
    served_expect(session, "400", "{\"ready\":false}");
    served_send(session, "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n");
    served_expect(session, "200", "{\"live\":true}");
    served_send_infer(session, "fast", VECTOR_REQUEST);
    served_run_task(&served);
    served_expect(session, "200", "[7,8]");
    session->ops->destroy(session);
}

static void plain_calls_answer_at_once(void **state) {
    (void)state;
    static const struct {
        const char *path, *status, *part;
    } rows[] = {
        {"/v2", "200", "{\"name\":\"a server\",\"version\":\"1.2.3\",\"extensions\":["},
        {"/v2/models/fast", "200",
         "{\"name\":\"fast\",\"versions\":[\"1\"],\"platform\":\"identity\",\"inputs\":[{\"name\":\"x\",\"datatype\":"
         "\"INT32\",\"shape\":[-1,-1]}],\"outputs\":[{\"name\":\"y\",\"datatype\":\"INT32\",\"shape\":[-1,-1]}]}"},
        {"/v2/models/fast/versions/1", "200", "\"versions\":[\"1\"]"},
        {"/v2/models/fast/versions/2", "404", "{\"error\":"},
        {"/v2/models/fast/config", "200", "\"max_batch_size\":4"},
        {"/v2/models/fast/stats", "200", "{\"model_stats\":[{\"name\":\"fast\",\"version\":\"1\""},
        {"/v2/models/none/stats", "400", "requested model 'none' is not available"},
        {"/v2/models/fast/versions/9/stats", "400", "requested model 'fast', version 9 is not available"},
        {"/v2/models/stats", "200", "\"name\":\"slow\""},
        {"/v2/models/fast/ready", "200", "{\"name\":\"fast\",\"ready\":true}"},
        {"/v2/models/none/ready", "404", "{\"error\":"},
        {"/metrics", "200", "nv_inference_request_success{model=\"fast\",version=\"1\"} 0\n"},
        {"/nothing", "404", "{\"error\":\"Not Found\"}"},
        {"/v2/models/fast/infer", "405", "Allow: POST"},
    };
    struct session *session = served_connect(&served);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].path);
        served_send(session, text);
        served_expect(session, rows[i].status, rows[i].part);
    }
    session->ops->destroy(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answer_comes_by_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connection_serves_one_inference_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quick_models_answer_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_tensors_go_out_as_they_lie, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_client_cancels_its_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queued_requests_of_lost_clients_go_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(client_may_be_lost_between_answer_and_sending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_may_race, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_requests_leave_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_responses_do_not_fit_in_one_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_may_be_given_back_while_it_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exiting_server_is_not_ready_but_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_calls_answer_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
