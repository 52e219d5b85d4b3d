/* squad_fixture.h: what the tests of src/text/squad share: a data set from text, and a tokenizer of the embedded
 * vocabulary. */
#ifndef INFERD_TESTS_TEXT_SQUAD_FIXTURE_H
#define INFERD_TESTS_TEXT_SQUAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/squad/squad_windows.h"

struct squad_fixture {
    struct arena *arena;
    struct squad_dataset dataset;
    struct squad_windows windows;
};

static inline int squad_setup(void **state) {
    struct squad_fixture *f = calloc(1, sizeof *f);
    f->arena = arena_create(0);
    *state = f;
    return 0;
}

static inline int squad_teardown(void **state) {
    struct squad_fixture *f = *state;
    arena_destroy(f->arena);
    free(f);
    return 0;
}

#define SQUAD_TEST(name) cmocka_unit_test_setup_teardown(name, squad_setup, squad_teardown)

/* One paragraph; `qas` is the inside of its list. */
static inline void squad_given(struct squad_fixture *f, const char *context, const char *qas) {
    struct buf json = BUF_EMPTY;
    buf_printf(&json, "{\"data\": [{\"paragraphs\": [{\"context\": \"%s\", \"qas\": [%s]}]}]}", context, qas);
    struct status status = squad_dataset_parse(f->arena, buf_slice(&json), &f->dataset);
    assert_string_equal(status.message, "");
    buf_free(&json);
}

static inline struct status squad_make_windows(struct squad_fixture *f, uint32_t length, uint32_t stride,
                                               uint32_t query) {
    struct vocab *vocab;
    struct status status = vocab_open_embedded(f->arena, &vocab);
    assert_string_equal(status.message, "");
    return squad_windows_create(f->arena, &(struct wordpiece){vocab, NORMALIZER_UNCASED},
                                &(struct squad_window_config){length, stride, query, 0}, &f->dataset, &f->windows);
}

#endif
