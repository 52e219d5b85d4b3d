/* SQuAD files: what is read, and what is refused with which words. */
#include <stdio.h>

#include "squad_fixture.h"

static const char SMALL[] =
    "{\"version\": \"v2.0\", \"data\": [{\"title\": \"Norm\\u00e9\", \"paragraphs\": ["
    "{\"context\": \"One two.\", \"qas\": ["
    "{\"id\": \"a\", \"question\": \"Which?\", \"answers\": [{\"text\": \"One\", \"answer_start\": 0}, {\"text\": "
    "\"two\"}],"
    " \"is_impossible\": false},"
    "{\"id\": \"b\", \"question\": \"\", \"answers\": [], \"is_impossible\": true,"
    " \"plausible_answers\": [{\"text\": \"One\", \"answer_start\": 0}]}]},"
    "{\"context\": \"\\ud83d\\ude00\", \"qas\": [{\"id\": \"c\", \"question\": \"q\"}], \"other\": [1, {}]}]},"
    "{\"paragraphs\": []}]}";

static struct status parse(struct squad_fixture *f, const char *json) {
    return squad_dataset_parse(f->arena, slice_of(json), &f->dataset);
}

static void test_reads_all_there_is(void **state) {
    struct squad_fixture *f = *state;
    struct status status = parse(f, SMALL);
    assert_string_equal(status.message, "");
    const struct squad_dataset *d = &f->dataset;
    assert_true(slice_equal_text(d->version, "v2.0"));
    assert_true(d->version_2);
    assert_true(d->has_references);
    assert_int_equal(d->paragraph_count, 2);
    assert_int_equal(d->question_count, 3);
    assert_true(slice_equal_text(d->paragraphs[0].title, "Norm\xc3\xa9"));
    assert_true(slice_equal_text(d->paragraphs[0].context, "One two."));
    assert_int_equal(d->paragraphs[0].question_count, 2);
    assert_int_equal(d->paragraphs[1].first_question, 2);
    assert_true(slice_equal_text(d->paragraphs[1].context, "\xf0\x9f\x98\x80"));
    assert_int_equal(d->questions[0].answer_count, 2);
    assert_true(slice_equal_text(d->questions[0].answers[1], "two"));
    assert_false(d->questions[0].is_impossible);
    assert_true(d->questions[1].is_impossible);
    assert_int_equal(d->questions[1].answer_count, 0);
    assert_int_equal(d->questions[1].text.size, 0);
    assert_int_equal(d->questions[2].paragraph, 1);
    assert_int_equal(squad_dataset_find(d, slice_of("c")), 2);
    assert_int_equal(squad_dataset_find(d, slice_of("d")), SQUAD_NOT_FOUND);
    assert_int_equal(squad_dataset_find(d, slice_of("")), SQUAD_NOT_FOUND);
}

