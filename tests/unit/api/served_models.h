/* served_models.h: HTTP/1.1 requests as text into the API, in memory, with identity models behind it and no sockets.
 * The test itself is the loop thread: tasks that other threads post wait until it runs them. */
#ifndef INFERD_TEST_API_SERVED_MODELS_H
#define INFERD_TEST_API_SERVED_MODELS_H

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
#include <unistd.h>

#include "../http/taken.h"
#include "api/http_front.h"
#include "api/load_report.h"
#include "api/metrics_text.h"
#include "backends/identity/identity.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/session.h"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
    } while (0)

/* Takes tasks for worker threads; the test runs them, on a thread of its own or not. */
struct served_workers {
    struct api_workers api; /* first */
    struct api_task *tasks[8];
    size_t count, room;
};

struct served {
    struct api_loop loop; /* first */
    struct served_workers workers, decoders;
    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct api_task *tasks, **last_task;

    char directory[64];
    struct log log; /* silent */
    const struct backend_ops *backends[2];
    size_t backend_count;
    struct inference_server *server;
    struct metrics_state *metrics;
    struct load_meter *load;
    atomic_bool exiting;
    struct api_context context;
    struct http_handler handler;
    struct http_limits limits;
    size_t aborted, closed; /* exchanges that ended so */
};

static inline void served_post(struct api_loop *loop, struct api_task *task) {
    struct served *served = (struct served *)loop;
    pthread_mutex_lock(&served->lock);
    task->next = NULL;
    *served->last_task = task;
    served->last_task = &task->next;
    pthread_cond_signal(&served->posted);
    pthread_mutex_unlock(&served->lock);
}

static inline bool served_submit(struct api_workers *workers, struct api_task *task) {
    struct served_workers *served = (struct served_workers *)workers;
    if (served->count == served->room)
        return false;
    served->tasks[served->count++] = task;
    return true;
}

static inline void *served_run_work(void *argument) {
    struct api_task *task = argument;
    task->run(task);
    return NULL;
}

/* Runs the one task that the workers have, on a thread of its own; the test joins it. */
static inline pthread_t served_begin_work(struct served_workers *workers) {
    pthread_t thread;
    assert_int_equal(workers->count, 1);
    assert_int_equal(pthread_create(&thread, NULL, served_run_work, workers->tasks[--workers->count]), 0);
    return thread;
}

/* Waits until a task has been posted, without running it. */
static inline void served_wait(struct served *served) {
    pthread_mutex_lock(&served->lock);
    while (!served->tasks)
        pthread_cond_wait(&served->posted, &served->lock);
    pthread_mutex_unlock(&served->lock);
}

/* Waits for one task and runs it. */
static inline void served_run_task(struct served *served) {
    served_wait(served);
    pthread_mutex_lock(&served->lock);
    struct api_task *task = served->tasks;
    served->tasks = task->next;
    if (!served->tasks)
        served->last_task = &served->tasks;
    pthread_mutex_unlock(&served->lock);
    task->run(task);
}

static inline void served_on_head(void *user, struct http_exchange *exchange) {
    http_front_on_head(&((struct served *)user)->context, exchange);
}

static inline void served_on_end(void *user, struct http_exchange *exchange) {
    (void)user;
    http_front_on_end(exchange);
}

static inline void served_on_abort(void *user, struct http_exchange *exchange) {
    ((struct served *)user)->aborted++;
    http_front_on_abort(exchange);
}

static inline void served_on_close(void *user, struct http_exchange *exchange) {
    ((struct served *)user)->closed++;
    http_front_on_close(exchange);
}

static inline void served_init(struct served *served) {
    *served = (struct served){.loop = {served_post}};
    served->workers = (struct served_workers){.api = {served_submit}, .room = 8};
    served->decoders = served->workers;
    served->last_task = &served->tasks;
    pthread_mutex_init(&served->lock, NULL);
    pthread_cond_init(&served->posted, NULL);
    snprintf(served->directory, sizeof served->directory, "/tmp/inferd-api-test-XXXXXX");
    assert_non_null(mkdtemp(served->directory));
    served->backends[served->backend_count++] = identity_backend();
}

/* A model with version 1. */
static inline void served_add_model(struct served *served, const char *name, const char *config) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s/1", served->directory, name);
    assert_good(file_make_directories(path));
    snprintf(path, sizeof path, "%s/%s/config.pbtxt", served->directory, name);
    assert_good(file_write_atomic(path, slice_of(config)));
}

