/* server_fixture.h: a model repository in a temporary folder, a server on it, and calls that can be waited for. */
#ifndef INFERD_TESTS_CORE_SERVER_FIXTURE_H
#define INFERD_TESTS_CORE_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "backends/identity/identity.h"
#include "base/clock.h"
#include "base/file.h"
#include "core/inference_server.h"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
        assert_int_equal(good_.code, STATUS_OK);                                                                       \
    } while (0)

#define assert_error(expression, expected_code, expected_text)                                                         \
    do {                                                                                                               \
        struct status error_ = (expression);                                                                           \
        assert_string_equal(error_.message, expected_text);                                                            \
        assert_int_equal(error_.code, expected_code);                                                                  \
    } while (0)

struct fixture {
    char directory[64];
    struct inference_server *server;
    struct log log; /* goes to <directory>.log */
    uint32_t max_queue_size;
    bool lax; /* not strict_readiness */
    struct shared_memory_options shared_memory;
    enum model_control control;
    const char *startup[4]; /* models to load at start, in MODEL_CONTROL_EXPLICIT */
    size_t startup_count;
    const char *temporary_directory;
    void (*on_change)(void *user);
    void *on_change_user;
    const struct backend_ops *backends[8];
    size_t backend_count;
    size_t failed; /* of the load */

    pthread_mutex_t lock; /* of what calls have seen */
    pthread_cond_t changed;
    size_t delivered; /* responses so far: gives each its place in the order of delivery */
};

/* One request and what came of it. */
struct call {
    struct fixture *fixture;
    struct infer_request *request;
    size_t responses, finals, releases;
    size_t final_place;          /* its final response was that many-th of the fixture's, from 1 */
    struct status status;        /* of the final response */
    struct infer_response *last; /* the final response, owned */
    pthread_t thread;            /* that delivered it */
    bool booked;                 /* the statistics already knew a success or failure when the final response came */
};

static inline void fixture_init(struct fixture *f) {
    *f = (struct fixture){.max_queue_size = 1000};
    snprintf(f->directory, sizeof f->directory, "/tmp/inferd-core-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    char path[96];
    snprintf(path, sizeof path, "%s.log", f->directory);
    f->log = log_default();
    f->log.fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    assert_true(f->log.fd >= 0);
    f->backends[f->backend_count++] = identity_backend();
}

static inline void write_file(const struct fixture *f, const char *name, const char *content) {
    char path[2048], *slash;
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_good(file_make_directories(path));
    *slash = '/';
    assert_good(file_write_atomic(path, slice_of(content)));
}

static inline void make_folder(const struct fixture *f, const char *name) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    assert_good(file_make_directories(path));
}

/* A model with an empty version 1. */
static inline void add_model(const struct fixture *f, const char *name, const char *config) {
    char path[128];
    snprintf(path, sizeof path, "%s/config.pbtxt", name);
    write_file(f, path, config);
    snprintf(path, sizeof path, "%s/1", name);
    make_folder(f, path);
}

static inline void create_server(struct fixture *f) {
    const char *repositories[] = {f->directory};
    struct inference_server_options options = {.repositories = repositories,
                                               .repository_count = 1,
                                               .strict_readiness = !f->lax,
                                               .control = f->control,
                                               .startup_models = f->startup,
                                               .startup_model_count = f->startup_count,
                                               .temporary_directory = f->temporary_directory,
                                               .on_change = f->on_change,
                                               .on_change_user = f->on_change_user,
                                               .builtin_backends = f->backends,
                                               .builtin_backend_count = f->backend_count,
                                               .shared_memory = f->shared_memory,
                                               .max_queue_size = f->max_queue_size,
                                               .log = &f->log};
    assert_good(inference_server_create(&options, &f->server));
}

static inline void start_server(struct fixture *f) {
    create_server(f);
    assert_good(inference_server_load_models(f->server, &f->failed));
}

static inline void assert_logged(const struct fixture *f, const char *text) {
    char path[96];
    snprintf(path, sizeof path, "%s.log", f->directory);
    struct buf content = BUF_EMPTY;
    assert_good(file_read(path, 1 << 20, &content));
    buf_append_char(&content, '\0');
    if (!strstr(content.data, text))
        fail_msg("not in the log: %s\nThe log:\n%s", text, content.data);
    buf_free(&content);
}

