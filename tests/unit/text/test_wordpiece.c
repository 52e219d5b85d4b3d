/* WordPiece: pieces, unknown words, offsets (tests/text compares whole corpora with the oracle). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/wordpiece.h"

struct fixture {
    struct arena *arena;
    struct wordpiece tokenizer;
    struct wordpiece_tokens tokens;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct vocab *vocab;
    f->arena = arena_create(0);
    struct status status = vocab_open_embedded(f->arena, &vocab);
    assert_string_equal(status.message, "");
    f->tokenizer = (struct wordpiece){vocab, NORMALIZER_UNCASED};
    f->tokens = WORDPIECE_TOKENS_EMPTY;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    wordpiece_tokens_free(&f->tokens);
    arena_destroy(f->arena);
    free(f);
    return 0;
}

/* "token@begin-end token@begin-end ..." */
static void check(struct fixture *f, const char *text, const char *want) {
    struct buf got = BUF_EMPTY;
    f->tokens.count = 0;
    struct status status = wordpiece_tokenize(&f->tokenizer, slice_of(text), &f->tokens);
    assert_string_equal(status.message, "");
    for (size_t i = 0; i < f->tokens.count; i++) {
        const struct wordpiece_token *token = &f->tokens.items[i];
        buf_printf(&got, "%s%.*s@%u-%u", i ? " " : "", SLICE_ARGS(vocab_token(f->tokenizer.vocab, token->id)),
                   token->begin, token->end);
    }
    buf_append_char(&got, '\0');
    assert_string_equal(got.data, want);
    buf_free(&got);
}

static void test_pieces(void **state) {
    struct fixture *f = *state;
    check(f, "", "");
    check(f, "unaffable", "una@0-3 ##ffa@3-6 ##ble@6-9");
    check(f, "The Amaz\xc3\xb4nia's", "the@0-3 amazon@4-11 ##ia@11-13 '@13-14 s@14-15");
    check(f, "\xe4\xb8\xad \xf0\x9f\x98\x80x", "\xe4\xb8\xad@0-3 [UNK]@4-9");
    check(f, "[SEP]", "[@0-1 sep@1-4 ]@4-5"); /* no way to forge a separator */
    check(f, "##ing", "#@0-1 #@1-2 ing@2-5");
    f->tokenizer.options = NORMALIZER_CASED;
    check(f, "The", "[UNK]@0-3"); /* this vocabulary has no capitals */
    check(f, "the caf\xc3\xa9", "the@0-3 [UNK]@4-9");
    f->tokenizer.options = (struct normalizer_options){.lowercase = true};
    check(f, "The CAF\xc3\x89", "the@0-3 [UNK]@4-9"); /* nor any accents */
    check(f, "\xe4\xb8\xad\xe4\xb8\x80", "\xe4\xb8\xad@0-3 ##\xe4\xb8\x80@3-6");
    f->tokenizer.options = (struct normalizer_options){.strip_accents = true, .split_cjk = true};
    check(f, "The caf\xc3\xa9", "[UNK]@0-3 cafe@4-9");
    check(f, "\xe4\xb8\xad\xe4\xb8\x80", "\xe4\xb8\xad@0-3 \xe4\xb8\x80@3-6");
}

static void test_appending_and_reuse(void **state) {
    struct fixture *f = *state;
    check(f, "one two", "one@0-3 two@4-7");
    struct status status = wordpiece_tokenize(&f->tokenizer, slice_of("three"), &f->tokens);
    assert_string_equal(status.message, "");
    assert_int_equal(f->tokens.count, 3);
    assert_int_equal(f->tokens.items[2].begin, 0); /* offsets are those of the second text */
    for (size_t i = 0; i < 5000; i++) {
        status = wordpiece_tokenize(&f->tokenizer, slice_of("a b"), &f->tokens);
        assert_string_equal(status.message, "");
    }
    assert_int_equal(f->tokens.count, 10003);
}

static void test_word_length_limit(void **state) {
    struct fixture *f = *state;
    char text[102];
    memset(text, 'a', sizeof text);
    text[100] = '\0';
    struct status status = wordpiece_tokenize(&f->tokenizer, slice_of(text), &f->tokens);
    assert_string_equal(status.message, "");
    assert_true(f->tokens.count > 1);
    assert_int_equal(f->tokens.items[f->tokens.count - 1].end, 100);
    text[100] = 'a';
    text[101] = '\0';
    check(f, text, "[UNK]@0-101");
}

static void test_text_too_large(void **state) {
    struct fixture *f = *state;
    /* The size alone is refused; the bytes are never looked at. */
    struct status status = wordpiece_tokenize(&f->tokenizer, (struct slice){"x", UINT32_MAX}, &f->tokens);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
    assert_int_equal(f->tokens.count, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pieces),
        TEST(test_appending_and_reuse),
        TEST(test_word_length_limit),
        TEST(test_text_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
