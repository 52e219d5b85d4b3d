/* Where the JSON of a request ends and its binary tensors begin. */
#include "served_models.h"

static void the_json_is_no_longer_than_the_body(void **state) {
    (void)state;
    static const char json[] = SERVED_REQUEST;
    const size_t size = sizeof json - 1;
    struct served served;
    struct session *session = served_begin_identity(&served);
    for (size_t more = 0; more <= 1; more++) {
        char text[512];
        snprintf(text, sizeof text,
                 "POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nInference-Header-Content-Length: %zu\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 size + more, size, json);
        served_send(session, text);
        served_expect_soon(&served, session, more ? "400" : "200",
                           more ? "Inference-Header-Content-Length: expected a number in 0.." : "[7]");
    }
    session->ops->destroy(session);
    served_end(&served);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_json_is_no_longer_than_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
