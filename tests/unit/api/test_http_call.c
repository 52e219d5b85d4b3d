/* What an error's answer tells a client beside its text. */
#include "served_models.h"

/* What passes by itself may be asked again, after so many seconds. */
static void errors_that_pass_tell_when_to_come_again(void **state) {
    (void)state;
    struct served served;
    struct session *session = served_begin_identity(&served);
    served_send_infer(session, "none", SERVED_REQUEST);
    struct buf answer = served_await(&served, session);
    assert_int_equal(strncmp(answer.data, "HTTP/1.1 404 ", 13), 0);
    assert_null(strstr(answer.data, "Retry-After"));
    buf_free(&answer);
    assert_good(inference_server_drain(served.server, clock_monotonic_ns() + 60 * NS_PER_S));
    served_send_infer(session, "m", SERVED_REQUEST);
    served_expect_soon(&served, session, "503", "\r\nRetry-After: 1\r\n");
    session->ops->destroy(session);
    served_end(&served);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_that_pass_tell_when_to_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
