#include "core/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/worker_thread.h"
#include "core/core_limits.h"
#include "core/metric_tags.h"
#include "core/model_instance.h"
#include "core/model_priv.h"
#include "core/request_completion.h"
#include "core/request_state.h"
#include "core/request_validation.h"
#include "core/shared_memory.h"

static void free_model(struct model *model) {
    dynamic_batcher_destroy(model->batcher);
    response_order_destroy(model->order);
    statistics_destroy(model->statistics);
    free(model->instances);
    pthread_cond_destroy(&model->idle);
    pthread_mutex_destroy(&model->idle_lock);
    model_config_destroy(model->config);
    free(model);
}

void model_retain(struct model *model) {
    atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
}

void model_release(struct model *model) {
    if (model && atomic_fetch_sub(&model->references, 1) == 1)
        free_model(model);
}

static void drop_request(void *user, struct infer_request *request) {
    (void)user;
    request_drop(request, request->state->dropped);
}

/* The first instance in the same place. */
static int place_of(const struct model_config *config, int instance) {
    const struct instance_place *place = &config->instances[instance];
    int first = 0;
    while (config->instances[first].on_gpu != place->on_gpu || config->instances[first].gpu != place->gpu)
        first++;
    return first;
}

static struct batcher_instance batcher_instance_of(const struct model *model, int instance) {
    const struct instance_place *place = &model->config->instances[instance];
    struct batcher_instance ret = {.place = place_of(model->config, instance)};
    if (model->ops->token_budget)
        ret.token_budget = model->ops->token_budget(model->backend_model, place);
    if (place->on_gpu) {
        ret.gather_ns = CORE_GATHER_US * NS_PER_US;
        ret.gather_tokens = ret.token_budget / CORE_GATHER_PART;
    }
    return ret;
}

static struct status create_batcher(struct model *model, uint32_t max_queue_size) {
    const struct model_config *config = model->config;
    char name[64];
    struct batcher_instance *instances = arena_calloc(config->arena, (size_t)config->instance_count, sizeof *instances);
    if (!instances)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %d instances", config->instance_count);
    for (int i = 0; i < config->instance_count; i++)
        instances[i] = batcher_instance_of(model, i);
    snprintf(name, sizeof name, "q:%.*s", SLICE_ARGS(config->name));
    struct batcher_options options = {
        .policy = {.enabled = config->batching.enabled && config->max_batch_size > 0,
                   .ragged = model->ops->ragged,
                   .preferred = config->batching.preferred,
                   .preferred_count = config->batching.preferred_count,
                   .max_delay_ns = config->batching.max_delay_ns,
                   .max_items = config->max_batch_size > 0 ? (uint32_t)config->max_batch_size : 1},
        .instances = instances,
        .max_queue_size = max_queue_size,
        .instance_count = config->instance_count,
        .name = name,
        .on_dropped = drop_request,
    };
    model->keyed = options.policy.enabled && !options.policy.ragged;
    return dynamic_batcher_create(&options, &model->batcher);
}

static int threads_per_instance(const struct model_config *config) {
    int on_cpu = 0;
    for (int i = 0; i < config->instance_count; i++)
        on_cpu += !config->instances[i].on_gpu;
    int threads = on_cpu > 0 ? cpu_available_count() / on_cpu : 1;
    return threads < 1 ? 1 : threads;
}

/* The parts that need no backend. */
static struct status prepare(struct model *model, const struct model_load_args *args) {
    struct model_config *config = model->config;
    for (size_t i = 0; i < config->input_count; i++)
        if (config->inputs[i].ragged && !model->ops->ragged)
            return status_error(
                STATUS_UNSUPPORTED,
                "input '%.*s' has allow_ragged_batch, but engine '%s' joins equal shapes only: remove it",
                SLICE_ARGS(config->inputs[i].name), model->ops->name);
    STATUS_TRY(metric_tags_format(config, &model->metric_tags));
    STATUS_TRY(model_labels_load(config, args->model_directory, &model->labels));
    struct backend_model_args *own = &model->backend_args;
    own->config = config;
    own->model_directory = arena_strdup(config->arena, slice_of(args->model_directory));
    own->version_directory = arena_strdup(config->arena, slice_of(args->version_directory));
    own->version = args->version;
    own->instance_count = config->instance_count;
    own->threads_per_instance = threads_per_instance(config);
    model->instances = calloc((size_t)config->instance_count, sizeof(struct model_instance *));
    model->statistics = statistics_create();
    if (config->batching.preserve_ordering)
        model->order = response_order_create(request_deliver);
    bool complete = own->model_directory && own->version_directory && model->instances && model->statistics &&
                    (model->order || !config->batching.preserve_ordering);
    if (!complete)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model");
    if (getrandom(&model->key_seed, sizeof model->key_seed, 0) != (ssize_t)sizeof model->key_seed)
        return status_error(STATUS_INTERNAL, "the system gives no random bytes");
    return status_ok();
}

