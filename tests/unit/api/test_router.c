/* Which route a method and path find, and what they stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/router.h"

static struct arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_create(0);
    return arena ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    arena_destroy(arena);
    return 0;
}

static struct status match_in(unsigned classes, const char *method, const char *path, struct route_match *ret) {
    return router_match(api_routes, api_route_count, classes, slice_of(method), slice_of(path), arena, ret);
}

static struct status match(const char *method, const char *path, struct route_match *ret) {
    return match_in(API_ALL, method, path, ret);
}

static void assert_route(const char *method, const char *path, const char *pattern, const char *model,
                         int64_t version) {
    struct route_match found;
    struct status status = match(method, path, &found);
    assert_string_equal(status.message, "");
    assert_string_equal(found.route->pattern, pattern);
    assert_string_equal(found.route->method, method);
    assert_true(slice_equal_text(found.model, model));
    assert_int_equal(found.version, version);
}

static void paths_find_their_routes(void **state) {
    (void)state;
    assert_route("GET", "/v2", "/v2", "", -1);
    assert_route("GET", "/v2/health/live", "/v2/health/live", "", -1);
    assert_route("GET", "/v2/models/bert", "/v2/models/{model}", "bert", -1);
    assert_route("GET", "/v2/models/bert/versions/3", "/v2/models/{model}/versions/{version}", "bert", 3);
    assert_route("POST", "/v2/models/bert/infer", "/v2/models/{model}/infer", "bert", -1);
    assert_route("POST", "/v2/models/bert/versions/12/infer", "/v2/models/{model}/versions/{version}/infer", "bert",
                 12);
    assert_route("GET", "/v2/models/bert/versions/0/ready", "/v2/models/{model}/versions/{version}/ready", "bert", 0);
    assert_route("GET", "/metrics", "/metrics", "", -1);
}

static void stats_is_no_model(void **state) {
    (void)state;
    assert_route("GET", "/v2/models/stats", "/v2/models/stats", "", -1);
    assert_route("GET", "/v2/models/stats/stats", "/v2/models/{model}/stats", "stats", -1);
}

static void names_are_percent_decoded(void **state) {
    (void)state;
    assert_route("GET", "/v2/models/a%20b%2Fc", "/v2/models/{model}", "a b/c", -1);
    assert_route("GET", "/v2/models/%c3%A4", "/v2/models/{model}", "\xc3\xa4", -1);
    assert_route("GET", "/v2/models/100%25", "/v2/models/{model}", "100%", -1);
}

static void broken_percent_encoding_is_refused(void **state) {
    (void)state;
    static const char *const paths[] = {"/v2/models/a%", "/v2/models/a%2", "/v2/models/%zz", "/v2/models/%4g/infer"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct route_match found;
        struct status status = match(i == 3 ? "POST" : "GET", paths[i], &found);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "'%'"));
    }
}

static void other_paths_are_not_found(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/",
        "",
        "*",
        "v2",
        "/v2/",
        "//v2",
        "/v3",
        "/v2/models",
        "/v2/models/",
        "/v2/models//infer",
        "/v2/models/bert/",
        "/v2/models/bert/versions",
        "/v2/models/bert/versions/",
        "/v2/models/bert/versions/x",
        "/v2/models/bert/versions/-1",
        "/v2/models/bert/versions/+1",
        "/v2/models/bert/versions/99999999999999999999",
        "/v2/models/bert/infer/",
        "/v2/models/bert/unknown",
        "/v2/health",
        "/V2/health/live",
        "/metrics/",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct route_match found;
        struct status status = match("GET", paths[i], &found);
        assert_int_equal(status.code, STATUS_NOT_FOUND);
        assert_string_equal(status.message, "Not Found");
        assert_null(found.route);
        assert_null(found.allow);
    }
}

static void wrong_method_tells_the_right_ones(void **state) {
    (void)state;
    struct route_match found;
    struct status status = match("DELETE", "/v2/models/bert", &found);
    assert_int_equal(status.code, STATUS_METHOD_NOT_ALLOWED);
    assert_string_equal(found.allow, "GET");
    status = match("GET", "/v2/models/bert/infer", &found);
    assert_int_equal(status.code, STATUS_METHOD_NOT_ALLOWED);
    assert_string_equal(found.allow, "POST");
    status = match("get", "/v2", &found);
    assert_int_equal(status.code, STATUS_METHOD_NOT_ALLOWED);
}

static void allow_lists_every_method_once(void **state) {
    (void)state;
    static const struct route routes[] = {
        {"GET", "/a/{model}", API_METADATA, NULL},
        {"POST", "/a/{model}", API_METADATA, NULL},
        {"GET", "/a/b", API_METADATA, NULL},
    };
    struct route_match found;
    struct status status = router_match(routes, 3, API_ALL, slice_of("PUT"), slice_of("/a/b"), arena, &found);
    assert_int_equal(status.code, STATUS_METHOD_NOT_ALLOWED);
    assert_string_equal(found.allow, "GET, POST");
}

static void port_serves_only_its_classes(void **state) {
    (void)state;
    struct route_match found;
    struct status status = match_in(API_METRICS, "GET", "/metrics", &found);
    assert_int_equal(status.code, STATUS_OK);
    status = match_in(API_METRICS, "GET", "/v2/health/live", &found);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    status = match_in(API_METRICS, "DELETE", "/v2/models/bert", &found);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
}

/* No prefix of a path, and no path with a byte changed to '/', reads outside of it. */
static void any_cut_of_a_path_is_safe(void **state) {
    (void)state;
    static const char path[] = "/v2/models/b%41t/versions/123/infer";
    for (size_t size = 0; size < sizeof path; size++) {
        char *copy = test_malloc(size);
        memcpy(copy, path, size);
        struct route_match found;
        struct status status = router_match(api_routes, api_route_count, API_ALL, slice_of("POST"),
                                            (struct slice){copy, size}, arena, &found);
        if (size == sizeof path - 1)
            assert_int_equal(status.code, STATUS_OK);
        else
            assert_int_not_equal(status.code, STATUS_OK);
        test_free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths_find_their_routes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stats_is_no_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_percent_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_percent_encoding_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_paths_are_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_method_tells_the_right_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(allow_lists_every_method_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(port_serves_only_its_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_cut_of_a_path_is_safe, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
