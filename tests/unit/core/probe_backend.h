/* probe_backend.h: an engine for tests that stops where the test wants it, and writes down what it was given.
 *
 * Requests are told apart by the first number of their input. While the gate is closed, executions wait in execute().
 */
#ifndef INFERD_TESTS_CORE_PROBE_BACKEND_H
#define INFERD_TESTS_CORE_PROBE_BACKEND_H

#include <stdatomic.h>

#include "server_fixture.h"

enum { PROBE_BATCHES = 64, PROBE_REQUESTS = 64 };

enum probe_mode {
    PROBE_ANSWER,       /* answers in execute() */
    PROBE_FAIL,         /* execute() returns an error */
    PROBE_FAIL_EACH,    /* every request is answered with an error */
    PROBE_NO_MEMORY,    /* answers with NULL */
    PROBE_TWICE,        /* gives two final responses */
    PROBE_LATER,        /* a thread answers after execute() has returned: two parts and a final one */
    PROBE_FINISH,       /* ends the request without a response */
    PROBE_BROKEN_SHAPE, /* an output of another rank than the config's */
    PROBE_BROKEN_PART,  /* a good part, one with such an output, another good part, and the end */
    PROBE_BROKEN_TIMES  /* times that go backwards */
};

struct probe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum probe_mode mode;
    bool open;
    int32_t hold;   /* executions of the request with this mark wait, whatever the gate; 0: none */
    size_t entered; /* executions */
    size_t batch_count;
    struct {
        size_t count;
        uint32_t items;
        int32_t marks[PROBE_REQUESTS];
    } batches[PROBE_BATCHES];
    pthread_t threads[PROBE_REQUESTS]; /* of PROBE_LATER */
    size_t thread_count;
    atomic_int initialized, loaded, instances; /* several models may be loaded at once */
};

static struct probe probe;

static inline int32_t probe_mark(const struct infer_request *request) {
    int32_t mark;
    memcpy(&mark, request->inputs[0].data.data, sizeof mark);
    return mark;
}

