/* codec_test.h: what the codec's tests share. */
#ifndef INFERD_TESTS_CODEC_TEST_H
#define INFERD_TESTS_CODEC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

#define assert_ok(expression)                                                                                          \
    do {                                                                                                               \
        struct status assert_ok_ = (expression);                                                                       \
        if (!status_is_ok(&assert_ok_))                                                                                \
            fail_msg("%s: %s", #expression, assert_ok_.message);                                                       \
    } while (0)

/* The status has that code and its message holds `part`. */
static inline void assert_error_(struct status status, enum status_code code, const char *part, const char *file,
                                 int line) {
    if (status.code == code && strstr(status.message, part))
        return;
    print_error("expected %s with \"%s\", got %s with \"%s\"\n", status_code_text(code), part,
                status_code_text(status.code), status.message);
    _fail(file, line);
}
#define assert_error(status, code, part) assert_error_((status), (code), (part), __FILE__, __LINE__)

static inline void assert_slice_(struct slice slice, const char *text, const char *file, int line) {
    if (slice_equal_text(slice, text))
        return;
    print_error("expected \"%s\", got \"%.*s\"\n", text, SLICE_ARGS(slice));
    _fail(file, line);
}
#define assert_slice(slice, text) assert_slice_((slice), (text), __FILE__, __LINE__)

/* A copy that is exactly as long as the bytes, so that a sanitizer sees a read past their end. */
static inline struct slice exact_copy(struct slice bytes) {
    char *copy = malloc(bytes.size ? bytes.size : 1);
    assert_non_null(copy);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return (struct slice){copy, bytes.size};
}

static inline void free_copy(struct slice bytes) {
    free((char *)(uintptr_t)bytes.data);
}

/* A small generator for tests: the same numbers in every run. */
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
