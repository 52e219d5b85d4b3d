/* vocab.h: a WordPiece vocabulary: token text <-> id, the special tokens, and a hash that tells two vocabularies apart.
 *
 * A vocabulary file (vocab.txt) holds one token a line; the line number, from 0, is the id. As in Hugging Face's
 * reader, white space at the end of a line (so also the CR of CRLF) is no part of the token, and of equal tokens the
 * last one is found. Blank lines take up an id that no text can give; blank lines at the very end are dropped. Owner:
 * everything lives in the arena given at creation. Thread: immutable afterwards, any thread may read.
 */
#ifndef INFERD_TEXT_VOCAB_H
#define INFERD_TEXT_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

struct vocab;

enum {
    VOCAB_MAX_TOKENS = 1 << 22,
    VOCAB_MAX_FILE_BYTES = 1 << 26,
    VOCAB_MAX_TOKEN_BYTES = 4096,
    VOCAB_HASH_TEXT_SIZE = 17, /* 16 hexadecimal digits and a NUL */
    VOCAB_NOT_FOUND = -1
};

/* Ids of the tokens with a meaning of their own. */
struct vocab_special {
    int32_t pad;  /* [PAD] */
    int32_t unk;  /* [UNK] */
    int32_t cls;  /* [CLS] */
    int32_t sep;  /* [SEP] */
    int32_t mask; /* [MASK], or VOCAB_NOT_FOUND: inference does without it */
};

/* Reads a vocabulary from the bytes of a vocab.txt. Borrows `text`, which must live as long as the vocabulary.
 * Errors: INVALID_ARGUMENT with the line (not UTF-8, overlong, too many, no [PAD], [UNK], [CLS] or [SEP]);
 * RESOURCE_EXHAUSTED. */
struct status vocab_parse(struct arena *arena, struct slice text, struct vocab **ret) STATUS_MUST_CHECK;
/* The same from a file, whose bytes are copied into the arena. Errors name the path. */
struct status vocab_load(struct arena *arena, const char *path, struct vocab **ret) STATUS_MUST_CHECK;
/* The uncased English vocabulary of BERT (30,522 tokens), which is compiled in. */
struct status vocab_open_embedded(struct arena *arena, struct vocab **ret) STATUS_MUST_CHECK;
/* The bytes of that vocab.txt, for who writes it out again. */
struct slice vocab_embedded_text(void);

size_t vocab_size(const struct vocab *vocab); /* ids are 0 .. size - 1 */
struct vocab_special vocab_special(const struct vocab *vocab);
/* The id of a whole token ("##ing" included), or VOCAB_NOT_FOUND. */
int32_t vocab_find(const struct vocab *vocab, struct slice token);
/* The token of an id; an empty slice for an id that is out of range. */
struct slice vocab_token(const struct vocab *vocab, int32_t id);
/* The longest token (of at least one byte) that `text` begins with, as an id, or VOCAB_NOT_FOUND. With `continuation`,
 * tokens that begin with "##" are meant, compared without it. Only the first 400 bytes of `text` are looked at (a word
 * of 100 characters). *ret_size: bytes of `text` that the token covers. */
int32_t vocab_longest_prefix(const struct vocab *vocab, bool continuation, struct slice text, size_t *ret_size);

/* FNV-1a, 64 bits, over every token followed by one LF, in the order of the ids. Equal for files that differ in line
 * ends or trailing blanks only. It detects mistakes (a model with another vocabulary); it is no security measure. */
uint64_t vocab_hash(const struct vocab *vocab);
/* The hash as 16 lower-case hexadecimal digits. */
void vocab_hash_text(const struct vocab *vocab, char ret_text[VOCAB_HASH_TEXT_SIZE]);

#endif
