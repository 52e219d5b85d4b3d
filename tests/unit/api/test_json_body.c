/* Bodies that are one JSON object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/json_body.h"

static void an_empty_body_is_an_object_without_members(void **state) {
    (void)state;
    static const char *const bodies[] = {"", " \r\n\t", "{}", " { } "};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        yyjson_doc *doc;
        yyjson_val *object;
        struct status status = json_body_read(slice_of(bodies[i]), &doc, &object);
        assert_string_equal(status.message, "");
        assert_true(yyjson_is_obj(object));
        assert_int_equal(yyjson_obj_size(object), 0);
        yyjson_doc_free(doc);
    }
}

static void other_bodies_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *body, *part;
    } cases[] = {{"[]", "request: expected an object, got an array"},
                 {"{", "the request is not JSON: byte 1 of 1"},
                 {"null", "expected an object"},
                 {"{} x", "not JSON: byte 3 of 4"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        yyjson_doc *doc;
        yyjson_val *object;
        struct status status = json_body_read(slice_of(cases[i].body), &doc, &object);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, cases[i].part));
        yyjson_doc_free(doc);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_body_is_an_object_without_members),
        cmocka_unit_test(other_bodies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
