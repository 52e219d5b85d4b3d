/* Every error kind has a wire status, and the ones that clients rely on have the right one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/status_map.h"

static void every_error_is_mapped(void **state) {
    (void)state;
    static const enum status_code codes[] = {
#define STATUS_CODE(name, text) STATUS_##name,
#include "base/status.def"
#undef STATUS_CODE
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        int http = status_map_http(codes[i]);
        enum grpc_code grpc = status_map_grpc(codes[i]);
        if (codes[i] == STATUS_OK) {
            assert_int_equal(http, 200);
            assert_int_equal(grpc, GRPC_OK);
            continue;
        }
        assert_in_range(http, 400, 504);
        assert_int_not_equal(grpc, GRPC_OK);
        /* Only an internal error may look like one: a forgotten row falls back to it. */
        if (codes[i] != STATUS_INTERNAL)
            assert_int_not_equal(grpc, GRPC_INTERNAL);
    }
}

static void protocol_table_holds(void **state) {
    (void)state;
    static const struct {
        enum status_code code;
        int http;
        enum grpc_code grpc;
    } rows[] = {
        {STATUS_UNKNOWN, 400, GRPC_UNKNOWN},
        {STATUS_INTERNAL, 500, GRPC_INTERNAL},
        {STATUS_NOT_FOUND, 404, GRPC_NOT_FOUND},
        {STATUS_INVALID_ARGUMENT, 400, GRPC_INVALID_ARGUMENT},
        {STATUS_UNAVAILABLE, 503, GRPC_UNAVAILABLE},
        {STATUS_SWITCHED_OFF, 503, GRPC_UNAVAILABLE},
        {STATUS_UNSUPPORTED, 501, GRPC_UNIMPLEMENTED},
        {STATUS_ALREADY_EXISTS, 400, GRPC_ALREADY_EXISTS},
        {STATUS_CANCELLED, 400, GRPC_CANCELLED},
        {STATUS_DEADLINE_EXCEEDED, 504, GRPC_DEADLINE_EXCEEDED},
        {STATUS_RESOURCE_EXHAUSTED, 503, GRPC_RESOURCE_EXHAUSTED},
        {STATUS_TOO_LARGE, 413, GRPC_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(status_map_http(rows[i].code), rows[i].http);
        assert_int_equal(status_map_grpc(rows[i].code), rows[i].grpc);
    }
}

/* Another try helps against what passes by itself, and against nothing else. */
static void another_try_is_for_what_passes(void **state) {
    (void)state;
    assert_int_equal(status_map_retry_ms(STATUS_UNAVAILABLE), 1000);
    assert_int_equal(status_map_retry_ms(STATUS_RESOURCE_EXHAUSTED), 1000);
    assert_int_equal(status_map_retry_ms(STATUS_SWITCHED_OFF), 0);
    assert_int_equal(status_map_retry_ms(STATUS_TOO_LARGE), 0);
    assert_int_equal(status_map_retry_ms(STATUS_INVALID_ARGUMENT), 0);
    assert_int_equal(status_map_retry_ms(STATUS_UNAUTHENTICATED), 0);
    assert_int_equal(status_map_retry_ms(STATUS_OK), 0);
}

static void number_out_of_the_table_is_internal(void **state) {
    (void)state;
    assert_int_equal(status_map_http((enum status_code)1000), 500);
    assert_int_equal(status_map_grpc((enum status_code)1000), GRPC_INTERNAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_is_mapped),
        cmocka_unit_test(protocol_table_holds),
        cmocka_unit_test(another_try_is_for_what_passes),
        cmocka_unit_test(number_out_of_the_table_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
