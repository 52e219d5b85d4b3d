/* engine_fixture.h: the plug-in, opened as the server opens it; models loaded into it; requests, and what comes of
 * them. */
#ifndef INFERD_TESTS_OPENVINO_ENGINE_FIXTURE_H
#define INFERD_TESTS_OPENVINO_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <unistd.h>

#include "base/file.h"
#include "core/backend.h"
#include "core/request_state.h"

#define FOREIGN "tests/fixtures/foreign/"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
        assert_int_equal(good_.code, STATUS_OK);                                                                       \
    } while (0)

/* The message must have this text in it, and nothing of the engine's source positions. */
#define assert_error(expression, expected_code, expected_text)                                                         \
    do {                                                                                                               \
        struct status error_ = (expression);                                                                           \
        if (!strstr(error_.message, expected_text))                                                                    \
            fail_msg("expected '%s' in '%s'", expected_text, error_.message);                                          \
        if (strstr(error_.message, "src/"))                                                                            \
            fail_msg("a source position in '%s'", error_.message);                                                     \
        assert_int_equal(error_.code, expected_code);                                                                  \
    } while (0)

/* What the engine needs to run under the sanitizers; scripts/run_tests sets the same for all programs. libstdc++ in the
 * engine asks for absurd sizes and takes no for an answer: give that answer. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

enum { REQUESTS_MAX = 8, INSTANCES_MAX = 4 };

struct engine {
    const struct backend_ops *ops;
    void *backend;
};

static inline void engine_open(struct engine *engine) {
    setenv("TBB_ENABLE_SANITIZERS", "1", 0); /* no RTLD_DEEPBIND, which AddressSanitizer refuses */
    void *library = dlopen(INFERD_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    const struct backend_ops *(*entry)(void);
    void *symbol = dlsym(library, "inferd_backend");
    assert_non_null(symbol);
    memcpy(&entry, &symbol, sizeof entry);
    engine->ops = entry();
    assert_int_equal(engine->ops->api_version, BACKEND_API_VERSION);
    assert_good(engine->ops->initialize(&engine->backend));
}

static inline void engine_close(struct engine *engine) {
    engine->ops->finalize(engine->backend);
}

/* ---- models ---- */

struct loaded {
    const struct engine *engine;
    struct model_config *config;
    void *model;
    void *instances[INSTANCES_MAX];
    int instance_count;
};

static inline void loaded_close(struct loaded *loaded) {
    for (int i = 0; i < loaded->instance_count; i++)
        loaded->engine->ops->instance_destroy(loaded->instances[i]);
    if (loaded->model)
        loaded->engine->ops->unload(loaded->model);
    model_config_destroy(loaded->config);
    *loaded = (struct loaded){.engine = loaded->engine};
}

static inline struct status load_parts(struct loaded *loaded, const char *version_directory) {
    const struct backend_ops *ops = loaded->engine->ops;
    STATUS_TRY(ops->complete_config(loaded->engine->backend, loaded->config, version_directory));
    STATUS_TRY(model_config_finish(loaded->config, NULL));
    struct backend_model_args args = {
        .config = loaded->config,
        .model_directory = version_directory,
        .version_directory = version_directory,
        .version = 1,
        .instance_count = loaded->config->instance_count,
        .threads_per_instance = 1,
    };
    STATUS_TRY(ops->load(loaded->engine->backend, &args, &loaded->model));
    for (; loaded->instance_count < loaded->config->instance_count; loaded->instance_count++)
        STATUS_TRY(
            ops->instance_create(loaded->model, loaded->instance_count, &loaded->instances[loaded->instance_count]));
    return status_ok();
}

/* As the server does it: parse, complete, finish, load, one instance after the other. Closed when it fails. */
static inline struct status load(const struct engine *engine, const char *version_directory, const char *config,
                                 struct loaded *ret) {
    *ret = (struct loaded){.engine = engine};
    struct status status = model_config_parse(slice_of("model"), slice_of(config), "config.pbtxt", &ret->config);
    if (status_is_ok(&status))
        status = load_parts(ret, version_directory);
    if (!status_is_ok(&status))
        loaded_close(ret);
    return status;
}