static inline void probe_reset(enum probe_mode mode, bool open) {
    probe = (struct probe){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    probe.mode = mode;
    probe.open = open;
}

static inline void probe_open(void) {
    pthread_mutex_lock(&probe.lock);
    probe.open = true;
    probe.hold = 0;
    pthread_cond_broadcast(&probe.changed);
    pthread_mutex_unlock(&probe.lock);
}

/* Waits until so many executions have begun. */
static inline void probe_wait_entered(size_t count) {
    pthread_mutex_lock(&probe.lock);
    while (probe.entered < count)
        pthread_cond_wait(&probe.changed, &probe.lock);
    pthread_mutex_unlock(&probe.lock);
}

static inline struct infer_response *probe_response_of(struct infer_request *request, int rank) {
    struct infer_response *response = infer_response_create(request, 1);
    assert_non_null(response);
    int64_t shape[3] = {request->inputs[0].shape[0], request->inputs[0].shape[1], 1};
    char *data;
    size_t size = request->inputs[0].data.size;
    assert_good(infer_response_add_output(response, slice_of("y"), DATATYPE_INT32, shape, rank, size, &data));
    memcpy(data, request->inputs[0].data.data, size);
    return response;
}

static inline struct infer_response *probe_response(struct infer_request *request) {
    return probe_response_of(request, probe.mode == PROBE_BROKEN_SHAPE ? 3 : 2);
}

static inline void *probe_answer_later(void *argument) {
    struct infer_request *request = argument;
    backend_respond(request, probe_response(request), false);
    pthread_mutex_lock(&probe.lock);
    while (!probe.open)
        pthread_cond_wait(&probe.changed, &probe.lock);
    pthread_mutex_unlock(&probe.lock);
    backend_respond(request, probe_response(request), false);
    backend_respond(request, probe_response(request), true);
    return NULL;
}

static inline void probe_answer(struct infer_request *request) {
    if (probe.mode == PROBE_LATER) {
        pthread_create(&probe.threads[probe.thread_count++], NULL, probe_answer_later, request);
    } else if (probe.mode == PROBE_FAIL_EACH) {
        backend_respond_error(request, status_error(STATUS_INTERNAL, "no answer for you"));
    } else if (probe.mode == PROBE_FINISH) {
        backend_finish(request);
    } else if (probe.mode == PROBE_BROKEN_PART) {
        backend_respond(request, probe_response(request), false);
        backend_respond(request, probe_response_of(request, 3), false);
        backend_respond(request, probe_response(request), false);
        backend_finish(request);
    } else if (probe.mode == PROBE_NO_MEMORY) {
        backend_respond(request, NULL, true);
    } else {
        backend_respond(request, probe_response(request), true);
        if (probe.mode == PROBE_TWICE)
            backend_respond(request, probe_response(request), true);
    }
}

static inline bool probe_must_wait(const struct backend_batch *batch) {
    bool held = false;
    for (size_t i = 0; i < batch->count; i++)
        held |= probe.hold != 0 && probe_mark(batch->requests[i]) == probe.hold;
    return held || (!probe.open && probe.mode != PROBE_LATER && probe.hold == 0);
}

static inline struct status probe_execute(void *instance, const struct backend_batch *batch,
                                          struct backend_times *times) {
    (void)instance;
    pthread_mutex_lock(&probe.lock);
    if (probe.batch_count < PROBE_BATCHES) {
        size_t at = probe.batch_count++;
        probe.batches[at].count = batch->count;
        probe.batches[at].items = batch->items;
        for (size_t i = 0; i < batch->count && i < PROBE_REQUESTS; i++)
            probe.batches[at].marks[i] = probe_mark(batch->requests[i]);
    }
    probe.entered++;
    pthread_cond_broadcast(&probe.changed);
    while (probe_must_wait(batch))
        pthread_cond_wait(&probe.changed, &probe.lock);
    pthread_mutex_unlock(&probe.lock);
    if (probe.mode == PROBE_BROKEN_TIMES)
        *times = (struct backend_times){UINT64_MAX, 5, UINT64_MAX - 3, 7};
    if (probe.mode == PROBE_FAIL)
        return status_error(STATUS_INTERNAL, "the engine is out of order");
    for (size_t i = 0; i < batch->count; i++)
        probe_answer(batch->requests[i]);
    return status_ok();
}

/* After the model is idle. */
static inline void probe_join(void) {
    for (size_t i = 0; i < probe.thread_count; i++)
        pthread_join(probe.threads[i], NULL);
}

static inline struct status probe_initialize(void **ret) {
    *ret = &probe;
    probe.initialized++;
    return status_ok();
}

static inline void probe_finalize(void *backend) {
    assert_ptr_equal(backend, &probe);
    probe.initialized--;
}

static inline struct status probe_load(void *backend, const struct backend_model_args *args, void **ret) {
    assert_ptr_equal(backend, &probe);
    assert_true(args->threads_per_instance >= 1);
    probe.loaded++;
    *ret = &probe;
    return status_ok();
}

static inline void probe_unload(void *model) {
    assert_ptr_equal(model, &probe);
    probe.loaded--;
}

static inline struct status probe_instance_create(void *model, int index, void **ret) {
    assert_ptr_equal(model, &probe);
    assert_int_equal(index, probe.instances);
    probe.instances++;
    *ret = &probe;
    return status_ok();
}

static inline void probe_instance_destroy(void *instance) {
    assert_ptr_equal(instance, &probe);
    probe.instances--;
}

#define PROBE_TABLE(label, is_ragged, quick)                                                                           \
    {                                                                                                                  \
        .api_version = BACKEND_API_VERSION, .name = label, .description = "for tests", .initialize = probe_initialize, \
        .finalize = probe_finalize, .load = probe_load, .unload = probe_unload,                                        \
        .instance_create = probe_instance_create, .instance_destroy = probe_instance_destroy, .ragged = is_ragged,     \
        .is_quick = quick, .execute = probe_execute,                                                                   \
    }

static inline bool probe_is_quick(const void *model) {
    assert_ptr_equal(model, &probe);
    return true;
}

static const struct backend_ops probe_backend = PROBE_TABLE("probe", false, NULL);
static const struct backend_ops ragged_probe_backend = PROBE_TABLE("ragged_probe", true, NULL);
static const struct backend_ops quick_probe_backend = PROBE_TABLE("quick_probe", false, probe_is_quick);

/* A server with one probe model "m"; `extra` goes into its config. */
static inline void probe_start(struct fixture *f, const char *extra) {
    char config[1024];
    snprintf(config, sizeof config,
             "max_batch_size: 8 input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] } "
             "output { name: \"y\" data_type: TYPE_INT32 dims: [ -1 ] } %s%s",
             strstr(extra, "backend:") ? "" : "backend: \"probe\" ", extra);
    f->backends[f->backend_count++] = &probe_backend;
    f->backends[f->backend_count++] = &ragged_probe_backend;
    f->backends[f->backend_count++] = &quick_probe_backend;
    add_model(f, "m", config);
    start_server(f);
    assert_int_equal(f->failed, 0);
}

static inline void probe_end(struct fixture *f) {
    probe_open();
    fixture_end(f);
    probe_join();
    assert_int_equal(probe.instances, 0);
    assert_int_equal(probe.loaded, 0);
    assert_int_equal(probe.initialized, 0);
}

#endif
