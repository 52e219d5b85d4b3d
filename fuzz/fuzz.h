/* fuzz.h: what the fuzz targets share: taking an input apart, and checks that a release build keeps.
 *
 * Each fuzz_<target>.c has one LLVMFuzzerTestOneInput (libFuzzer's entry; its prototype is here). An input's first
 * bytes are choices (fuzz_byte, fuzz_number), the rest is what the parser under test is given. Thread: one. */
#ifndef INFERD_FUZZ_FUZZ_H
#define INFERD_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run with the place and what did not hold; libFuzzer keeps the input. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: does not hold: %s\n", __FILE__, __LINE__, __func__, #condition);               \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

struct fuzz_input {
    const uint8_t *at, *end;
};

static inline struct fuzz_input fuzz_input_on(const uint8_t *data, size_t size) {
    return (struct fuzz_input){data, data + size};
}
/* The next byte; 0 at the end. */
static inline uint8_t fuzz_byte(struct fuzz_input *input) {
    return input->at < input->end ? *input->at++ : 0;
}
/* The next two bytes, little endian. */
static inline uint16_t fuzz_u16(struct fuzz_input *input) {
    uint16_t low = fuzz_byte(input);
    return (uint16_t)(low | fuzz_byte(input) << 8);
}
static inline size_t fuzz_left(const struct fuzz_input *input) {
    return (size_t)(input->end - input->at);
}
/* The next `size` bytes, or those that are left; borrowed. */
static inline struct slice fuzz_take(struct fuzz_input *input, size_t size) {
    size_t n = size < fuzz_left(input) ? size : fuzz_left(input);
    struct slice taken = {(const char *)input->at, n};
    input->at += n;
    return taken;
}
static inline struct slice fuzz_rest(struct fuzz_input *input) {
    return fuzz_take(input, fuzz_left(input));
}

/* A copy in memory of exactly that size (free with free), so that the sanitizer sees a read beyond it. */
static inline char *fuzz_copy(struct slice bytes) {
    char *copy = malloc(bytes.size ? bytes.size : 1);
    FUZZ_CHECK(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

static inline struct arena *fuzz_arena(size_t limit_bytes) {
    struct arena *arena = arena_create(limit_bytes);
    FUZZ_CHECK(arena);
    return arena;
}

/* What every error must be: a known code, a message, and that message UTF-8 (it goes to clients). */
static inline void fuzz_check_error(const struct status *status) {
    FUZZ_CHECK(!status_is_ok(status));
    size_t size = strnlen(status->message, STATUS_MESSAGE_MAX);
    FUZZ_CHECK(size > 0 && size < STATUS_MESSAGE_MAX);
    FUZZ_CHECK(slice_is_utf8((struct slice){status->message, size}));
}

/* Cuts a stream into pieces of sizes that depend on `seed` alone: 0 is the whole at once, 1 single bytes. */
struct fuzz_cutter {
    uint32_t state;
};
static inline struct fuzz_cutter fuzz_cutter_of(uint8_t seed) {
    return (struct fuzz_cutter){seed};
}
static inline size_t fuzz_cut(struct fuzz_cutter *cutter, size_t left) {
    if (cutter->state == 0 || left <= 1)
        return left;
    if (cutter->state == 1)
        return 1;
    cutter->state = cutter->state * 1664525u + 1013904223u;
    size_t most = (cutter->state >> 28) == 0 ? 4096 : 24;
    size_t piece = 1 + (cutter->state >> 8) % most;
    return piece < left ? piece : left;
}

#endif
