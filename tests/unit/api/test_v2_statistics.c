/* The statistics extension over HTTP: units of what it tells. */
#include "served_models.h"

static const char *number_behind(const char *text, const char *name) {
    const char *at = strstr(text, name);
    if (!at)
        fail_msg("no %s in %s", name, text);
    return at ? at + strlen(name) : text;
}

static void the_last_inference_is_a_date_in_milliseconds(void **state) {
    (void)state;
    struct served served;
    struct session *session = served_begin_identity(&served);
    served_send_infer(session, "m", SERVED_REQUEST);
    served_expect_soon(&served, session, "200", "");
    served_send(session, "GET /v2/models/m/versions/1/stats HTTP/1.1\r\nHost: h\r\n\r\n");
    struct buf answer = served_await(&served, session);
    uint64_t told_ms = strtoull(number_behind(answer.data, "\"last_inference\":"), NULL, 10);
    uint64_t now_ms = clock_realtime_ns() / NS_PER_MS; /* to the hour */
    assert_in_range(told_ms, now_ms - 3600 * 1000, now_ms + 3600 * 1000);
    buf_free(&answer);
    session->ops->destroy(session);
    served_end(&served);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_inference_is_a_date_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
