/* scratch.h: temporary files for the tests of this folder. */
#ifndef INFERD_TESTS_CHECKPOINT_SCRATCH_H
#define INFERD_TESTS_CHECKPOINT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/file.h"

/* A folder that a test writes into. */
struct scratch {
    char folder[64];
    struct arena *arena; /* paths */
};

static inline struct scratch scratch_create(void) {
    struct scratch scratch = {.folder = "/tmp/inferd-test-XXXXXX", .arena = arena_create(0)};
    assert_non_null(scratch.arena);
    assert_non_null(mkdtemp(scratch.folder));
    return scratch;
}

static inline void scratch_remove(struct scratch *scratch) {
    struct status status = file_remove_tree(scratch->folder);
    assert_true(status_is_ok(&status));
    arena_destroy(scratch->arena);
}

/* folder/name; valid until the folder is removed. */
static inline const char *scratch_path(struct scratch *scratch, const char *name) {
    const char *path = path_join(scratch->arena, scratch->folder, name);
    assert_non_null(path);
    return path;
}

static inline const char *scratch_write(struct scratch *scratch, const char *name, struct slice content) {
    const char *path = scratch_path(scratch, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data ? content.data : "", 1, content.size, file), content.size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static inline void scratch_copy(struct scratch *scratch, const char *name, const char *from) {
    struct buf content = BUF_EMPTY;
    struct status status = file_read(from, 1 << 24, &content);
    assert_true(status_is_ok(&status));
    scratch_write(scratch, name, buf_slice(&content));
    buf_free(&content);
}

/* Checks code and a part of the message; prints the message when they differ. */
static inline void expect_error(struct status status, enum status_code code, const char *part) {
    if (status.code != code || !strstr(status.message, part))
        print_error("expected %s \"...%s...\", got %s \"%s\"\n", status_code_text(code), part,
                    status_code_text(status.code), status.message);
    assert_int_equal(status.code, code);
    assert_non_null(strstr(status.message, part));
}

static inline void expect_ok(struct status status) {
    if (!status_is_ok(&status))
        print_error("%s: %s\n", status_code_text(status.code), status.message);
    assert_true(status_is_ok(&status));
}

#endif
