/* normalize.h: BERT's text cleaning and splitting: text -> normalised words that remember where they came from.
 *
 * In the order of the original: drop control characters, then as the options say set CJK ideographs apart, decompose
 * canonically and strip marks, lower the case; split at white space, split off punctuation. All in one pass over the
 * text, a word at a time, without memory from the heap. Bytes that are no UTF-8 count as U+FFFD and are dropped. Called
 * by wordpiece.c.
 * Thread: a normalizer has one owner; no shared state.
 */
#ifndef INFERD_TEXT_NORMALIZE_H
#define INFERD_TEXT_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "text/normalizer_options.h"
#include "text/unicode.h"

/* Characters kept of a word; longer words are only counted. */
enum { NORMALIZE_MAX_WORD_CHARS = 100 };

struct normalized_char {
    uint32_t code_point;
    uint32_t begin; /* the original character's bytes in the text: [begin, end) */
    uint32_t end;
    uint8_t combining_class;
    bool isolated; /* a word of its own: punctuation or CJK */
};

struct normalized_word {
    size_t char_count; /* may exceed NORMALIZE_MAX_WORD_CHARS; then chars and text hold only the first ones */
    uint32_t begin;    /* the whole word's bytes in the original text */
    uint32_t end;
    struct normalized_char chars[NORMALIZE_MAX_WORD_CHARS];
    char text[NORMALIZE_MAX_WORD_CHARS * UTF8_MAX_BYTES]; /* the same as UTF-8 */
    size_t text_size;                                     /* bytes */
};

struct normalizer {
    struct slice text; /* borrowed */
    struct normalizer_options options;
    /* private */
    unsigned fold; /* of enum unicode_fold, by the options */
    size_t at;
    struct normalized_char pending[UNICODE_MAX_MAPPING]; /* what the last character became and was not yet taken */
    size_t pending_at;
    size_t pending_count;
};

/* text.size must fit 32 bits. */
void normalizer_init(struct normalizer *normalizer, struct slice text, struct normalizer_options options);
/* The next word; false at the end of the text. */
bool normalizer_next_word(struct normalizer *normalizer, struct normalized_word *ret);

#endif
