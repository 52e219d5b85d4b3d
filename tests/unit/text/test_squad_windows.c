/* Windows: their layout, the token counts of SQuAD, and settings that cannot work. */
#include <stdio.h>

#include "base/file.h"
#include "squad_fixture.h"

static const char QUESTION[] = "{\"id\": \"a\", \"question\": \"which one ?\"}"; /* 3 tokens */

static void check_layout(const struct squad_fixture *f, const char *want) {
    struct buf got = BUF_EMPTY;
    for (size_t i = 0; i < f->windows.window_count; i++)
        buf_printf(&got, "%s%u+%u", i ? " " : "", f->windows.windows[i].context_begin,
                   f->windows.windows[i].context_count);
    buf_append_char(&got, '\0');
    assert_string_equal(got.data, want);
    buf_free(&got);
}

static void test_layout(void **state) {
    struct squad_fixture *f = *state;
    const struct {
        uint32_t length, stride;
        const char *want;
    } rows[] = {
        {16, 8, "0+10"},        /* all ten tokens fit exactly */
        {15, 8, "0+9 8+2"},     /* one does not */
        {11, 3, "0+5 3+5 6+4"}, /* the last is short */
        {11, 5, "0+5 5+5"},     /* side by side */
        {11, 400, "0+5 5+5"},   /* a stride beyond the window loses nothing */
        {8, 1, "0+2 1+2 2+2 3+2 4+2 5+2 6+2 7+2 8+2"},
        {7, 1, "0+1 1+1 2+1 3+1 4+1 5+1 6+1 7+1 8+1 9+1"},
    };
    squad_given(f, "one two three four five six seven eight nine ten", QUESTION);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = squad_make_windows(f, rows[i].length, rows[i].stride, 3);
        assert_string_equal(status.message, "");
        check_layout(f, rows[i].want);
        assert_true(f->windows.longest <= rows[i].length);
    }
}

static void test_fill(void **state) {
    struct squad_fixture *f = *state;
    squad_given(f, "one two three", QUESTION);
    struct status status = squad_make_windows(f, 384, 128, 2); /* the question mark is cut */
    assert_string_equal(status.message, "");
    const struct squad_window *window = &f->windows.windows[0];
    assert_int_equal(squad_window_size(window), 8);
    assert_int_equal(squad_window_context_offset(window), 4);
    assert_int_equal(f->windows.token_count, 8);
    int32_t ids[8], segments[8];
    squad_window_fill(&f->windows, window, ids, segments);
    const int32_t want_ids[] = {101, 2029, 2028, 102, 2028, 2048, 2093, 102},
                  want_segments[] = {0, 0, 0, 0, 1, 1, 1, 1};
    assert_memory_equal(ids, want_ids, sizeof ids);
    assert_memory_equal(segments, want_segments, sizeof segments);
    assert_int_equal(window->context[1].begin, 4);
    assert_int_equal(window->context[1].end, 7);
}

static void test_max_context(void **state) {
    struct squad_fixture *f = *state;
    squad_given(f, "one two three four five six seven eight nine ten", QUESTION);
    struct status status = squad_make_windows(f, 11, 3, 3); /* 0+5 3+5 6+4 */
    assert_string_equal(status.message, "");
    /* Token 3 stands at the right of window 0 (1 to its right) and at the left edge of window 1: window 0 has it. Token
     * 4 is 4 and 0 in window 0, 1 and 3 in window 1. Token 6 is 3 and 1 in window 1, 0 and 3 in window 2. */
    const char *const want[] = {"11110", "01110", "0111"};
    for (size_t w = 0; w < 3; w++)
        for (uint32_t i = 0; i < f->windows.windows[w].context_count; i++)
            assert_int_equal(squad_window_is_max_context(&f->windows, &f->windows.windows[w], i), want[w][i] == '1');
}

/* Of windows that show a token equally well it is the first one's. */
static void test_max_context_of_equals(void **state) {
    struct squad_fixture *f = *state;
    squad_given(f, "one two three four five six seven eight nine ten", QUESTION);
    struct status status = squad_make_windows(f, 11, 2, 3);
    assert_string_equal(status.message, "");
    check_layout(f, "0+5 2+5 4+5 6+4");
    /* Token 3 has 1 to its right in window 0 and 1 to its left in window 1; so has token 5 in windows 1 and 2. */
    const char *const want[] = {"11110", "00110", "00110", "0011"};
    for (size_t w = 0; w < 4; w++)
        for (uint32_t i = 0; i < f->windows.windows[w].context_count; i++)
            assert_int_equal(squad_window_is_max_context(&f->windows, &f->windows.windows[w], i), want[w][i] == '1');
}

static void test_as_many_windows_as_are_allowed(void **state) {
    struct squad_fixture *f = *state;
    struct vocab *vocab;
    struct squad_window_config config = {11, 2, 3, 4};
    squad_given(f, "one two three four five six seven eight nine ten", QUESTION);
    struct status status = vocab_open_embedded(f->arena, &vocab);
    assert_string_equal(status.message, "");
    const struct wordpiece tokenizer = {vocab, NORMALIZER_UNCASED};
    status = squad_windows_create(f->arena, &tokenizer, &config, &f->dataset, &f->windows);
    assert_string_equal(status.message, "");
    assert_int_equal(f->windows.window_count, 4);
    config.max_windows = 3;
    status = squad_windows_create(f->arena, &tokenizer, &config, &f->dataset, &f->windows);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
    assert_non_null(strstr(status.message, "more than 3 windows"));
}

