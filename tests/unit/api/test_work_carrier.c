/* Work of gRPC calls: done by a decoder, ended on the loop, or not taken. */
#include "served_models.h"

#include "api/work_carrier.h"

static struct served served;

static int set_up(void **state) {
    (void)state;
    served_init(&served);
    served_start(&served);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    served_end(&served);
    return 0;
}

struct noted_work {
    struct grpc_work work; /* first */
    pthread_t ran_on, done_on;
    int runs, ends;
};

static void run(struct grpc_work *work) {
    struct noted_work *noted = (struct noted_work *)work;
    noted->ran_on = pthread_self();
    noted->runs++;
}

static void done(struct grpc_work *work) {
    struct noted_work *noted = (struct noted_work *)work;
    noted->done_on = pthread_self();
    noted->ends++;
}

static void work_goes_to_a_decoder_and_comes_back(void **state) {
    (void)state;
    struct noted_work noted = {.work = {run, done}};
    assert_true(work_carrier_submit(&served.context, &noted.work));
    assert_int_equal(noted.runs, 0);
    pthread_t thread = served_begin_work(&served.decoders);
    served_wait(&served);
    assert_int_equal(noted.runs, 1);
    assert_true(pthread_equal(noted.ran_on, thread));
    assert_int_equal(noted.ends, 0);
    served_run_task(&served);
    assert_int_equal(noted.ends, 1);
    assert_true(pthread_equal(noted.done_on, pthread_self()));
    pthread_join(thread, NULL);
}

static void work_that_no_thread_takes(void **state) {
    (void)state;
    struct noted_work noted = {.work = {run, done}};
    served.decoders.room = 0;
    assert_false(work_carrier_submit(&served.context, &noted.work));
    assert_int_equal(noted.runs + noted.ends, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(work_goes_to_a_decoder_and_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(work_that_no_thread_takes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
