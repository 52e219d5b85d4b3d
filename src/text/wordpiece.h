/* wordpiece.h: BERT's tokenizer: text -> WordPiece ids with the place in the original text that each came from.
 *
 * Ids and offsets equal those of Hugging Face's fast BERT tokenizer (BertNormalizer, BertPreTokenizer, WordPiece).
 * Differences by decision: [CLS], [SEP] and the like inside a text are plain text, so that nobody forges a separator;
 * bytes that are no UTF-8 are read as U+FFFD, which BERT's cleaning drops.
 * Source: Devlin et al., "BERT" (2018), tokenization.py; Wu et al. (2016), arXiv:1609.08144 section 4.1.
 * Thread: a tokenizer is immutable; any number of threads may use one, each with its own output list.
 */
#ifndef INFERD_TEXT_WORDPIECE_H
#define INFERD_TEXT_WORDPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"
#include "text/normalizer_options.h"
#include "text/vocab.h"

/* Words of more characters (after normalisation) become one [UNK]. */
enum { WORDPIECE_MAX_WORD_CHARS = 100 };

struct wordpiece {
    const struct vocab *vocab; /* borrowed */
    struct normalizer_options options;
};

struct wordpiece_token {
    int32_t id;
    uint32_t begin; /* byte offsets into the original text: [begin, end), always at character borders */
    uint32_t end;
};

/* A growing list that owns its memory: start from WORDPIECE_TOKENS_EMPTY, reuse at will, free at the end. */
struct wordpiece_tokens {
    struct wordpiece_token *items;
    size_t count;
    size_t capacity;
};
#define WORDPIECE_TOKENS_EMPTY ((struct wordpiece_tokens){NULL, 0, 0})
void wordpiece_tokens_free(struct wordpiece_tokens *tokens); /* back to WORDPIECE_TOKENS_EMPTY */

/* Appends the tokens of `text` (without [CLS] and [SEP]) to `tokens`; set tokens->count = 0 first to reuse the list.
 * Errors: TOO_LARGE (text of 4 GiB or more), RESOURCE_EXHAUSTED; the list then holds a prefix. */
struct status wordpiece_tokenize(const struct wordpiece *tokenizer, struct slice text,
                                 struct wordpiece_tokens *tokens) STATUS_MUST_CHECK;

#endif
