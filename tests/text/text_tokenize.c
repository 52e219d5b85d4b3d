/* text_tokenize.c: the tokenizer as a filter, for the oracle tests in this folder.
 *
 *   text_tokenize ids|words OPTIONS [VOCAB] < texts
 * OPTIONS: l for lower case, s for stripped accents, c for CJK ideographs as words; several together, or - for none.
 * Input: texts, each as a 32-bit little-endian byte count and the bytes. Output: one line a text: "id:begin:end ..."
 * with offsets in code points, or the normalised words.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/normalize.h"
#include "text/wordpiece.h"

/* The next text into `text` (grown as needed); false at the end of the input. */
static bool read_text(struct buf *text) {
    unsigned char head[4];
    if (fread(head, 1, sizeof head, stdin) != sizeof head)
        return false;
    size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    buf_clear(text);
    char *to = buf_reserve(text, size + 1);
    if (!to || fread(to, 1, size, stdin) != size)
        return false;
    text->size = size;
    return true;
}

static void print_words(struct slice text, struct normalizer_options options) {
    struct normalizer normalizer;
    struct normalized_word word;
    normalizer_init(&normalizer, text, options);
    for (const char *gap = ""; normalizer_next_word(&normalizer, &word); gap = " ") {
        fputs(gap, stdout);
        fwrite(word.text, 1, word.text_size, stdout);
    }
    putchar('\n');
}

/* Code points that begin before byte `at`, counted on from where the last call stopped. */
static size_t code_points_before(struct slice text, size_t at, size_t *byte, size_t *count) {
    if (at < *byte) {
        *byte = 0;
        *count = 0;
    }
    for (; *byte < at; ++*byte)
        *count += (text.data[*byte] & 0xC0) != 0x80;
    return *count;
}

static bool print_ids(const struct wordpiece *tokenizer, struct slice text, struct wordpiece_tokens *tokens) {
    tokens->count = 0;
    struct status status = wordpiece_tokenize(tokenizer, text, tokens);
    if (!status_is_ok(&status)) {
        fprintf(stderr, "%s\n", status.message);
        return false;
    }
    size_t byte = 0, count = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        const struct wordpiece_token *token = &tokens->items[i];
        size_t begin = code_points_before(text, token->begin, &byte, &count);
        printf("%s%" PRId32 ":%zu", i ? " " : "", token->id, begin);
        printf(":%zu", code_points_before(text, token->end, &byte, &count));
    }
    putchar('\n');
    return true;
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s ids|words [l][s][c]|- [VOCAB] < texts\n", argv[0]);
        return 2;
    }
    const struct normalizer_options options = {strchr(argv[2], 'l') != NULL, strchr(argv[2], 's') != NULL,
                                               strchr(argv[2], 'c') != NULL};
    bool good = true;
    struct arena *arena = arena_create(0);
    struct vocab *vocab = NULL;
    struct status status = argc == 4 ? vocab_load(arena, argv[3], &vocab) : vocab_open_embedded(arena, &vocab);
    if (!status_is_ok(&status)) {
        fprintf(stderr, "%s\n", status.message);
        good = false;
    }
    struct wordpiece tokenizer = {vocab, options};
    struct wordpiece_tokens tokens = WORDPIECE_TOKENS_EMPTY;
    struct buf text = BUF_EMPTY;
    while (good && read_text(&text)) {
        if (strcmp(argv[1], "words") == 0)
            print_words(buf_slice(&text), options);
        else
            good = print_ids(&tokenizer, buf_slice(&text), &tokens);
    }
    buf_free(&text);
    wordpiece_tokens_free(&tokens);
    arena_destroy(arena);
    return good ? 0 : 1;
}
