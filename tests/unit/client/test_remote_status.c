/* Tests of remote_status: codes and error texts that servers send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/remote_status.h"

static void expect(struct status got, enum status_code code, const char *message) {
    assert_int_equal(got.code, code);
    assert_string_equal(got.message, message);
}

static void test_grpc(void **state) {
    (void)state;
    expect(remote_status_grpc(0, SLICE_LITERAL("")), STATUS_OK, "");
    expect(remote_status_grpc(5, SLICE_LITERAL("no model 'x'")), STATUS_NOT_FOUND, "no model 'x'");
    expect(remote_status_grpc(3, SLICE_LITERAL("100%25 of %C3%BC")), STATUS_INVALID_ARGUMENT, "100% of \xc3\xbc");
    expect(remote_status_grpc(14, SLICE_LITERAL("50% off%2")), STATUS_UNAVAILABLE, "50% off%2");
    expect(remote_status_grpc(2, SLICE_LITERAL("a%0Ab%00c")), STATUS_UNKNOWN, "a b c");
    expect(remote_status_grpc(13, SLICE_LITERAL("%FF")), STATUS_INTERNAL, "?");
    assert_int_equal(remote_status_grpc(17, SLICE_LITERAL("x")).code, STATUS_UNKNOWN);
    assert_int_equal(remote_status_grpc(-1, SLICE_LITERAL("x")).code, STATUS_UNKNOWN);
    assert_int_equal(remote_status_grpc(16, SLICE_LITERAL("")).code, STATUS_UNAUTHENTICATED);
    assert_non_null(strstr(remote_status_grpc(16, SLICE_LITERAL("")).message, "16"));
}

static void test_long_text_is_cut_between_characters(void **state) {
    (void)state;
    char text[3000];
    for (size_t i = 0; i < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3); /* the euro sign */
    for (size_t from = 0; from < 3; from++) {
        char shifted[3002];
        memset(shifted, 'x', from);
        memcpy(shifted + from, text, sizeof text);
        struct status status = remote_status_grpc(3, (struct slice){shifted, from + sizeof text});
        assert_true(slice_is_utf8(slice_of(status.message)));
        assert_true(slice_ends_with(slice_of(status.message), SLICE_LITERAL("\xe2\x82\xac...")));
    }
}

static void test_http(void **state) {
    (void)state;
    expect(remote_status_http(404, SLICE_LITERAL("{\"error\":\"no \\u00fc\"}")), STATUS_NOT_FOUND, "no \xc3\xbc");
    expect(remote_status_http(400, SLICE_LITERAL("{\"error\":5}")), STATUS_INVALID_ARGUMENT,
           "HTTP status 400: {\"error\":5}");
    expect(remote_status_http(502, SLICE_LITERAL("<html>\r\nBad")), STATUS_UNAVAILABLE, "HTTP status 502: <html>");
    expect(remote_status_http(503, SLICE_LITERAL("")), STATUS_UNAVAILABLE,
           "the server says HTTP status 503 without a message");
    expect(remote_status_http(418, SLICE_LITERAL("\xff\x1b[1m")), STATUS_UNKNOWN, "HTTP status 418: ? [1m");
    assert_int_equal(remote_status_http_code(413), STATUS_TOO_LARGE);
    assert_int_equal(remote_status_http_code(504), STATUS_DEADLINE_EXCEEDED);
}

static void test_v1(void **state) {
    (void)state;
    expect(remote_status_v1(5, SLICE_LITERAL("wrong\nshape")), STATUS_INVALID_ARGUMENT, "wrong shape");
    expect(remote_status_v1(8, SLICE_LITERAL("r")), STATUS_ALREADY_EXISTS, "r");
    expect(remote_status_v1(6, SLICE_LITERAL("")), STATUS_UNAVAILABLE,
           "the server says request status 6 without a message");
    for (int code = -2; code < 3; code++)
        assert_int_equal(remote_status_v1(code, SLICE_LITERAL("x")).code, STATUS_UNKNOWN);
    assert_int_equal(remote_status_v1(9, SLICE_LITERAL("x")).code, STATUS_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc),
        cmocka_unit_test(test_long_text_is_cut_between_characters),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_v1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