static inline void fixture_end(struct fixture *f) {
    inference_server_destroy(f->server);
    assert_good(file_remove_tree(f->directory));
    strcat(f->directory, ".log");
    assert_good(file_remove_tree(f->directory));
    close(f->log.fd);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
}

/* --- Calls --- */

static inline bool is_booked(const struct infer_request *request) {
    struct arena *arena = arena_create(0);
    struct model_statistics statistics;
    assert_good(model_statistics_snapshot(request->model, arena, &statistics));
    arena_destroy(arena);
    return statistics.success.count + statistics.fail.count > 0;
}

static inline void call_on_response(struct infer_request *request, struct infer_response *response, void *user) {
    struct call *call = user;
    bool booked = response->final && is_booked(request);
    pthread_mutex_lock(&call->fixture->lock);
    call->responses++;
    call->fixture->delivered++;
    if (response->final) {
        call->finals++;
        call->final_place = call->fixture->delivered;
        call->status = response->status;
        call->thread = pthread_self();
        call->booked = booked;
        call->last = response;
    }
    pthread_mutex_unlock(&call->fixture->lock);
    if (!response->final)
        infer_response_destroy(response);
}

static inline void call_on_release(struct infer_request *request, void *user) {
    struct call *call = user;
    (void)request;
    pthread_mutex_lock(&call->fixture->lock);
    call->releases++;
    pthread_cond_broadcast(&call->fixture->changed);
    pthread_mutex_unlock(&call->fixture->lock);
}

static inline struct tensor *call_add_input(struct call *call, const char *name, enum datatype type, int rank,
                                            const int64_t *shape, const void *data, size_t size) {
    struct infer_request *request = call->request;
    struct tensor *tensor = &request->inputs[request->input_count++];
    *tensor = (struct tensor){.name = slice_of(name), .type = type, .rank = rank, .data = {data, size}};
    for (int i = 0; i < rank; i++)
        tensor->shape[i] = shape[i];
    return tensor;
}

static inline void call_init(struct call *call, struct fixture *f, const char *model) {
    *call = (struct call){.fixture = f, .request = infer_request_create(0)};
    assert_non_null(call->request);
    struct infer_request *request = call->request;
    request->model_name = slice_of(model);
    request->inputs = arena_calloc(request->arena, 8, sizeof *request->inputs);
    assert_non_null(request->inputs);
    request->takes_several = true;
    request->on_response = call_on_response;
    request->on_release = call_on_release;
    request->user = call;
}

/* A call with one INT32 input "x" of [1, length]; its first number is `mark`. */
static inline void call_vector(struct call *call, struct fixture *f, const char *model, int64_t length, int32_t mark) {
    call_init(call, f, model);
    int32_t *data = arena_calloc(call->request->arena, (size_t)length, sizeof *data);
    assert_non_null(data);
    data[0] = mark;
    call_add_input(call, "x", DATATYPE_INT32, 2, (const int64_t[]){1, length}, data, (size_t)length * sizeof *data);
}

static inline struct status call_submit(struct call *call) {
    return inference_server_submit(call->fixture->server, call->request);
}

/* Waits until the core has given the request back. */
static inline void call_wait(struct call *call) {
    pthread_mutex_lock(&call->fixture->lock);
    while (!call->releases)
        pthread_cond_wait(&call->fixture->changed, &call->fixture->lock);
    pthread_mutex_unlock(&call->fixture->lock);
    assert_int_equal(call->releases, 1);
    assert_int_equal(call->finals, 1);
}

static inline bool call_is_answered(struct call *call) {
    pthread_mutex_lock(&call->fixture->lock);
    bool answered = call->responses > 0;
    pthread_mutex_unlock(&call->fixture->lock);
    return answered;
}

static inline void call_end(struct call *call) {
    infer_response_destroy(call->last);
    infer_request_destroy(call->request);
    *call = (struct call){0};
}

/* Submits, waits, and expects success. */
static inline void call_run(struct call *call) {
    assert_good(call_submit(call));
    call_wait(call);
    assert_string_equal(call->status.message, "");
    assert_int_equal(call->status.code, STATUS_OK);
}

/* Of the newest version of "m"; memory of the arena. */
static inline struct model_statistics fixture_statistics(struct fixture *f, struct arena *arena) {
    struct model *model;
    struct model_statistics statistics;
    assert_good(inference_server_acquire_model(f->server, slice_of("m"), -1, &model));
    assert_good(model_statistics_snapshot(model, arena, &statistics));
    model_release(model);
    return statistics;
}

#endif
