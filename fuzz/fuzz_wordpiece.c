/* WordPiece with the embedded vocabulary. Input: a bit for each of the options, then the text.
 * Holds: ids exist, places lie in the text, in order, at borders of characters, and a text gives the same tokens when
 * the list is used again. Characters stay what they are where neither case nor accents are changed, and a CJK ideograph
 * that is set apart is alone in its word. */
#include "fuzz.h"
#include "text/normalize.h"
#include "text/wordpiece.h"

static bool at_border(struct slice text, uint32_t at) {
    /* A continuation byte of broken UTF-8 is a character of its own, so only borders of valid text can be told. */
    return at == 0 || at >= text.size || ((unsigned char)text.data[at] & 0xC0) != 0x80 || !slice_is_utf8(text);
}

static void check_tokens(const struct vocab *vocab, struct slice text, const struct wordpiece_tokens *tokens) {
    uint32_t previous = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        const struct wordpiece_token *token = &tokens->items[i];
        FUZZ_CHECK(token->id >= 0 && (size_t)token->id < vocab_size(vocab));
        FUZZ_CHECK(vocab_token(vocab, token->id).size > 0);
        FUZZ_CHECK(token->begin <= token->end && token->end <= text.size);
        FUZZ_CHECK(token->begin >= previous);
        FUZZ_CHECK(at_border(text, token->begin) && at_border(text, token->end));
        previous = token->begin;
    }
}

static void check_words(struct slice text, struct normalizer_options options) {
    struct normalizer normalizer;
    struct normalized_word word;
    normalizer_init(&normalizer, text, options);
    while (normalizer_next_word(&normalizer, &word))
        for (size_t i = 0; i < word.char_count && i < NORMALIZE_MAX_WORD_CHARS; i++) {
            const struct normalized_char *c = &word.chars[i];
            uint32_t original;
            size_t size = utf8_decode((struct slice){text.data + c->begin, text.size - c->begin}, &original);
            FUZZ_CHECK(c->end == c->begin + size);
            FUZZ_CHECK(options.lowercase || options.strip_accents || c->code_point == original);
            FUZZ_CHECK(!options.split_cjk || !(unicode_flags(original) & UNICODE_CJK) || word.char_count == 1);
        }
}

static const struct vocab *the_vocab(void) {
    static struct vocab *vocab; /* parsing it takes longer than thousands of runs */
    if (!vocab) {
        static struct arena *arena;
        arena = fuzz_arena(0);
        struct status status = vocab_open_embedded(arena, &vocab);
        FUZZ_CHECK(status_is_ok(&status));
    }
    return vocab;
}

/* 1 is uncased, 0 cased: the two that most models have, in which the last two bits are 0. */
static struct normalizer_options options_of(uint8_t bits) {
    bool lowercase = bits & 1;
    return (struct normalizer_options){lowercase, lowercase != !!(bits & 2), !(bits & 4)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    struct wordpiece tokenizer = {the_vocab(), options_of(fuzz_byte(&input))};
    struct slice rest = fuzz_rest(&input);
    struct slice text = {fuzz_copy(rest), rest.size};
    struct wordpiece_tokens tokens = WORDPIECE_TOKENS_EMPTY, again = WORDPIECE_TOKENS_EMPTY;
    struct status status = wordpiece_tokenize(&tokenizer, text, &tokens);
    FUZZ_CHECK(status_is_ok(&status));
    check_tokens(tokenizer.vocab, text, &tokens);
    check_words(text, tokenizer.options);
    for (int round = 0; round < 2; round++) {
        again.count = 0;
        status = wordpiece_tokenize(&tokenizer, text, &again);
        FUZZ_CHECK(status_is_ok(&status) && again.count == tokens.count);
        FUZZ_CHECK(tokens.count == 0 || memcmp(again.items, tokens.items, tokens.count * sizeof *tokens.items) == 0);
    }
    wordpiece_tokens_free(&tokens);
    wordpiece_tokens_free(&again);
    free((void *)(uintptr_t)text.data);
    return 0;
}
