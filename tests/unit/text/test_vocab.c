/* Vocabularies: lines, duplicates, special tokens, prefixes, the hash, and files that are no vocabulary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/vocab.h"

#define SPECIAL "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"

struct fixture {
    struct arena *arena;
    struct vocab *vocab;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->arena = arena_create(0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    arena_destroy(f->arena);
    free(f);
    return 0;
}

static void parse(struct fixture *f, const char *text) {
    struct status status = vocab_parse(f->arena, slice_of(text), &f->vocab);
    assert_string_equal(status.message, "");
}

static int32_t find(const struct fixture *f, const char *token) {
    return vocab_find(f->vocab, slice_of(token));
}

static void test_lines_are_ids(void **state) {
    struct fixture *f = *state;
    parse(f, SPECIAL "[MASK]\nthe\n##s\ncaf\xc3\xa9");
    assert_int_equal(vocab_size(f->vocab), 8);
    assert_int_equal(find(f, "the"), 5);
    assert_int_equal(find(f, "##s"), 6);
    assert_int_equal(find(f, "caf\xc3\xa9"), 7);
    assert_int_equal(find(f, "s"), VOCAB_NOT_FOUND);
    assert_int_equal(find(f, ""), VOCAB_NOT_FOUND);
    struct vocab_special special = vocab_special(f->vocab);
    assert_int_equal(special.pad, 0);
    assert_int_equal(special.unk, 1);
    assert_int_equal(special.cls, 2);
    assert_int_equal(special.sep, 3);
    assert_int_equal(special.mask, 4);
    assert_true(slice_equal_text(vocab_token(f->vocab, 6), "##s"));
    assert_int_equal(vocab_token(f->vocab, -1).size, 0);
    assert_int_equal(vocab_token(f->vocab, 8).size, 0);
}

static void test_blanks_duplicates_and_line_ends(void **state) {
    struct fixture *f = *state;
    parse(f, "[PAD]\r\n[UNK] \t\r\n\n[CLS]\n[SEP]\na\nb\na\xe3\x80\x80\n\n \n");
    assert_int_equal(vocab_size(f->vocab), 8); /* the blank line keeps its id; those at the end are dropped */
    assert_int_equal(find(f, "[UNK]"), 1);
    assert_int_equal(find(f, "[CLS]"), 3);
    assert_int_equal(find(f, "b"), 6);
    assert_int_equal(find(f, "a"), 7); /* the last of equal ones */
    assert_int_equal(vocab_token(f->vocab, 2).size, 0);
    assert_int_equal(vocab_special(f->vocab).mask, VOCAB_NOT_FOUND);
}

static void test_longest_prefix(void **state) {
    struct fixture *f = *state;
    parse(f, SPECIAL "un\nunder\n##stand\n##s\n##\nuu\n#\n##\xc3\xa9");
    size_t size = 77;
    assert_int_equal(vocab_longest_prefix(f->vocab, false, SLICE_LITERAL("understand"), &size), 5);
    assert_int_equal(size, 5);
    assert_int_equal(vocab_longest_prefix(f->vocab, false, SLICE_LITERAL("unde"), &size), 4);
    assert_int_equal(size, 2);
    assert_int_equal(vocab_longest_prefix(f->vocab, true, SLICE_LITERAL("stands"), &size), 6);
    assert_int_equal(size, 5);
    assert_int_equal(vocab_longest_prefix(f->vocab, true, SLICE_LITERAL("sx"), &size), 7);
    assert_int_equal(size, 1);
    assert_int_equal(vocab_longest_prefix(f->vocab, true, SLICE_LITERAL("\xc3\xa9"), &size), 11);
    assert_int_equal(size, 2);
    /* "##" alone would cover nothing: it is never a continuation, only a word. */
    size = 77;
    assert_int_equal(vocab_longest_prefix(f->vocab, true, SLICE_LITERAL("x"), &size), VOCAB_NOT_FOUND);
    assert_int_equal(vocab_longest_prefix(f->vocab, true, SLICE_LITERAL(""), &size), VOCAB_NOT_FOUND);
    assert_int_equal(size, 77);
    assert_int_equal(vocab_longest_prefix(f->vocab, false, SLICE_LITERAL("##x"), &size), 8);
    assert_int_equal(size, 2);
}

static void test_tokens_longer_than_any_word(void **state) {
    struct fixture *f = *state;
    struct buf text = BUF_EMPTY;
    buf_append_text(&text, SPECIAL "##");
    for (int i = 0; i < 400; i++)
        buf_append_char(&text, 'y');
    buf_append_text(&text, "\n");
    for (int i = 0; i < 401; i++)
        buf_append_char(&text, 'y');
    struct status status = vocab_parse(f->arena, buf_slice(&text), &f->vocab);
    assert_string_equal(status.message, "");
    struct slice word = {text.data + text.size - 401, 401};
    size_t size;
    assert_int_equal(vocab_longest_prefix(f->vocab, true, word, &size), 4);
    assert_int_equal(size, 400);
    assert_int_equal(vocab_longest_prefix(f->vocab, false, word, &size), VOCAB_NOT_FOUND);
    assert_int_equal(vocab_find(f->vocab, word), 5);
    buf_free(&text);
}

