/* unicode.h: UTF-8 and what is to be known about a code point, from generated tables.
 *
 * Two programs decide what is right here: Hugging Face's fast BERT tokenizer (the bert_ facts) and Python's str (the
 * python_ facts, for the SQuAD evaluator). Called by normalize.c and squad_evaluate.c. Thread: pure functions.
 */
#ifndef INFERD_TEXT_UNICODE_H
#define INFERD_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum unicode_flag {
    UNICODE_DROPPED = 1,     /* BERT's cleaning removes it: control, format, unassigned, NUL, U+FFFD */
    UNICODE_SPACE = 2,       /* BERT's cleaning makes it a blank */
    UNICODE_CJK = 4,         /* BERT makes it a word of its own */
    UNICODE_PUNCTUATION = 8, /* the same, as punctuation */
    UNICODE_PY_SPACE = 16,   /* str.isspace */
    UNICODE_PY_ALNUM = 32,   /* str.isalnum: \w of re, but for the underscore */
    UNICODE_PY_CASED = 64,   /* the last two decide where str.lower writes a final sigma */
    UNICODE_PY_CASE_IGNORABLE = 128
};

/* What BERT's normalisation does to a code point; both together are what uncased models mostly have. */
enum unicode_fold {
    UNICODE_STRIP = 1, /* decompose canonically, drop marks */
    UNICODE_LOWER = 2  /* lower case */
};

enum {
    UNICODE_REPLACEMENT = 0xFFFD,
    UNICODE_MAX_MAPPING = 4, /* code points that one code point becomes, at most */
    UTF8_MAX_BYTES = 4       /* of one code point */
};

unsigned unicode_flags(uint32_t code_point); /* of enum unicode_flag */
/* Canonical combining class: what decides the order of marks in a decomposed text; 0 for most. */
uint8_t unicode_combining_class(uint32_t code_point);
/* The code point after that (`how`: of enum unicode_fold; 0: nothing). Returns how many code points it wrote to `ret`;
 * 0 for a stripped mark. For a code point that cleaning keeps. */
size_t unicode_bert_fold(uint32_t code_point, unsigned how, uint32_t ret[UNICODE_MAX_MAPPING]);
/* str.lower of one code point (a sigma without regard to its place): how many it wrote, at least 1. */
size_t unicode_python_lower(uint32_t code_point, uint32_t ret[UNICODE_MAX_MAPPING]);

/* Decodes the character at text.data[0] (text.size >= 1); its length in bytes. A byte that begins no valid character
 * gives U+FFFD and length 1. */
size_t utf8_decode(struct slice text, uint32_t *ret);
/* Writes 1 .. 4 bytes; the code point is at most U+10FFFF. */
size_t utf8_encode(uint32_t code_point, char ret[UTF8_MAX_BYTES]);
/* Characters of a valid UTF-8 text. */
size_t utf8_count(struct slice text);

#endif
