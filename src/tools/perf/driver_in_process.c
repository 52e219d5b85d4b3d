/* driver_in_process.c: no network: the core of the server in this process, called as the protocols' adapters call it.
 *
 * A call is the core's from its submission until its release, which comes on whatever thread ran it; then it waits in
 * the list of those done until poll() takes it and runs its callback. One lock guards that list and whose a call is. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "codec/model_config_messages.h"
#include "core/inference_server.h"
#include "core/model_config.h"
#include "tools/engines/engines.h"
#include "tools/perf/core_request.h"
#include "tools/perf/driver.h"

enum { IN_FLIGHT_MAX = 1 << 17, CALLS_PER_BLOCK = 256, DRAIN_S = 10 };

struct core_driver;
struct core_call {
    struct core_driver *driver;
    struct core_call *next; /* of those done, or of the spare ones */
    struct infer_request *request;
    bool submitted;                  /* the request is the core's; under the lock */
    struct infer_response *response; /* the last that has outputs */
    struct status status;
    struct infer_timing timing;
    uint64_t deadline_ns; /* 0: none */
    struct buf responses; /* uint64_t, when each came */
    infer_callback_f *callback;
    void *user;
};

/* Statistics that were taken when they were asked for, and are told with the next poll. */
struct core_answer {
    struct core_answer *next;
    struct arena *arena;
    struct status status;
    struct infer_statistics *items;
    size_t count;
    infer_statistics_f *callback;
    void *user;
};

struct core_driver {
    struct driver base;
    struct arena *arena;
    struct log log;
    const struct backend_ops *builtin[ENGINES_BUILTIN_COUNT];
    struct inference_server *core;
    uint64_t timeout_ns;
    size_t in_flight;
    struct core_call **blocks;
    size_t block_count;
    struct core_call *spare;
    struct core_answer *answers;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic clock */
    struct core_call *done, **done_end;
};

static struct core_driver *self_of(struct driver *driver) {
    return (struct core_driver *)driver;
}

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a request");
}

/* ---- calls ---- */

static struct core_call *take_call(struct core_driver *self) {
    if (self->spare == NULL) {
        struct core_call **blocks = realloc(self->blocks, (self->block_count + 1) * sizeof *blocks);
        if (blocks == NULL)
            return NULL;
        self->blocks = blocks;
        struct core_call *block = calloc(CALLS_PER_BLOCK, sizeof *block);
        if (block == NULL)
            return NULL;
        blocks[self->block_count++] = block;
        for (size_t i = 0; i < CALLS_PER_BLOCK; i++) {
            block[i].next = self->spare;
            self->spare = &block[i];
        }
    }
    struct core_call *call = self->spare;
    struct buf responses = call->responses;
    self->spare = call->next;
    buf_clear(&responses);
    *call = (struct core_call){.driver = self, .responses = responses, .status = status_ok()};
    return call;
}

/* The response first: an error's may live in the request. */
static void give_back(struct core_call *call) {
    infer_response_destroy(call->response);
    infer_request_destroy(call->request);
    call->response = NULL;
    call->request = NULL;
    call->next = call->driver->spare;
    call->driver->spare = call;
}

