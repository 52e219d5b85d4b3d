#include "text/vocab.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "text/unicode.h"

#define FNV_OFFSET UINT64_C(0xCBF29CE484222325)
#define FNV_PRIME UINT64_C(0x100000001B3)

static const char CONTINUATION[] = "##";
enum { CONTINUATION_SIZE = sizeof CONTINUATION - 1 };

/* vocab_longest_prefix looks no further: WordPiece gives it words of at most 100 characters. */
enum { MAX_PREFIX_BYTES = 100 * UTF8_MAX_BYTES };

struct token {
    uint32_t begin; /* in vocab->text */
    uint32_t size;
};

/* Of the hash table. The tag, the half of the hash that does not choose the slot, spares looking at most other tokens.
 */
struct slot {
    int32_t id; /* or VOCAB_NOT_FOUND: free */
    uint32_t tag;
};

struct vocab {
    const char *text; /* borrowed */
    struct token *tokens;
    size_t size;
    struct slot *slots; /* open addressing by FNV-1a */
    size_t slot_mask;
    size_t longest_token; /* bytes */
    struct vocab_special special;
};

static uint64_t fnv_byte(uint64_t hash, char byte) {
    return (hash ^ (unsigned char)byte) * FNV_PRIME;
}

static uint64_t fnv_bytes(uint64_t hash, const char *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        hash = fnv_byte(hash, data[i]);
    return hash;
}

/* FNV mixes upwards only: fold the high bits in before masking. */
static size_t slot_of(const struct vocab *vocab, uint64_t hash) {
    return (size_t)(hash ^ hash >> 32) & vocab->slot_mask;
}

static uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

static struct slice token_slice(const struct vocab *vocab, size_t id) {
    return (struct slice){vocab->text + vocab->tokens[id].begin, vocab->tokens[id].size};
}

/* The slot that holds a token equal to head + tail, or the free slot where it belongs. */
static size_t find_slot(const struct vocab *vocab, uint64_t hash, struct slice head, struct slice tail) {
    size_t slot = slot_of(vocab, hash);
    for (;; slot = (slot + 1) & vocab->slot_mask) {
        if (vocab->slots[slot].id == VOCAB_NOT_FOUND)
            return slot;
        if (vocab->slots[slot].tag != tag_of(hash))
            continue;
        struct slice token = token_slice(vocab, (size_t)vocab->slots[slot].id);
        if (token.size == head.size + tail.size && memcmp(token.data, head.data, head.size) == 0 &&
            memcmp(token.data + head.size, tail.data, tail.size) == 0)
            return slot;
    }
}

/* Rust's char::is_whitespace: what BERT's cleaning calls white space, and three more that it calls control characters.
 */
static bool is_line_blank(uint32_t code_point) {
    return code_point == '\v' || code_point == '\f' || code_point == 0x85 || unicode_flags(code_point) & UNICODE_SPACE;
}

static struct slice trim_end(struct slice line) {
    size_t end = 0;
    for (size_t at = 0; at < line.size;) {
        uint32_t code_point;
        at += utf8_decode((struct slice){line.data + at, line.size - at}, &code_point);
        if (!is_line_blank(code_point))
            end = at;
    }
    return (struct slice){line.data, end};
}

/* Walks the lines of a vocabulary and returns how many there are up to the last that is not blank. With `tokens`, which
 * then has room for as many, records them. */
static struct status scan_lines(struct slice text, struct token *tokens, size_t *ret_count) {
    struct slice line, rest = text;
    size_t count = 0;
    bool more = text.size > 0;
    for (size_t number = 0; more; number++) {
        more = slice_split(rest, '\n', &line, &rest);
        line = trim_end(line);
        if (line.size == 0)
            continue;
        if (number >= VOCAB_MAX_TOKENS)
            return status_error(STATUS_INVALID_ARGUMENT, "vocabulary: more than %d lines", VOCAB_MAX_TOKENS);
        if (line.size > VOCAB_MAX_TOKEN_BYTES)
            return status_error(STATUS_INVALID_ARGUMENT, "vocabulary line %zu: a token of %zu bytes; the most is %d",
                                number + 1, line.size, VOCAB_MAX_TOKEN_BYTES);
        if (!slice_is_utf8(line))
            return status_error(STATUS_INVALID_ARGUMENT, "vocabulary line %zu: the token is not valid UTF-8",
                                number + 1);
        if (tokens)
            tokens[number] = (struct token){(uint32_t)(line.data - text.data), (uint32_t)line.size};
        count = number + 1;
    }
    *ret_count = count;
    return status_ok();
}

/* Later tokens take the slot of an equal earlier one. Blank lines stay out. */
static void index_tokens(struct vocab *vocab) {
    for (size_t i = 0; i <= vocab->slot_mask; i++)
        vocab->slots[i].id = VOCAB_NOT_FOUND;
    for (size_t id = 0; id < vocab->size; id++) {
        struct slice token = token_slice(vocab, id);
        if (token.size == 0)
            continue;
        uint64_t hash = fnv_bytes(FNV_OFFSET, token.data, token.size);
        vocab->slots[find_slot(vocab, hash, (struct slice){"", 0}, token)] = (struct slot){(int32_t)id, tag_of(hash)};
        if (token.size > vocab->longest_token)
            vocab->longest_token = token.size;
    }
}