static uint64_t hash_of(const char *text) {
    struct arena *arena = arena_create(0);
    struct vocab *vocab;
    struct status status = vocab_parse(arena, slice_of(text), &vocab);
    assert_string_equal(status.message, "");
    uint64_t hash = vocab_hash(vocab);
    arena_destroy(arena);
    return hash;
}

static void test_hash(void **state) {
    struct fixture *f = *state;
    /* FNV-1a of the bytes themselves, computed by its definition. */
    uint64_t want = UINT64_C(14695981039346656037);
    for (const char *c = SPECIAL; *c; c++)
        want = (want ^ (unsigned char)*c) * UINT64_C(1099511628211);
    assert_true(hash_of(SPECIAL) == want);
    assert_true(hash_of("[PAD]\r\n[UNK] \r\n[CLS]\r\n[SEP]\r\n\r\n") == want);
    assert_true(hash_of("[UNK]\n[PAD]\n[CLS]\n[SEP]\n") != want);
    assert_true(hash_of(SPECIAL "x") != want);
    parse(f, SPECIAL);
    char text[VOCAB_HASH_TEXT_SIZE], expected[32];
    vocab_hash_text(f->vocab, text);
    snprintf(expected, sizeof expected, "%016llx", (unsigned long long)want);
    assert_string_equal(text, expected);
}

static void test_embedded(void **state) {
    struct fixture *f = *state;
    struct status status = vocab_open_embedded(f->arena, &f->vocab);
    assert_string_equal(status.message, "");
    assert_int_equal(vocab_size(f->vocab), 30522);
    assert_int_equal(find(f, "[CLS]"), 101);
    assert_int_equal(find(f, "##ing"), 2075);
    uint64_t hash = vocab_hash(f->vocab);
    status = vocab_load(f->arena, "models/minilm-squad/vocab.txt", &f->vocab);
    assert_string_equal(status.message, "");
    assert_true(vocab_hash(f->vocab) == hash);
    for (size_t id = 0; id < vocab_size(f->vocab); id++)
        assert_int_equal(vocab_find(f->vocab, vocab_token(f->vocab, (int32_t)id)), id);
}

static void test_errors(void **state) {
    struct fixture *f = *state;
    static char overlong[5000];
    memset(overlong, 'x', sizeof overlong - 1);
    memcpy(overlong, SPECIAL, sizeof SPECIAL - 1);
    const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"", "no line holds the token [PAD]"},
        {"[PAD]\n[UNK]\n[CLS]\n", "no line holds the token [SEP]"},
        {"[PAD]\n[UNK]\n[SEP]\nx[CLS]\n", "no line holds the token [CLS]"},
        {SPECIAL "ok\nbad\xff\n", "line 6: the token is not valid UTF-8"},
        {overlong, "line 5: a token of 4975 bytes; the most is 4096"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = vocab_parse(f->arena, slice_of(rows[i].text), &f->vocab);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, rows[i].message));
    }
    struct status status = vocab_load(f->arena, "tests/no-such-vocab.txt", &f->vocab);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_non_null(strstr(status.message, "tests/no-such-vocab.txt"));
    assert_null(f->vocab);
}

static void test_too_many_lines(void **state) {
    struct fixture *f = *state;
    struct buf text = BUF_EMPTY;
    buf_append_text(&text, SPECIAL);
    for (int i = 4; i < VOCAB_MAX_TOKENS; i++)
        buf_append_char(&text, '\n');
    buf_append_text(&text, "x\n");
    struct status status = vocab_parse(f->arena, buf_slice(&text), &f->vocab);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "more than 4194304 lines"));
    buf_free(&text);
}

static void test_every_arena_limit(void **state) {
    (void)state;
    bool succeeded = false;
    for (size_t limit = 1; limit < 4096 && !succeeded; limit += 7) {
        struct arena *arena = arena_create(limit);
        struct vocab *vocab;
        struct status status = vocab_parse(arena, slice_of(SPECIAL "a\nb\n"), &vocab);
        succeeded = status_is_ok(&status);
        assert_true(succeeded || status.code == STATUS_RESOURCE_EXHAUSTED);
        arena_destroy(arena);
    }
    assert_true(succeeded);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lines_are_ids),
        TEST(test_blanks_duplicates_and_line_ends),
        TEST(test_longest_prefix),
        TEST(test_tokens_longer_than_any_word),
        TEST(test_hash),
        TEST(test_embedded),
        TEST(test_errors),
        TEST(test_too_many_lines),
        TEST(test_every_arena_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