static struct status measure_memory(struct model *model) {
    const struct model_config *config = model->config;
    model->memory = arena_calloc(config->arena, (size_t)config->instance_count, sizeof *model->memory);
    if (!model->memory)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model");
    for (int i = 0; model->ops->memory && i < config->instance_count; i++)
        if (model_config_is_first_in_place(config, i))
            model->memory[model->memory_count++] = (struct model_memory){
                config->instances[i], model->ops->memory(model->backend_model, &config->instances[i])};
    return status_ok();
}

void model_describe(const struct model *model, const struct instance_place *place, char *text, size_t size) {
    text[0] = '\0';
    if (model->ops->describe)
        model->ops->describe(model->backend_model, place, text, size);
}

static struct status start(struct model *model, const struct model_load_args *args) {
    STATUS_TRY(prepare(model, args));
    STATUS_TRY(model->ops->load(args->backend, &model->backend_args, &model->backend_model));
    model->loaded = true;
    STATUS_TRY(measure_memory(model));
    model->quick = model->ops->is_quick && model->ops->is_quick(model->backend_model);
    STATUS_TRY(create_batcher(model, args->max_queue_size));
    for (int i = 0; i < model->config->instance_count; i++) {
        STATUS_TRY(model_instance_create(model, i, &model->instances[i]));
        model->instance_count++;
    }
    for (int i = 0; i < model->instance_count; i++)
        STATUS_TRY(model_instance_start(model->instances[i]));
    return status_ok();
}

struct status model_load(const struct model_load_args *args, struct model **ret) {
    struct model *model = calloc(1, sizeof *model);
    if (!model)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model");
    atomic_init(&model->references, 1);
    atomic_init(&model->accepting, true);
    model->config = args->config;
    model->version = args->version;
    model->ops = args->ops;
    model->on_lost = args->on_lost;
    model->on_lost_user = args->on_lost_user;
    pthread_mutex_init(&model->idle_lock, NULL);
    monotonic_cond_init(&model->idle);
    struct status status = start(model, args);
    if (!status_is_ok(&status)) {
        model_stop(model);
        model->config = NULL; /* stays the caller's */
        model_release(model);
        return status;
    }
    model->load_ns = clock_monotonic_ns() - args->begun_ns;
    *ret = model;
    return status_ok();
}

bool model_is_lost(struct model *model) {
    return atomic_load(&model->is_lost);
}

bool model_look_for_loss(struct model *model) {
    return model->ops->is_lost && model->ops->is_lost(model->backend_model) && !atomic_exchange(&model->is_lost, true);
}

void model_refuse(struct model *model) {
    atomic_store(&model->accepting, false);
}

struct status model_wait_idle(struct model *model, uint64_t deadline_ns) {
    pthread_mutex_lock(&model->idle_lock);
    atomic_store(&model->awaited, true);
    while (atomic_load(&model->in_flight) > 0 && clock_monotonic_ns() < deadline_ns)
        monotonic_cond_wait(&model->idle, &model->idle_lock, deadline_ns);
    pthread_mutex_unlock(&model->idle_lock);
    size_t left = atomic_load(&model->in_flight);
    if (left)
        return status_error(STATUS_DEADLINE_EXCEEDED, "model '%.*s' still has %zu requests in flight",
                            SLICE_ARGS(model->config->name), left);
    return status_ok();
}

void model_request_done(struct model *model) {
    if (atomic_fetch_sub(&model->in_flight, 1) != 1 || !atomic_load(&model->awaited))
        return;
    pthread_mutex_lock(&model->idle_lock);
    pthread_cond_broadcast(&model->idle);
    pthread_mutex_unlock(&model->idle_lock);
}

void model_stop(struct model *model) {
    model_refuse(model);
    if (model->batcher)
        dynamic_batcher_stop(model->batcher);
    /* Without a deadline this can only end well: the backend answers what it has taken. */
    struct status status = model_wait_idle(model, UINT64_MAX);
    (void)status;
    for (int i = 0; i < model->instance_count; i++)
        model_instance_destroy(model->instances[i]);
    model->instance_count = 0;
    if (model->loaded)
        model->ops->unload(model->backend_model);
    model->loaded = false;
}

const struct model_config *model_config_of(const struct model *model) {
    return model->config;
}

int64_t model_version_of(const struct model *model) {
    return model->version;
}

struct slice model_label(const struct model *model, struct slice output, uint32_t index) {
    return model_labels_get(model->labels, output, index);
}

struct slice model_metric_tags(const struct model *model) {
    return model->metric_tags;
}

int model_threads_per_instance(const struct model *model) {
    return model->backend_args.threads_per_instance;
}

const struct model_memory *model_memory_of(const struct model *model, size_t *ret_count) {
    *ret_count = model->memory_count;
    return model->memory;
}

