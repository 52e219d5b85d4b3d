#include "text/wordpiece.h"

#include <stdlib.h>

#include "text/normalize.h"

_Static_assert((int)WORDPIECE_MAX_WORD_CHARS == (int)NORMALIZE_MAX_WORD_CHARS,
               "a word that is kept whole can be split");

void wordpiece_tokens_free(struct wordpiece_tokens *tokens) {
    free(tokens->items);
    *tokens = WORDPIECE_TOKENS_EMPTY;
}

static bool reserve(struct wordpiece_tokens *tokens, size_t more) {
    if (tokens->capacity - tokens->count >= more)
        return true;
    size_t capacity = tokens->capacity ? tokens->capacity : 256, bytes;
    while (capacity - tokens->count < more)
        if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
            return false;
    if (__builtin_mul_overflow(capacity, sizeof *tokens->items, &bytes))
        return false;
    struct wordpiece_token *grown = realloc(tokens->items, bytes);
    if (!grown)
        return false;
    tokens->items = grown;
    tokens->capacity = capacity;
    return true;
}

/* Greedy longest match first. Appends the word's pieces; false, with nothing appended, when they do not cover it. */
static bool split_word(const struct vocab *vocab, const struct normalized_word *word, struct wordpiece_tokens *tokens) {
    size_t at = 0, first_char = 0, start = tokens->count;
    while (at < word->text_size) {
        size_t size;
        int32_t id = vocab_longest_prefix(vocab, at > 0, (struct slice){word->text + at, word->text_size - at}, &size);
        if (id == VOCAB_NOT_FOUND) {
            tokens->count = start;
            return false;
        }
        size_t chars = utf8_count((struct slice){word->text + at, size});
        tokens->items[tokens->count++] = (struct wordpiece_token){
            .id = id, .begin = word->chars[first_char].begin, .end = word->chars[first_char + chars - 1].end};
        first_char += chars;
        at += size;
    }
    return true;
}

struct status wordpiece_tokenize(const struct wordpiece *tokenizer, struct slice text,
                                 struct wordpiece_tokens *tokens) {
    if (text.size >= UINT32_MAX)
        return status_error(STATUS_TOO_LARGE, "tokenizer: a text of %zu bytes; the most is %u", text.size,
                            UINT32_MAX - 1);
    struct normalizer normalizer;
    struct normalized_word word;
    normalizer_init(&normalizer, text, tokenizer->options);
    while (normalizer_next_word(&normalizer, &word)) {
        if (!reserve(tokens, WORDPIECE_MAX_WORD_CHARS))
            return status_error(STATUS_RESOURCE_EXHAUSTED, "tokenizer: out of memory");
        if (word.char_count > WORDPIECE_MAX_WORD_CHARS || !split_word(tokenizer->vocab, &word, tokens))
            tokens->items[tokens->count++] = (struct wordpiece_token){
                .id = vocab_special(tokenizer->vocab).unk, .begin = word.begin, .end = word.end};
    }
    return status_ok();
}