static inline void served_start(struct served *served) {
    const char *repositories[] = {served->directory}, *all[] = {"*"};
    const struct inference_server_options options = {.repositories = repositories,
                                                     .repository_count = 1,
                                                     .control = MODEL_CONTROL_EXPLICIT,
                                                     .startup_models = all,
                                                     .startup_model_count = 1,
                                                     .builtin_backends = served->backends,
                                                     .builtin_backend_count = served->backend_count,
                                                     .max_queue_size = 100,
                                                     .log = &served->log};
    assert_good(inference_server_create(&options, &served->server));
    size_t failed = 0;
    assert_good(inference_server_load_models(served->server, &failed));
    assert_int_equal(failed, 0);
    struct metrics_options metrics = metrics_options_default();
    metrics.gpus = false;
    served->metrics = metrics_state_create(&metrics, NULL);
    assert_non_null(served->metrics);
    served->load = load_meter_create(metrics_state_machine(served->metrics));
    assert_non_null(served->load);
    served->limits = http_limits_default();
    served->context = (struct api_context){.server = served->server,
                                           .loop = &served->loop,
                                           .workers = &served->workers.api,
                                           .decoders = &served->decoders.api,
                                           .server_name = "a server",
                                           .version = "1.2.3",
                                           .classes = API_ALL,
                                           .max_body_bytes = 1 << 20,
                                           .exiting = &served->exiting,
                                           .metrics = served->metrics,
                                           .load = served->load,
                                           .log = &served->log};
    served->handler = (struct http_handler){.on_head = served_on_head,
                                            .on_end = served_on_end,
                                            .on_abort = served_on_abort,
                                            .on_close = served_on_close,
                                            .user = served};
}

/* Waits for the requests still under way, and runs the tasks that they leave. */
static inline void served_end(struct served *served) {
    assert_good(inference_server_drain(served->server, clock_monotonic_ns() + 60 * NS_PER_S));
    while (served->tasks)
        served_run_task(served);
    inference_server_destroy(served->server);
    load_meter_destroy(served->load);
    metrics_state_destroy(served->metrics);
    assert_good(file_remove_tree(served->directory));
    pthread_mutex_destroy(&served->lock);
    pthread_cond_destroy(&served->posted);
}

/* ---- a connection ---- */

static inline struct session *served_connect(struct served *served) {
    struct session *session = NULL;
    assert_good(h1_session_create(&served->handler, &served->limits, &session));
    return session;
}

/* What identity model "m" of served_begin_identity takes. */
#define SERVED_REQUEST "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[7]}]}"

/* A server of that model, and a connection to it. */
static inline struct session *served_begin_identity(struct served *served) {
    served_init(served);
    served_add_model(served, "m",
                     "backend: \"identity\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
                     "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] }");
    served_start(served);
    return served_connect(served);
}

static inline void served_send(struct session *session, const char *text) {
    assert_good(session->ops->input(session, text, strlen(text)));
}

/* What the server has to say by now, NUL-terminated; free it with buf_free. */
static inline struct buf served_receive(struct session *session) {
    struct buf out = BUF_EMPTY;
    assert_good(take_from(session, 1 << 20, &out));
    buf_append_char(&out, '\0');
    return out;
}

/* The same once there is something to say: at once by a quick model whose instance is idle, else by a task. */
static inline struct buf served_await(struct served *served, struct session *session) {
    struct buf out = served_receive(session);
    while (out.size == 1) {
        buf_free(&out);
        served_run_task(served);
        out = served_receive(session);
    }
    return out;
}

static inline void served_send_infer(struct session *session, const char *model, const char *json) {
    char text[2048];
    snprintf(text, sizeof text, "POST /v2/models/%s/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", model,
             strlen(json), json);
    served_send(session, text);
}

static inline void served_check(struct buf answer, const char *status, const char *part) {
    if (strncmp(answer.data, "HTTP/1.1 ", 9) != 0 || strncmp(answer.data + 9, status, strlen(status)) != 0 ||
        !strstr(answer.data, part))
        fail_msg("expected %s and %s in:\n%s", status, part, answer.data);
    buf_free(&answer);
}

/* The answer has this status line and holds this text. */
static inline void served_expect(struct session *session, const char *status, const char *part) {
    served_check(served_receive(session), status, part);
}

/* The same for an answer that may still be on its way. */
static inline void served_expect_soon(struct served *served, struct session *session, const char *status,
                                      const char *part) {
    served_check(served_await(served, session), status, part);
}

#endif