static void test_version_2_rules(void **state) {
    struct squad_fixture *f = *state;
    const struct {
        const char *json;
        bool version_2;
    } rows[] = {
        {"{\"data\": []}", false},
        {"{\"version\": \"1.1\", \"data\": []}", false},
        {"{\"version\": \"2.0\", \"data\": []}", true},
        {"{\"version\": \"v2.0\", \"data\": []}", true},
        {"{\"version\": \"2\", \"data\": []}", true},
        {"{\"version\": \"2.1-dev\", \"data\": []}", true},
        {"{\"version\": \"v2-dev\", \"data\": []}", true},
        {"{\"version\": \"\", \"data\": []}", false},
        {"{\"version\": \"2019-05-13\", \"data\": []}", false}, /* a date */
        {"{\"version\": \"v20\", \"data\": []}", false},
        {"{\"version\": \"v\", \"data\": []}", false},
        {"{\"data\": [{\"paragraphs\": [{\"context\": \"c\", \"qas\": "
         "[{\"id\": \"i\", \"question\": \"q\", \"is_impossible\": false}]}]}]}",
         true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = parse(f, rows[i].json);
        assert_string_equal(status.message, "");
        assert_int_equal(f->dataset.version_2, rows[i].version_2);
        assert_false(f->dataset.has_references);
        assert_int_equal(squad_dataset_find(&f->dataset, slice_of("x")), SQUAD_NOT_FOUND);
    }
}

#define PARAGRAPH(inside) "{\"data\": [{\"paragraphs\": [" inside "]}]}"
#define QAS(inside) PARAGRAPH("{\"context\": \"c\", \"qas\": [" inside "]}")

static void test_errors_name_the_place(void **state) {
    struct squad_fixture *f = *state;
    const struct {
        const char *json;
        const char *message;
    } rows[] = {
        {"", "not valid JSON: line 1, column 1"},
        {"{\"data\":\n  [}", "not valid JSON: line 2, column 4"},
        {"{\"data\": \"\xff\"}", "not valid JSON: line 1"},
        {"[]", "the document: expected an object with the member \"data\", got array"},
        {"{}", "data: expected an array, but it is missing"},
        {"{\"data\": {}}", "data: expected an array, got object"},
        {"{\"version\": 2, \"data\": []}", "version: expected a string, got uint"},
        {"{\"data\": [1]}", "data[0]: expected an object, got uint"},
        {"{\"data\": [{}]}", "data[0].paragraphs: expected an array, but it is missing"},
        {"{\"data\": [{\"title\": null, \"paragraphs\": []}]}", "data[0].title: expected a string, got null"},
        {PARAGRAPH("7"), "data[0].paragraphs[0]: expected an object"},
        {PARAGRAPH("{\"qas\": []}"), "data[0].paragraphs[0].context: expected a string, but it is missing"},
        {PARAGRAPH("{\"context\": \"c\"}"), "data[0].paragraphs[0].qas: expected an array, but it is missing"},
        {QAS("[]"), "data[0].paragraphs[0].qas[0]: expected an object, got array"},
        {QAS("{\"id\": 5, \"question\": \"q\"}"), "qas[0].id: expected a string, got uint"},
        {QAS("{\"id\": \"\", \"question\": \"q\"}"), "qas[0].id: expected a string that is not empty"},
        {QAS("{\"id\": \"x\"}"), "qas[0].question: expected a string, but it is missing"},
        {QAS("{\"id\": \"x\", \"question\": \"q\", \"is_impossible\": 0}"),
         "qas[0].is_impossible: expected true or false"},
        {QAS("{\"id\": \"x\", \"question\": \"q\", \"answers\": \"a\"}"),
         "qas[0].answers: expected an array, got string"},
        {QAS("{\"id\": \"x\", \"question\": \"q\", \"answers\": [\"a\"]}"), "qas[0].answers[0]: expected an object"},
        {QAS("{\"id\": \"x\", \"question\": \"q\", \"answers\": [{}]}"),
         "data[0].paragraphs[0].qas[0].answers[0].text: expected a string, but it is missing"},
        {QAS("{\"id\": \"x\", \"question\": \"q\"}, {\"id\": \"x\", \"question\": \"q\"}"),
         "data[0].paragraphs[0].qas[1].id: \"x\" stands in this file twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = parse(f, rows[i].json);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        if (!strstr(status.message, rows[i].message))
            assert_string_equal(status.message, rows[i].message);
    }
}

static void test_sizes_are_bounded(void **state) {
    struct squad_fixture *f = *state;
    const struct {
        const char *head;
        size_t size;
        const char *tail;
        const char *message;
    } rows[] = {
        {"{\"data\": [{\"paragraphs\": [{\"context\": \"", SQUAD_MAX_CONTEXT_BYTES + 1, "\", \"qas\": []}]}]}",
         "context: 16777217 bytes; the most is 16777216"},
        {"{\"data\": [{\"paragraphs\": [{\"context\": \"\", \"qas\": [{\"id\": \"", SQUAD_MAX_ID_BYTES + 1, "\"}]}]}]}",
         "id: 4097 bytes; the most is 4096"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf json = BUF_EMPTY;
        buf_append_text(&json, rows[i].head);
        char *fill = buf_reserve(&json, rows[i].size);
        memset(fill, 'x', rows[i].size);
        json.size += rows[i].size;
        buf_append_text(&json, rows[i].tail);
        struct status status = squad_dataset_parse(f->arena, buf_slice(&json), &f->dataset);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, rows[i].message));
        buf_free(&json);
    }
    struct status status =
        squad_dataset_parse(f->arena, (struct slice){"{}", (size_t)SQUAD_MAX_FILE_BYTES + 1}, &f->dataset);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
}

static void test_too_many_answers(void **state) {
    struct squad_fixture *f = *state;
    struct buf json = BUF_EMPTY;
    buf_append_text(&json,
                    "{\"data\": [{\"paragraphs\": [{\"context\": \"\", \"qas\": [{\"id\": \"i\", \"question\": \"q\", "
                    "\"answers\": [0");
    for (int i = 0; i < SQUAD_MAX_ANSWERS; i++)
        buf_append_text(&json, ",0");
    buf_append_text(&json, "]}]}]}]}");
    struct status status = squad_dataset_parse(f->arena, buf_slice(&json), &f->dataset);
    assert_non_null(strstr(status.message, "answers: 4097 answers; the most is 4096"));
    buf_free(&json);
}

static void test_truncated_at_every_byte(void **state) {
    struct squad_fixture *f = *state;
    for (size_t size = 0; size < sizeof SMALL - 1; size++) {
        char *exact = malloc(size ? size : 1);
        memcpy(exact, SMALL, size);
        struct status status = squad_dataset_parse(f->arena, (struct slice){exact, size}, &f->dataset);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        free(exact);
    }
}

static void test_every_byte_changed(void **state) {
    (void)state;
    for (size_t at = 0; at < sizeof SMALL - 1; at++) {
        const char replacements[] = {'0', '"', '{', ']', '\\', (char)0xff, ' '};
        for (size_t i = 0; i < sizeof replacements; i++) {
            struct arena *arena = arena_create(0);
            struct squad_dataset dataset;
            char *copy = malloc(sizeof SMALL - 1);
            memcpy(copy, SMALL, sizeof SMALL - 1);
            copy[at] = replacements[i];
            struct status status = squad_dataset_parse(arena, (struct slice){copy, sizeof SMALL - 1}, &dataset);
            assert_true(status_is_ok(&status) || status.code == STATUS_INVALID_ARGUMENT);
            free(copy); /* strings must not point into it */
            for (size_t q = 0; status_is_ok(&status) && q < dataset.question_count; q++)
                assert_int_equal(squad_dataset_find(&dataset, dataset.questions[q].id), q);
            arena_destroy(arena);
        }
    }
}

static void test_every_arena_limit(void **state) {
    (void)state;
    bool succeeded = false;
    for (size_t limit = 1; limit < 8192 && !succeeded; limit += 5) {
        struct arena *arena = arena_create(limit);
        struct squad_dataset dataset;
        struct status status = squad_dataset_parse(arena, slice_of(SMALL), &dataset);
        succeeded = status_is_ok(&status);
        assert_true(succeeded || status.code == STATUS_RESOURCE_EXHAUSTED);
        arena_destroy(arena);
    }
    assert_true(succeeded);
}

static void test_load_names_the_file(void **state) {
    struct squad_fixture *f = *state;
    struct status status = squad_dataset_load(f->arena, "models/minilm-squad/vocab.txt", &f->dataset);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "models/minilm-squad/vocab.txt: not valid JSON"));
    status = squad_dataset_load(f->arena, "no/such/file.json", &f->dataset);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SQUAD_TEST(test_reads_all_there_is),    SQUAD_TEST(test_version_2_rules),
        SQUAD_TEST(test_errors_name_the_place), SQUAD_TEST(test_sizes_are_bounded),
        SQUAD_TEST(test_too_many_answers),      SQUAD_TEST(test_truncated_at_every_byte),
        SQUAD_TEST(test_every_byte_changed),    SQUAD_TEST(test_every_arena_limit),
        SQUAD_TEST(test_load_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
