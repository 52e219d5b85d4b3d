/* gate_backend.h: an engine for tests of loads and unloads. Each load that is good gets a number, from 1, which its
 * answers carry, so that a test sees who has answered; loads and executions wait where the test wants it. */
#ifndef INFERD_TESTS_CORE_GATE_BACKEND_H
#define INFERD_TESTS_CORE_GATE_BACKEND_H

#include "server_fixture.h"

#define GATE_TENSORS                                                                                                   \
    "max_batch_size: 8 input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] } "                                      \
    "output { name: \"y\" data_type: TYPE_INT32 dims: [ -1 ] } "
#define GATE_CONFIG "backend: \"gate\" " GATE_TENSORS
#define GATE_FAILURE(text) "parameters { key: \"fail\" value { string_value: \"" text "\" } } "

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool loads_held;      /* loads wait */
    int32_t held;         /* executions of that load wait; 0: none */
    int32_t loads;        /* good ones so far */
    int live;             /* loaded and not unloaded */
    int waiting, entered; /* loads that wait; executions so far */
    char seen[1024];      /* the version folder of the last load */
    char content[64];     /* of the file "data" in it */
};

static struct gate gate;

struct gate_model {
    int32_t number;
};

static inline void gate_reset(void) {
    gate = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
}

/* What executions and loads wait for from here on. */
static inline void gate_set(bool loads_held, int32_t held) {
    pthread_mutex_lock(&gate.lock);
    gate.loads_held = loads_held;
    gate.held = held;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static inline void gate_wait(const int *counter, int value) {
    pthread_mutex_lock(&gate.lock);
    while (*counter < value)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

/* Waits for so many more executions. */
static inline void gate_wait_more(int count) {
    pthread_mutex_lock(&gate.lock);
    int goal = gate.entered + count;
    pthread_mutex_unlock(&gate.lock);
    gate_wait(&gate.entered, goal);
}

static inline int gate_live(void) {
    pthread_mutex_lock(&gate.lock);
    int live = gate.live;
    pthread_mutex_unlock(&gate.lock);
    return live;
}

static inline void gate_note_folder(const struct backend_model_args *args) {
    char path[1100];
    struct buf content = BUF_EMPTY;
    snprintf(gate.seen, sizeof gate.seen, "%s", args->version_directory);
    snprintf(path, sizeof path, "%s/data", args->version_directory);
    struct status status = file_read(path, sizeof gate.content - 1, &content);
    snprintf(gate.content, sizeof gate.content, "%.*s", status_is_ok(&status) ? (int)content.size : 0,
             content.data ? content.data : "");
    buf_free(&content);
}

static inline struct status gate_load(void *backend, const struct backend_model_args *args, void **ret) {
    (void)backend;
    struct slice why;
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (gate.loads_held)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.waiting--;
    gate_note_folder(args);
    bool fails = model_config_parameter(args->config, "fail", &why);
    struct gate_model *model = fails ? NULL : malloc(sizeof *model);
    if (model) {
        model->number = ++gate.loads;
        gate.live++;
    }
    pthread_mutex_unlock(&gate.lock);
    *ret = model;
    return fails ? status_error(STATUS_INTERNAL, "%.*s", SLICE_ARGS(why)) : status_ok();
}

static inline void gate_unload(void *model) {
    pthread_mutex_lock(&gate.lock);
    gate.live--;
    pthread_mutex_unlock(&gate.lock);
    free(model);
}

static inline struct status gate_instance_create(void *model, int index, void **ret) {
    (void)index;
    *ret = model;
    return status_ok();
}

static inline void gate_instance_destroy(void *instance) {
    (void)instance;
}

static inline void gate_answer(struct infer_request *request, int32_t number) {
    struct infer_response *response = infer_response_create(request, 1);
    char *data;
    const struct tensor *x = &request->inputs[0];
    assert_non_null(response);
    assert_good(infer_response_add_output(response, slice_of("y"), DATATYPE_INT32, x->shape, 2, x->data.size, &data));
    memcpy(data, x->data.data, x->data.size);
    memcpy(data, &number, sizeof number);
    backend_respond(request, response, true);
}

static inline struct status gate_execute(void *instance, const struct backend_batch *batch,
                                         struct backend_times *times) {
    (void)times;
    const struct gate_model *model = instance;
    pthread_mutex_lock(&gate.lock);
    gate.entered++;
    pthread_cond_broadcast(&gate.changed);
    while (gate.held == model->number)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    for (size_t i = 0; i < batch->count; i++)
        gate_answer(batch->requests[i], model->number);
    return status_ok();
}

static const struct backend_ops gate_backend = {
    .api_version = BACKEND_API_VERSION,
    .name = "gate",
    .description = "for tests",
    .load = gate_load,
    .unload = gate_unload,
    .instance_create = gate_instance_create,
    .instance_destroy = gate_instance_destroy,
    .execute = gate_execute,
};

/* The number of the load that has answered. */
static inline int32_t gate_number(const struct call *call) {
    int32_t number = 0;
    assert_string_equal(call->status.message, "");
    memcpy(&number, call->last->outputs[0].data.data, sizeof number);
    return number;
}

/* Asks the model; the number of the load that answers. */
static inline int32_t gate_ask(struct fixture *f, const char *model) {
    struct call call;
    call_vector(&call, f, model, 1, 0);
    call_run(&call);
    int32_t number = gate_number(&call);
    call_end(&call);
    return number;
}

#endif