static struct status find_special(struct vocab *vocab) {
    const struct {
        const char *token;
        int32_t *id;
        bool required;
    } rows[] = {
        {"[PAD]", &vocab->special.pad, true},    {"[UNK]", &vocab->special.unk, true},
        {"[CLS]", &vocab->special.cls, true},    {"[SEP]", &vocab->special.sep, true},
        {"[MASK]", &vocab->special.mask, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *rows[i].id = vocab_find(vocab, slice_of(rows[i].token));
        if (*rows[i].id == VOCAB_NOT_FOUND && rows[i].required)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "vocabulary of %zu tokens: no line holds the token %s: is this a "
                                "BERT vocab.txt?",
                                vocab->size, rows[i].token);
    }
    return status_ok();
}

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "vocabulary: out of memory");
}

struct status vocab_parse(struct arena *arena, struct slice text, struct vocab **ret) {
    if (text.size > VOCAB_MAX_FILE_BYTES)
        return status_error(STATUS_INVALID_ARGUMENT, "vocabulary of %zu bytes; the most is %d", text.size,
                            VOCAB_MAX_FILE_BYTES);
    size_t count;
    STATUS_TRY(scan_lines(text, NULL, &count));
    size_t slot_count = 16;
    while (slot_count < count * 2)
        slot_count *= 2;
    struct vocab *vocab = arena_calloc(arena, 1, sizeof *vocab);
    if (!vocab)
        return out_of_memory();
    vocab->text = text.data;
    vocab->size = count;
    vocab->tokens = arena_calloc(arena, count, sizeof *vocab->tokens);
    vocab->slots = arena_calloc(arena, slot_count, sizeof *vocab->slots);
    vocab->slot_mask = slot_count - 1;
    if (!vocab->tokens || !vocab->slots)
        return out_of_memory();
    STATUS_TRY(scan_lines(text, vocab->tokens, &count));
    index_tokens(vocab);
    STATUS_TRY(find_special(vocab));
    *ret = vocab;
    return status_ok();
}

struct status vocab_load(struct arena *arena, const char *path, struct vocab **ret) {
    struct buf file = BUF_EMPTY;
    struct status status = file_read(path, VOCAB_MAX_FILE_BYTES, &file);
    if (status_is_ok(&status)) {
        struct slice text = arena_copy(arena, buf_slice(&file));
        status = file.size > 0 && !text.data ? out_of_memory() : vocab_parse(arena, text, ret);
        if (!status_is_ok(&status))
            status = status_prefix(status, "%s", path);
    }
    buf_free(&file);
    return status;
}

struct status vocab_open_embedded(struct arena *arena, struct vocab **ret) {
    return vocab_parse(arena, vocab_embedded_text(), ret);
}

size_t vocab_size(const struct vocab *vocab) {
    return vocab->size;
}

struct vocab_special vocab_special(const struct vocab *vocab) {
    return vocab->special;
}

int32_t vocab_find(const struct vocab *vocab, struct slice token) {
    if (token.size == 0)
        return VOCAB_NOT_FOUND;
    uint64_t hash = fnv_bytes(FNV_OFFSET, token.data, token.size);
    return vocab->slots[find_slot(vocab, hash, (struct slice){"", 0}, token)].id;
}

struct slice vocab_token(const struct vocab *vocab, int32_t id) {
    if (id < 0 || (size_t)id >= vocab->size)
        return (struct slice){"", 0};
    return token_slice(vocab, (size_t)id);
}

int32_t vocab_longest_prefix(const struct vocab *vocab, bool continuation, struct slice text, size_t *ret_size) {
    struct slice head = {CONTINUATION, continuation ? CONTINUATION_SIZE : 0};
    size_t most = vocab->longest_token > head.size ? vocab->longest_token - head.size : 0;
    if (most > text.size)
        most = text.size;
    if (most > MAX_PREFIX_BYTES)
        most = MAX_PREFIX_BYTES;
    /* hashes[n]: of the head and the first n bytes. One pass forward, then candidates from the longest down. */
    uint64_t hashes[MAX_PREFIX_BYTES + 1];
    hashes[0] = fnv_bytes(FNV_OFFSET, head.data, head.size);
    for (size_t n = 0; n < most; n++)
        hashes[n + 1] = fnv_byte(hashes[n], text.data[n]);
    for (size_t n = most; n > 0; n--) {
        int32_t id = vocab->slots[find_slot(vocab, hashes[n], head, (struct slice){text.data, n})].id;
        if (id != VOCAB_NOT_FOUND) {
            *ret_size = n;
            return id;
        }
    }
    return VOCAB_NOT_FOUND;
}

uint64_t vocab_hash(const struct vocab *vocab) {
    uint64_t hash = FNV_OFFSET;
    for (size_t id = 0; id < vocab->size; id++) {
        struct slice token = token_slice(vocab, id);
        hash = fnv_byte(fnv_bytes(hash, token.data, token.size), '\n');
    }
    return hash;
}

void vocab_hash_text(const struct vocab *vocab, char ret_text[VOCAB_HASH_TEXT_SIZE]) {
    snprintf(ret_text, VOCAB_HASH_TEXT_SIZE, "%016llx", (unsigned long long)vocab_hash(vocab));
}
