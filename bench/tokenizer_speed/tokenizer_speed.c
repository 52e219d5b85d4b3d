/* tokenizer_speed: runs what bench/tokenizer asks for, one line in, one line out, so that its rounds can be interleaved
 * with those of the other tokenizer:
 *
 *   run        -> CPU seconds for all texts, on one thread
 *   ids INDEX  -> the ids of a text
 *
 * Argument: a file of texts, each as a 32-bit little-endian byte count and the bytes; uncased, the compiled-in
 * vocabulary. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "text/wordpiece.h"

enum { TEXTS_MAX_BYTES = 1 << 28, LINE_MAX_BYTES = 64 };

struct texts {
    struct slice *items;
    size_t count;
};

static void fail(const char *message) {
    fprintf(stderr, "tokenizer_speed: %s\n", message);
    exit(1);
}

static void check(struct status status) {
    if (!status_is_ok(&status))
        fail(status.message);
}

static struct texts split(struct arena *arena, struct slice packed) {
    uint32_t size;
    size_t count = 0;
    struct texts texts = {arena_calloc(arena, packed.size / sizeof size + 1, sizeof *texts.items), 0};
    if (!texts.items)
        fail("out of memory");
    for (size_t at = 0; at < packed.size; at += size) {
        if (packed.size - at < sizeof size)
            fail("the file is cut off");
        memcpy(&size, packed.data + at, sizeof size);
        at += sizeof size;
        if (size > packed.size - at)
            fail("the file is cut off");
        texts.items[count++] = (struct slice){packed.data + at, size};
    }
    texts.count = count;
    return texts;
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run(const struct wordpiece *tokenizer, const struct texts *texts, struct wordpiece_tokens *tokens) {
    double start = cpu_seconds();
    for (size_t i = 0; i < texts->count; i++) {
        tokens->count = 0;
        check(wordpiece_tokenize(tokenizer, texts->items[i], tokens));
    }
    printf("%.9f\n", cpu_seconds() - start);
}

static void print_ids(const struct wordpiece *tokenizer, struct slice text, struct wordpiece_tokens *tokens) {
    tokens->count = 0;
    check(wordpiece_tokenize(tokenizer, text, tokens));
    for (size_t i = 0; i < tokens->count; i++)
        printf("%s%" PRId32, i > 0 ? " " : "", tokens->items[i].id);
    putchar('\n');
}

int main(int argc, char **argv) {
    struct arena *arena = arena_create(0);
    struct buf packed = BUF_EMPTY;
    struct vocab *vocab;
    struct wordpiece_tokens tokens = WORDPIECE_TOKENS_EMPTY;
    char line[LINE_MAX_BYTES];
    if (argc != 2 || !arena)
        fail("usage: tokenizer_speed TEXTS");
    check(file_read(argv[1], TEXTS_MAX_BYTES, &packed));
    check(vocab_open_embedded(arena, &vocab));
    const struct wordpiece tokenizer = {vocab, NORMALIZER_UNCASED};
    const struct texts texts = split(arena, buf_slice(&packed));
    while (fgets(line, sizeof line, stdin)) {
        size_t index = strncmp(line, "ids ", 4) == 0 ? strtoul(line + 4, NULL, 10) : texts.count;
        if (index < texts.count)
            print_ids(&tokenizer, texts.items[index], &tokens);
        else
            run(&tokenizer, &texts, &tokens);
        fflush(stdout);
    }
    wordpiece_tokens_free(&tokens);
    buf_free(&packed);
    arena_destroy(arena);
    return 0;
}