static void append_done(struct core_call *call) {
    struct core_driver *self = call->driver;
    call->next = NULL;
    pthread_mutex_lock(&self->lock);
    call->submitted = false;
    *self->done_end = call;
    self->done_end = &call->next;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* ---- what the core calls, on any thread ---- */

static void on_response(struct infer_request *request, struct infer_response *response, void *user) {
    (void)request;
    struct core_call *call = user;
    uint64_t now_ns = clock_monotonic_ns();
    call->timing.receive_start_ns = now_ns;
    if (!status_is_ok(&response->status))
        call->status = response->status;
    if (response->empty || !status_is_ok(&response->status)) {
        infer_response_destroy(response);
        return;
    }
    buf_append(&call->responses, &now_ns, sizeof now_ns);
    infer_response_destroy(call->response);
    call->response = response;
}

static void on_release(struct infer_request *request, void *user) {
    (void)request; /* destroyed when its call has been delivered */
    append_done(user);
}

/* ---- requests ---- */

/* A request that the core refuses has failed like one that a server refuses; only what is wrong here is an error. */
static struct status core_send(struct driver *driver, const struct infer_request_spec *spec, infer_callback_f *callback,
                               void *user) {
    struct core_driver *self = self_of(driver);
    uint64_t now_ns = clock_monotonic_ns();
    struct core_call *call = take_call(self);
    if (call == NULL)
        return out_of_memory();
    call->timing.start_ns = now_ns;
    call->callback = callback;
    call->user = user;
    call->request = infer_request_create(0);
    struct status status = call->request != NULL ? core_request_fill(spec, now_ns, call->request) : out_of_memory();
    if (!status_is_ok(&status)) {
        give_back(call);
        return status;
    }
    if (self->timeout_ns > 0 && !__builtin_add_overflow(now_ns, self->timeout_ns, &call->deadline_ns))
        call->request->deadline_ns = call->deadline_ns;
    call->request->times.received = now_ns;
    call->request->takes_several = true;
    call->request->on_response = on_response;
    call->request->on_release = on_release;
    call->request->user = call;
    call->submitted = true; /* nobody else knows it yet */
    self->in_flight++;
    /* From a good submission on the call may end on another thread at any moment, so the time is taken before it. */
    call->timing.sent_ns = clock_monotonic_ns();
    status = inference_server_submit(self->core, call->request);
    if (!status_is_ok(&status)) {
        call->status = status;
        append_done(call);
    }
    return status_ok();
}

/* ---- answers ---- */

static struct status read_outputs(const struct core_call *call, struct infer_result *ret) {
    const struct infer_response *response = call->response;
    size_t count = response != NULL ? response->output_count : 0;
    struct infer_tensor *outputs = arena_calloc(call->request->arena, count, sizeof *outputs);
    if (outputs == NULL)
        return out_of_memory();
    for (size_t i = 0; i < count; i++) {
        const struct tensor *from = &response->outputs[i];
        outputs[i] = (struct infer_tensor){from->name, slice_of(datatype_name(from->type)), from->shape,
                                           (size_t)from->rank, from->data};
    }
    ret->outputs = outputs;
    ret->output_count = count;
    ret->response_ns = (const uint64_t *)(const void *)call->responses.data;
    ret->response_count = call->responses.size / sizeof *ret->response_ns;
    return status_ok();
}

static void deliver(struct core_call *call) {
    struct infer_result result = {.status = call->status};
    if (status_is_ok(&result.status))
        result.status = read_outputs(call, &result);
    call->timing.end_ns = clock_monotonic_ns();
    if (status_is_ok(&result.status) && call->deadline_ns > 0 && call->timing.end_ns > call->deadline_ns) {
        result = (struct infer_result){
            .status = status_error(STATUS_DEADLINE_EXCEEDED, "the answer came after its time limit")};
    }
    result.timing = call->timing;
    call->driver->in_flight--;
    call->callback(call->user, &result);
    give_back(call);
}

static bool deliver_answers(struct core_driver *self) {
    bool any = self->answers != NULL;
    while (self->answers != NULL) {
        struct core_answer *answer = self->answers;
        self->answers = answer->next;
        answer->callback(answer->user, &answer->status, answer->items, answer->count);
        arena_destroy(answer->arena); /* it lives there */
    }
    return any;
}

/* Those that are done; waits for one, but not past `until_ns`. */
static struct core_call *take_done(struct core_driver *self, uint64_t until_ns) {
    const struct timespec until = {(time_t)(until_ns / NS_PER_S), (long)(until_ns % NS_PER_S)};
    int error = 0;
    pthread_mutex_lock(&self->lock);
    while (self->done == NULL && error != ETIMEDOUT)
        error = until_ns == UINT64_MAX ? pthread_cond_wait(&self->changed, &self->lock)
                                       : pthread_cond_timedwait(&self->changed, &self->lock, &until);
    struct core_call *done = self->done;
    self->done = NULL;
    self->done_end = &self->done;
    pthread_mutex_unlock(&self->lock);
    return done;
}

static void core_poll(struct driver *driver, uint64_t timeout_ns) {
    struct core_driver *self = self_of(driver);
    uint64_t until_ns;
    if (deliver_answers(self))
        timeout_ns = 0;
    if (self->in_flight == 0 && timeout_ns == UINT64_MAX)
        return;
    if (__builtin_add_overflow(clock_monotonic_ns(), timeout_ns, &until_ns))
        until_ns = UINT64_MAX;
    for (struct core_call *call = take_done(self, until_ns), *next; call != NULL; call = next) {
        next = call->next;
        deliver(call);
    }
}

/* ---- statistics ---- */

static struct infer_counter counter_of(struct duration_stat from) {
    return (struct infer_counter){from.count, from.ns};
}

/* Of one version; a model that is gone meanwhile has none. */
static struct status take_statistics(struct inference_server *core, struct slice name, int64_t version,
                                     struct core_answer *answer) {
    struct model *model;
    struct model_statistics from;
    char digits[SLICE_U64_DIGITS];
    struct status status = inference_server_acquire_model(core, name, version, &model);
    if (!status_is_ok(&status))
        return status_ok();
    version = model_version_of(model);
    status = model_statistics_snapshot(model, answer->arena, &from);
    model_release(model);
    if (!status_is_ok(&status))
        return status;
    answer->items[answer->count++] = (struct infer_statistics){
        .name = arena_copy(answer->arena, name),
        .version = arena_copy(answer->arena, slice_from_u64((uint64_t)version, digits)),
        .inference_count = from.inference_count,
        .execution_count = from.execution_count,
        .success = counter_of(from.success),
        .fail = counter_of(from.fail),
        .queue = counter_of(from.queue),
        .compute_input = counter_of(from.compute_input),
        .compute_infer = counter_of(from.compute_infer),
        .compute_output = counter_of(from.compute_output),
    };
    return status_ok();
}

/* Of every version that is ready and meant; an empty name means all models. */
static struct status take_all_statistics(struct inference_server *core, struct slice name, int64_t version,
                                         struct core_answer *answer) {
    struct model_index_row *rows;
    size_t count;
    STATUS_TRY(inference_server_index(core, answer->arena, &rows, &count));
    answer->items = arena_calloc(answer->arena, count, sizeof *answer->items);
    if (answer->items == NULL)
        return out_of_memory();
    for (size_t i = 0; i < count; i++) {
        bool meant = (name.size == 0 || slice_equal(rows[i].name, name)) && (version < 0 || rows[i].version == version);
        if (meant && rows[i].state == MODEL_READY)
            STATUS_TRY(take_statistics(core, rows[i].name, rows[i].version, answer));
    }
    return status_ok();
}

static struct status core_statistics(struct driver *driver, struct slice model, struct slice version,
                                     infer_statistics_f *callback, void *user) {
    struct core_driver *self = self_of(driver);
    struct arena *arena = arena_create(0);
    struct core_answer *answer = arena != NULL ? arena_calloc(arena, 1, sizeof *answer) : NULL;
    int64_t number;
    struct status status = answer != NULL ? core_request_version(version, &number) : out_of_memory();
    if (!status_is_ok(&status)) {
        arena_destroy(arena);
        return status;
    }
    *answer = (struct core_answer){.arena = arena, .callback = callback, .user = user};
    answer->status = take_all_statistics(self->core, model, number, answer);
    struct core_answer **end = &self->answers;
    while (*end != NULL)
        end = &(*end)->next;
    *end = answer;
    return status_ok();
}

/* ---- the model ---- */

/* As a copy in the caller's arena, whatever becomes of the model. */
static struct status copy_config(struct model *model, struct arena *arena, struct infer_model_info *ret) {
    struct buf bytes = BUF_EMPTY;
    struct pb_model_config *config = arena_calloc(arena, 1, sizeof *config);
    struct status status = pb_encode(&pb_model_config_type, model_config_of(model)->message, &bytes);
    struct slice copy = status_is_ok(&status) ? arena_copy(arena, buf_slice(&bytes)) : (struct slice){NULL, 0};
    bool copied = config != NULL && copy.size == bytes.size;
    buf_free(&bytes);
    if (status_is_ok(&status))
        status = copied ? pb_decode(&pb_model_config_type, copy, arena, config) : out_of_memory();
    return status_is_ok(&status) ? infer_model_info_read(config, arena, ret) : status;
}

static struct status core_describe(struct driver *driver, struct slice model, struct slice version, struct arena *arena,
                                   struct infer_model_info *ret, bool *ret_has_statistics) {
    struct model *pinned;
    int64_t number;
    STATUS_TRY(core_request_version(version, &number));
    STATUS_TRY(inference_server_acquire_model(self_of(driver)->core, model, number, &pinned));
    *ret_has_statistics = true;
    struct status status = copy_config(pinned, arena, ret);
    model_release(pinned);
    return status;
}

static struct status core_memory_register(struct driver *driver, struct slice region, struct slice key,
                                          uint64_t byte_size) {
    (void)driver, (void)region, (void)key, (void)byte_size;
    return status_error(STATUS_UNSUPPORTED, "tensors are in this process as it is: leave out --shared-memory");
}

static struct status core_memory_unregister(struct driver *driver, struct slice region) {
    return core_memory_register(driver, region, region, 0);
}

/* ---- life ---- */

/* on_release waits for the lock, so that what is submitted then is the core's while it is cancelled. */
static void cancel_all(struct core_driver *self) {
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->block_count * CALLS_PER_BLOCK; i++) {
        struct core_call *call = &self->blocks[i / CALLS_PER_BLOCK][i % CALLS_PER_BLOCK];
        if (call->submitted)
            inference_server_cancel(self->core, call->request);
    }
    pthread_mutex_unlock(&self->lock);
}

