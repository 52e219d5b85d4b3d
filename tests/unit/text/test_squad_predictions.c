/* Reading predictions.json and null_odds.json. */
#include "squad_fixture.h"
#include "text/squad/squad_predictions.h"

static void given(struct squad_fixture *f) {
    squad_given(f, "text", "{\"id\": \"a\", \"question\": \"\"}, {\"id\": \"b\", \"question\": \"\"}");
}

static void test_predictions(void **state) {
    struct squad_fixture *f = *state;
    struct squad_predictions p;
    given(f);
    struct status status = squad_predictions_parse(
        f->arena, &f->dataset, SLICE_LITERAL("{\"b\": \"first\", \"zz\": \"x\", \"b\": \"caf\\u00e9\"}"), &p);
    assert_string_equal(status.message, "");
    assert_false(p.present[0]);
    assert_true(p.present[1]);
    assert_true(slice_equal_text(p.texts[1], "caf\xc3\xa9")); /* the last of equal ids, as in Python */
    assert_int_equal(p.unknown_count, 1);
    assert_null(p.null_odds);
}

static void test_null_odds(void **state) {
    struct squad_fixture *f = *state;
    struct squad_predictions p;
    given(f);
    struct status status =
        squad_predictions_parse(f->arena, &f->dataset, SLICE_LITERAL("{\"a\": \"\", \"b\": \"x\"}"), &p);
    assert_string_equal(status.message, "");
    assert_true(p.present[0]);
    status = squad_predictions_parse_null_odds(f->arena, &f->dataset,
                                               SLICE_LITERAL("{\"b\": 1, \"?\": 0, \"a\": -2.5, \"b\": 3e2}"), &p);
    assert_string_equal(status.message, "");
    assert_true(p.null_odds[0] == -2.5 && p.null_odds[1] == 300);
    assert_true(p.null_order[1] < p.null_order[0]);
}

static void test_errors(void **state) {
    struct squad_fixture *f = *state;
    struct squad_predictions p;
    given(f);
    const struct {
        const char *json;
        const char *message;
    } rows[] = {
        {"", "not valid JSON"},
        {"[]", "the document: expected an object {id: text}, got array"},
        {"{\"a\": 1}", "predictions[\"a\"]: expected a string, got uint"},
        {"{\"zz\": null}", "predictions[\"zz\"]: expected a string, got null"},
        {"{\"a\": \"x\"", "not valid JSON: line 1, column 10"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = squad_predictions_parse(f->arena, &f->dataset, slice_of(rows[i].json), &p);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, rows[i].message));
    }
    struct status status = squad_predictions_parse(f->arena, &f->dataset, SLICE_LITERAL("{\"b\": \"x\"}"), &p);
    assert_string_equal(status.message, "");
    status = squad_predictions_parse_null_odds(f->arena, &f->dataset, SLICE_LITERAL("{\"b\": \"1\"}"), &p);
    assert_non_null(strstr(status.message, "null_odds[\"b\"]: expected a number, got string"));
    status = squad_predictions_parse_null_odds(f->arena, &f->dataset, SLICE_LITERAL("7"), &p);
    assert_non_null(strstr(status.message, "expected an object {id: number}"));
    status = squad_predictions_parse_null_odds(f->arena, &f->dataset, SLICE_LITERAL("{\"a\": 1}"), &p);
    assert_int_equal(status.code, STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(status.message, "no entry for question b"));
    assert_null(p.null_odds); /* untouched by failures */
}

static void test_every_arena_limit(void **state) {
    struct squad_fixture *f = *state;
    given(f);
    bool succeeded = false;
    for (size_t limit = 1; limit < 2048 && !succeeded; limit++) {
        struct arena *arena = arena_create(limit);
        struct squad_predictions p;
        struct status status =
            squad_predictions_parse(arena, &f->dataset, SLICE_LITERAL("{\"a\": \"xyz\", \"b\": \"\"}"), &p);
        if (status_is_ok(&status))
            status = squad_predictions_parse_null_odds(arena, &f->dataset, SLICE_LITERAL("{\"a\": 1, \"b\": 2}"), &p);
        succeeded = status_is_ok(&status);
        assert_true(succeeded || status.code == STATUS_RESOURCE_EXHAUSTED);
        arena_destroy(arena);
    }
    assert_true(succeeded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SQUAD_TEST(test_predictions),
        SQUAD_TEST(test_null_odds),
        SQUAD_TEST(test_errors),
        SQUAD_TEST(test_every_arena_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
