/* bert_fixture.h: backend bert loaded as the core loads it, on the small checkpoint, and calls to it. */
#ifndef INFERD_TESTS_BACKENDS_BERT_FIXTURE_H
#define INFERD_TESTS_BACKENDS_BERT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "backends/bert/bert_backend.h"
#include "core/request_state.h"

#define HF "tests/fixtures/hf_checkpoint"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
    } while (0)

#define assert_error(expression, expected_text)                                                                        \
    do {                                                                                                               \
        struct status error_ = (expression);                                                                           \
        assert_int_equal(error_.code, STATUS_INVALID_ARGUMENT);                                                        \
        if (!strstr(error_.message, expected_text))                                                                    \
            fail_msg("expected '%s' in '%s'", expected_text, error_.message);                                          \
    } while (0)

static const char base_config[] = "backend: \"bert\" max_batch_size: 8 "
                                  "parameters { key: \"inference_precision\" value { string_value: \"fp32\" } }";

struct loaded {
    void *backend, *model, *instance;
    struct model_config *config;
};

static struct status load_parts(struct loaded *loaded, const char *checkpoint) {
    const struct backend_ops *ops = bert_backend();
    STATUS_TRY(ops->complete_config(loaded->backend, loaded->config, checkpoint));
    const struct model_gpus gpus = {ops->gpu_count, ops->gpu_check, ops->gpu_suits, loaded->backend, checkpoint};
    STATUS_TRY(model_config_finish(loaded->config, &gpus));
    const struct backend_model_args args = {.config = loaded->config,
                                            .version_directory = checkpoint,
                                            .version = 1,
                                            .instance_count = loaded->config->instance_count,
                                            .threads_per_instance = 1};
    STATUS_TRY(ops->load(loaded->backend, &args, &loaded->model));
    return ops->instance_create(loaded->model, 0, &loaded->instance);
}

static void unload(struct loaded *loaded) {
    const struct backend_ops *ops = bert_backend();
    ops->instance_destroy(loaded->instance);
    if (loaded->model)
        ops->unload(loaded->model);
    model_config_destroy(loaded->config);
    ops->finalize(loaded->backend);
}

/* Unloaded again when it fails. */
static struct status load_from(const char *checkpoint, const char *config, struct loaded *ret) {
    *ret = (struct loaded){0};
    assert_good(bert_backend()->initialize(&ret->backend));
    struct status status = model_config_parse(slice_of("model"), slice_of(config), "config.pbtxt", &ret->config);
    if (status_is_ok(&status))
        status = load_parts(ret, checkpoint);
    if (!status_is_ok(&status))
        unload(ret);
    return status;
}

static inline struct status load(const char *config, struct loaded *ret) {
    return load_from(HF, config, ret);
}

/* ---- requests ---- */

enum { NUMBERS = 2 * 48 };

struct call {
    struct infer_request *request;
    struct infer_response *response;
    int32_t ids[NUMBERS], mask[NUMBERS], segments[NUMBERS]; /* for who sends tokens */
};

static void keep_response(struct infer_request *request, struct infer_response *response, bool final) {
    struct call *call = request->user;
    assert_null(call->response);
    assert_true(final);
    call->response = response;
}

/* A request with room for so many inputs. */
static void call_begin(struct call *call, size_t inputs) {
    *call = (struct call){.request = infer_request_create(0)};
    assert_non_null(call->request);
    call->request->state->respond = keep_response;
    call->request->user = call;
    call->request->inputs = arena_calloc(call->request->arena, inputs, sizeof *call->request->inputs);
}

static void call_close(struct call *call) {
    infer_response_destroy(call->response);
    infer_request_destroy(call->request);
}

static void execute(struct loaded *loaded, struct call *calls, size_t count) {
    struct infer_request *requests[8];
    struct backend_batch batch = {.requests = requests, .count = count};
    struct backend_times times;
    for (size_t i = 0; i < count; i++) {
        requests[i] = calls[i].request;
        calls[i].request->cost = bert_backend()->cost(loaded->model, calls[i].request);
        batch.items += calls[i].request->cost.items;
    }
    assert_good(bert_backend()->execute(loaded->instance, &batch, &times));
    for (size_t i = 0; i < count; i++)
        assert_non_null(calls[i].response);
}

#endif