/* What runs already is waited for: there is no connection to be cut. */
static void core_cancel(struct driver *driver) {
    struct core_driver *self = self_of(driver);
    cancel_all(self);
    while (self->in_flight > 0)
        core_poll(driver, UINT64_MAX);
}

static void core_close(struct driver *driver) {
    struct core_driver *self = self_of(driver);
    if (self->in_flight > 0)
        core_cancel(driver);
    deliver_answers(self);
    if (self->core != NULL) {
        inference_server_refuse_loads(self->core);
        struct status status = inference_server_drain(self->core, clock_monotonic_ns() + DRAIN_S * NS_PER_S);
        if (!status_is_ok(&status))
            LOG_WARNING(&self->log, "%s", status.message);
    }
    inference_server_destroy(self->core);
    for (size_t b = 0; b < self->block_count; b++) {
        for (size_t i = 0; i < CALLS_PER_BLOCK; i++)
            buf_free(&self->blocks[b][i].responses);
        free(self->blocks[b]);
    }
    free(self->blocks);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    arena_destroy(self->arena);
    free(self);
}

static const struct driver_ops core_ops = {
    .send = core_send,
    .statistics = core_statistics,
    .poll = core_poll,
    .cancel = core_cancel,
    .close = core_close,
    .memory_register = core_memory_register,
    .memory_unregister = core_memory_unregister,
    .describe = core_describe,
};

