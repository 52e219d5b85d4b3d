/* The life of a call whose work is done on another thread: in whatever order client and work end, nothing is touched
 * after it is gone and nothing is left behind (the sanitizers tell). */
#include "served_models.h"

#define VECTOR_CONFIG                                                                                                  \
    "backend: \"identity\" max_batch_size: 4 "                                                                         \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [-1] } output { name: \"y\" data_type: TYPE_INT32 dims: [-1] } "

static struct served served;

static int set_up(void **state) {
    (void)state;
    served_init(&served);
    served_add_model(&served, "m", VECTOR_CONFIG);
    served_start(&served);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    served_end(&served);
    return 0;
}

/* Does what was submitted, on a thread of its own. */
static void work(void) {
    pthread_join(served_begin_work(&served.workers), NULL);
}

static void send_post(struct session *session, const char *path, const char *body) {
    char text[1024];
    snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body),
             body);
    served_send(session, text);
}

static void assert_loaded(bool loaded) {
    struct model *model = NULL;
    struct status status = inference_server_acquire_model(served.server, slice_of("m"), -1, &model);
    assert_int_equal(status_is_ok(&status), loaded);
    model_release(model);
}

static void assert_silent(struct session *session) {
    struct buf early = served_receive(session);
    assert_string_equal(early.data, "");
    buf_free(&early);
}

static void the_work_is_done_elsewhere_and_the_answer_comes_by_the_loop(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    send_post(session, "/v2/repository/models/m/unload", "");
    assert_loaded(true); /* nobody has worked on it yet */
    work();
    assert_loaded(false);
    assert_silent(session);
    served_run_task(&served);
    served_expect(session, "200", "Content-Length: 0");
    send_post(session, "/v2/repository/index", "{\"ready\":false}");
    work();
    served_run_task(&served);
    served_expect(session, "200",
                  "[{\"name\":\"m\",\"version\":\"1\",\"state\":\"UNAVAILABLE\",\"reason\":\"unloaded\"}]");
    send_post(session, "/v2/repository/models/x/load", "{}");
    work();
    served_run_task(&served);
    served_expect(session, "500", "{\"error\":\"failed to load 'x'");
    session->ops->destroy(session);
    assert_int_equal(served.closed, 3);
}

static void a_client_who_leaves_takes_a_call_along_that_waits(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    send_post(session, "/v2/repository/models/m/unload", "");
    session->ops->destroy(session);
    assert_int_equal(served.aborted, 1);
    work();
    assert_loaded(true);
    served_run_task(&served);
}

static void a_client_who_leaves_later_does_not_stop_the_work(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    send_post(session, "/v2/repository/models/m/unload", "");
    work();
    session->ops->destroy(session);
    assert_int_equal(served.aborted, 1);
    served_run_task(&served); /* finds no exchange */
    assert_loaded(false);
}

static void more_than_the_workers_take_is_refused(void **state) {
    (void)state;
    served.workers.room = 0;
    struct session *session = served_connect(&served);
    send_post(session, "/v2/repository/models/m/unload", "");
    served_expect(session, "503", "too many calls wait for a thread that does them; try again later");
    served.workers.room = 1;
    send_post(session, "/v2/repository/models/m/unload", "");
    work();
    served_run_task(&served);
    served_expect(session, "200", "");
    session->ops->destroy(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_work_is_done_elsewhere_and_the_answer_comes_by_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_who_leaves_takes_a_call_along_that_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_who_leaves_later_does_not_stop_the_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_the_workers_take_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