/* A model of the fixtures, with its own config ("" when it has none: backend names what the server would find). */
static inline struct status load_foreign(const struct engine *engine, const char *name, const char *backend,
                                         struct loaded *ret) {
    char path[256], text[64];
    struct buf config = BUF_EMPTY;
    *ret = (struct loaded){.engine = engine};
    snprintf(path, sizeof path, FOREIGN "repository/%s/config.pbtxt", name);
    struct status status = status_ok();
    if (file_exists(path)) {
        status = file_read(path, 1 << 16, &config);
        buf_append_char(&config, '\0');
    } else {
        snprintf(text, sizeof text, "backend: \"%s\"", backend);
    }
    const char *found = config.data ? strstr(config.data, "name:") : NULL; /* the tests' models are all named "model" */
    if (found)
        found = strchr(found, '\n');
    snprintf(path, sizeof path, FOREIGN "repository/%s/1", name);
    if (status_is_ok(&status))
        status = load(engine, path, found ? found : text, ret);
    buf_free(&config);
    return status;
}

/* ---- requests ---- */

/* Requests of one batch and their answers. */
struct batch {
    struct loaded *loaded;
    struct infer_request *requests[REQUESTS_MAX];
    struct infer_response *responses[REQUESTS_MAX]; /* owned */
    size_t count;
};

static inline void keep_response(struct infer_request *request, struct infer_response *response, bool final) {
    struct infer_response **place = request->user;
    assert_null(*place);
    assert_true(final);
    assert_non_null(response);
    *place = response;
}

static inline struct infer_request *add_request(struct batch *batch, uint32_t items, size_t input_capacity) {
    assert_true(batch->count < REQUESTS_MAX);
    struct infer_request *request = infer_request_create(0);
    assert_non_null(request);
    request->state->respond = keep_response;
    request->model_name = slice_of("model");
    request->cost.items = items;
    request->user = &batch->responses[batch->count];
    request->inputs = arena_calloc(request->arena, input_capacity, sizeof *request->inputs);
    batch->requests[batch->count++] = request;
    return request;
}

/* Borrows the data. */
static inline struct tensor *add_input(struct infer_request *request, const char *name, enum datatype type,
                                       const int64_t *shape, int rank, const void *data) {
    struct tensor *tensor = &request->inputs[request->input_count++];
    size_t size;
    *tensor = (struct tensor){.name = slice_of(name), .type = type, .rank = rank};
    if (rank > 0)
        memcpy(tensor->shape, shape, (size_t)rank * sizeof *shape);
    assert_good(tensor_fixed_size(type, tensor->shape, rank, &size));
    tensor->data = (struct slice){data, size};
    return tensor;
}

static inline struct status execute_times(struct batch *batch, struct backend_times *times) {
    struct backend_batch view = {batch->requests, batch->count, 0};
    for (size_t i = 0; i < batch->count; i++)
        view.items += batch->requests[i]->cost.items;
    return batch->loaded->engine->ops->execute(batch->loaded->instances[0], &view, times);
}

static inline struct status execute(struct batch *batch) {
    struct backend_times times = {0};
    return execute_times(batch, &times);
}

static inline const struct tensor *output(const struct batch *batch, size_t request, const char *name) {
    const struct infer_response *response = batch->responses[request];
    assert_non_null(response);
    assert_string_equal(response->status.message, "");
    for (size_t i = 0; i < response->output_count; i++)
        if (slice_equal_text(response->outputs[i].name, name))
            return &response->outputs[i];
    return NULL;
}

static inline void batch_close(struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        infer_response_destroy(batch->responses[i]);
        infer_request_destroy(batch->requests[i]);
    }
    *batch = (struct batch){.loaded = batch->loaded};
}

#endif