/* Only the models that are named are loaded. Ctrl-C is for the thread that measures, so the core's threads, which
 * inherit the mask of signals, do not take it. */
static struct status start_core(struct core_driver *self, const struct driver_in_process_options *options) {
    const char *directory = options->backend_directory;
    size_t failed = 0;
    if (directory == NULL)
        directory = engines_default_directory(self->arena);
    engines_builtin(self->builtin);
    const struct inference_server_options core = {
        .repositories = options->repositories,
        .repository_count = options->repository_count,
        .control = MODEL_CONTROL_EXPLICIT,
        .startup_models = options->models,
        .startup_model_count = options->model_count,
        .backend_directory = directory,
        .builtin_backends = self->builtin,
        .builtin_backend_count = ENGINES_BUILTIN_COUNT,
        .max_queue_size = IN_FLIGHT_MAX,
        .log = &self->log,
    };
    sigset_t interrupts, before;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupts, &before);
    struct status status = inference_server_create(&core, &self->core);
    if (status_is_ok(&status))
        status = inference_server_load_models(self->core, &failed); /* describe tells why one could not be loaded */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

struct status driver_in_process_open(const struct driver_in_process_options *options, struct driver **ret) {
    struct core_driver *self = calloc(1, sizeof *self);
    pthread_condattr_t attributes;
    if (self == NULL)
        return out_of_memory();
    *self = (struct core_driver){.base = {&core_ops}, .log = log_default(), .timeout_ns = options->request_timeout_ns};
    atomic_store(&self->log.info, false);
    self->done_end = &self->done;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&self->lock, NULL);
    self->arena = arena_create(0);
    struct status status = self->arena != NULL ? start_core(self, options) : out_of_memory();
    if (status_is_ok(&status))
        *ret = &self->base;
    else
        core_close(&self->base);
    return status;
}