struct status model_statistics_snapshot(struct model *model, struct arena *arena, struct model_statistics *ret) {
    STATUS_TRY(statistics_snapshot(model->statistics, arena, ret));
    ret->pending_count = dynamic_batcher_pending(model->batcher);
    ret->load_ns = model->load_ns;
    return status_ok();
}

/* Under the batcher's lock, so that the order of delivery is that of the queue. */
static void enter_order(struct infer_request *request) {
    response_order_add(request->model->order, request);
}

/* Of a request that its call does not fit, which is as little the model's failure as one that is not valid. */
static struct status check_policy(const struct model *model, const struct infer_request *request) {
    if (!model->config->decoupled || request->takes_several)
        return status_ok();
    return status_error(STATUS_UNSUPPORTED,
                        "this call doesn't support models with decoupled transaction policy, and model '%.*s' has it: "
                        "use ModelStreamInfer or generate_stream",
                        SLICE_ARGS(model->config->name));
}

static struct status check_startable(const struct infer_request *request) {
    if (atomic_load(&request->cancelled))
        return status_error(STATUS_CANCELLED, "request was cancelled before it was submitted");
    if (request->deadline_ns && request->times.queued > request->deadline_ns)
        return request_expired(request);
    return status_ok();
}

/* The request has been validated: what the scheduler needs to know of it. */
static void describe(struct model *model, struct infer_request *request, uint32_t items) {
    struct request_state *state = request->state;
    state->respond = request_respond;
    state->unpin = model_release;
    state->model_name = model->config->name;
    state->model_version = model->version;
    state->batch_size = items;
    request_reshape_inputs(model->config, request);
    request->cost = (struct infer_cost){.items = items};
    if (model->ops->cost)
        request->cost = model->ops->cost(model->backend_model, request);
    if (request->cost.items < 1)
        request->cost.items = 1;
    state->shape_key = model->keyed ? request_shape_key(model->config, request, model->key_seed) : 0;
    request->model = model;
    model_retain(model);
}

static void book_rejection(struct model *model, const struct infer_request *request, enum status_code code) {
    struct request_outcome outcome = {.items = request->state->batch_size, .failed = true, .reason = FAILURE_REJECTED};
    if (code == STATUS_CANCELLED)
        outcome.reason = FAILURE_CANCELED;
    statistics_book(model->statistics, NULL, &outcome, 1);
}

/* Runs what a submission has made ready, and a little of what has come meanwhile. The request may be gone after it. */
static void run_turn(struct model *model, struct batcher_turn *turn) {
    enum { BATCHES_MAX = 16 };
    for (int count = 1; turn->batch; count++) {
        model_instance_run(model->instances[turn->instance], turn->batch);
        dynamic_batcher_next_turn(model->batcher, turn, count < BATCHES_MAX);
    }
}

static struct status schedule(struct model *model, struct infer_request *request, struct batcher_turn *turn) {
    STATUS_TRY(check_startable(request));
    return dynamic_batcher_submit(model->batcher, request, model->order ? enter_order : NULL,
                                  model->quick && request->runs_inside ? turn : NULL);
}

static struct status submit(struct model *model, struct infer_request *request) {
    if (!atomic_load(&model->accepting))
        return status_error(STATUS_UNAVAILABLE, "model '%.*s' takes no more requests: it is being unloaded",
                            SLICE_ARGS(model->config->name));
    uint32_t items;
    STATUS_TRY(check_policy(model, request));
    STATUS_TRY(request_validate(model->config, request, &items));
    STATUS_TRY(shared_memory_settle(request, model->ops->inputs_may_change));
    describe(model, request, items);
    struct batcher_turn turn = {.batch = NULL};
    struct status status = schedule(model, request, &turn);
    if (status_is_ok(&status)) {
        run_turn(model, &turn);
        return status_ok();
    }
    book_rejection(model, request, status.code);
    request_restore_inputs(model->config, request);
    request->model = NULL;
    model_release(model); /* the request's; the caller has one of its own */
    return status;
}

struct status model_check_room(struct model *model) {
    if (dynamic_batcher_has_room(model->batcher))
        return status_ok();
    const struct request_outcome outcome = {.items = 1, .failed = true, .reason = FAILURE_REJECTED};
    statistics_book(model->statistics, NULL, &outcome, 1);
    return status_error(STATUS_UNAVAILABLE, "Exceeds maximum queue size");
}

void model_admit(struct model *model) {
    atomic_fetch_add(&model->in_flight, 1);
}

void model_withdraw(struct model *model) {
    model_request_done(model);
}

struct status model_submit(struct model *model, struct infer_request *request) {
    request->times.queued = clock_monotonic_ns();
    struct status status = submit(model, request);
    if (status_is_ok(&status))
        return status_ok();
    model_request_done(model);
    return request_status(request, status);
}

void model_cancel(struct model *model, struct infer_request *request, enum status_code why) {
    if (!dynamic_batcher_cancel(model->batcher, request, why))
        atomic_store(&request->cancelled, true);
}
