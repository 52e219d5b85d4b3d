/* models.h: an engine with everything that it needs, from a checkpoint, for the tests of whole models. */
#ifndef INFERD_TESTS_ENGINE_MODELS_H
#define INFERD_TESTS_ENGINE_MODELS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <yyjson.h>

#include "engine/bert_engine.h"

/* The sequences of the small checkpoints' expected.json: the second is shorter than it is stored. */
enum { LENGTH = 12, MASKED_LENGTH = 9 };

static inline void expect_ok(struct status status) {
    if (!status_is_ok(&status))
        fail_msg("%s", status.message);
}

static inline void expect_error(struct status status, enum status_code code, const char *text) {
    assert_int_equal(status.code, code);
    if (!strstr(status.message, text))
        fail_msg("expected '%s' in: %s", text, status.message);
}

struct model {
    struct bert_checkpoint *checkpoint;
    struct bert_pool *pool;
    struct bert_engine *engine;
    struct bert_session *session;
};

/* False when this CPU lacks the instruction set. */
static inline bool open_model(const char *path, enum bert_isa isa, enum bert_precision precision, int threads,
                              size_t max_tokens, struct model *ret) {
    const struct bert_engine_options options = {.precision = precision, .isa = isa};
    expect_ok(bert_checkpoint_open(path, NULL, &ret->checkpoint));
    expect_ok(bert_pool_create(threads, &ret->pool));
    struct status status = bert_engine_create(ret->checkpoint, &options, ret->pool, &ret->engine);
    bert_checkpoint_close(ret->checkpoint);
    if (status.code == STATUS_UNSUPPORTED) {
        bert_pool_destroy(ret->pool);
        return false;
    }
    expect_ok(status);
    expect_ok(bert_session_create(ret->engine, max_tokens, &ret->session));
    return true;
}

static inline void close_model(struct model *model) {
    bert_session_destroy(model->session);
    bert_engine_destroy(model->engine);
    bert_pool_destroy(model->pool);
}

/* The first `count` numbers of a row of a member of expected.json, as floats or as whole numbers. */
static inline void read_row(yyjson_val *root, const char *name, size_t row, size_t count, float *floats,
                            int32_t *whole) {
    yyjson_val *numbers = yyjson_arr_get(yyjson_obj_get(root, name), row);
    for (size_t i = 0; i < count; i++) {
        if (floats)
            floats[i] = (float)yyjson_get_num(yyjson_arr_get(numbers, i));
        if (whole)
            whole[i] = (int32_t)yyjson_get_int(yyjson_arr_get(numbers, i));
    }
}

#endif