static void test_empty_texts(void **state) {
    struct squad_fixture *f = *state;
    squad_given(f, " ", "{\"id\": \"a\", \"question\": \"\"}, {\"id\": \"b\", \"question\": \"x\"}");
    struct status status = squad_make_windows(f, 384, 128, 64);
    assert_string_equal(status.message, "");
    check_layout(f, "0+0 0+0");
    assert_int_equal(squad_window_size(&f->windows.windows[0]), 3);
    assert_int_equal(f->windows.token_count, 7);
}

static void test_no_questions(void **state) {
    struct squad_fixture *f = *state;
    squad_given(f, "text", "");
    struct status status = squad_make_windows(f, 384, 128, 64);
    assert_string_equal(status.message, "");
    assert_int_equal(f->windows.window_count, 0);
    assert_int_equal(f->windows.first_window[0], 0);
}

static void test_settings_that_cannot_work(void **state) {
    struct squad_fixture *f = *state;
    const struct {
        uint32_t length, stride, query;
        const char *message;
    } rows[] = {
        {384, 0, 64, "doc_stride 0"},
        {384, 128, 0, "max_query_length 0"},
        {384, 128, UINT32_MAX, "max_query_length 4294967295"},
        {67, 128, 64, "max_seq_length 67 leaves no room for the paragraph"},
        {0, 128, 64, "max_seq_length 0 leaves no room"},
        {65537, 128, 64, "max_seq_length 65537: the most is 65536"},
    };
    squad_given(f, "text", QUESTION);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = squad_make_windows(f, rows[i].length, rows[i].stride, rows[i].query);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, rows[i].message));
    }
}

static void test_too_many_windows(void **state) {
    struct squad_fixture *f = *state;
    struct buf json = BUF_EMPTY;
    buf_append_text(&json, "{\"data\": [{\"paragraphs\": [{\"context\": \"");
    for (int i = 0; i < 20000; i++)
        buf_append_text(&json, "a ");
    buf_append_text(&json, "\", \"qas\": [");
    for (int i = 0; i < 1000; i++)
        buf_printf(&json, "%s{\"id\": \"%d\", \"question\": \"\"}", i ? "," : "", i);
    buf_append_text(&json, "]}]}]}");
    struct status status = squad_dataset_parse(f->arena, buf_slice(&json), &f->dataset);
    assert_string_equal(status.message, "");
    status = squad_make_windows(f, 5, 1, 1);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
    assert_non_null(strstr(status.message, "more than 16777216 windows"));
    buf_free(&json);
}

/* The published counts for the recipe's settings. */
static void test_counts_of_squad(void **state) {
    struct squad_fixture *f = *state;
    const struct {
        const char *path;
        size_t windows;
        uint64_t tokens; /* 0: not published */
    } rows[] = {{"../shared/data/squad/heldout-v1.1.json.gz", 1945, 331269},
                {"../shared/data/squad/dev-v1.1.json.gz", 10833, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!file_exists(rows[i].path)) {
            print_message("%s is not there: skipped\n", rows[i].path);
            skip();
        }
        struct status status = squad_dataset_load(f->arena, rows[i].path, &f->dataset);
        assert_string_equal(status.message, "");
        status = squad_make_windows(f, 384, 128, 64);
        assert_string_equal(status.message, "");
        assert_int_equal(f->windows.window_count, rows[i].windows);
        assert_int_equal(f->windows.longest, 384);
        if (rows[i].tokens)
            assert_int_equal(f->windows.token_count, rows[i].tokens);
    }
}

static void test_every_arena_limit(void **state) {
    struct squad_fixture *f = *state;
    squad_given(f, "one two three four five six seven eight nine ten", QUESTION);
    struct vocab *vocab;
    struct status status = vocab_open_embedded(f->arena, &vocab);
    assert_string_equal(status.message, "");
    const struct squad_window_config config = {11, 3, 3, 0};
    bool succeeded = false;
    for (size_t limit = 1; limit < 8192 && !succeeded; limit += 5) {
        struct arena *arena = arena_create(limit);
        status = squad_windows_create(arena, &(struct wordpiece){vocab, NORMALIZER_UNCASED}, &config, &f->dataset,
                                      &f->windows);
        succeeded = status_is_ok(&status);
        assert_true(succeeded || status.code == STATUS_RESOURCE_EXHAUSTED);
        arena_destroy(arena);
    }
    assert_true(succeeded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SQUAD_TEST(test_layout),
        SQUAD_TEST(test_fill),
        SQUAD_TEST(test_max_context),
        SQUAD_TEST(test_max_context_of_equals),
        SQUAD_TEST(test_as_many_windows_as_are_allowed),
        SQUAD_TEST(test_empty_texts),
        SQUAD_TEST(test_no_questions),
        SQUAD_TEST(test_settings_that_cannot_work),
        SQUAD_TEST(test_too_many_windows),
        SQUAD_TEST(test_counts_of_squad),
        SQUAD_TEST(test_every_arena_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
