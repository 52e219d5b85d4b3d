#include "backends/bert/bert_model.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/bert/shared_engines.h"
#include "checkpoint/bert_locate.h"
#include "core/config_parameters.h"

enum {
    BATCH_TOKENS_CPU = 1024,
    BATCH_TOKENS_GPU = 16384,
    BATCH_TOKENS_MAX = 65536,
    BF16_LAYERS_MAX = 1000,
    PARAMETERS_MAX = 32,
    GPU_BITS = 64
};
/* Of configs that leave it out. On a GPU it is to bound no batch of sequences of 64 tokens or more. */
enum { BATCH_SIZE_CPU = 8, BATCH_SIZE_GPU = 256 };

struct bert_backend {
    struct bert_pool *pool;
    struct shared_engines *engines;
    atomic_uint_least64_t lost_gpus; /* bits 1 << number */
};

/* ---- the backend ---- */

struct status bert_model_initialize(void **ret_backend) {
    struct bert_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for backend 'bert'");
    struct status status = bert_pool_create(0, &backend->pool);
    if (status_is_ok(&status))
        status = shared_engines_create(backend->pool, &backend->engines);
    if (status_is_ok(&status))
        *ret_backend = backend;
    else
        bert_model_finalize(backend);
    return status;
}

void bert_model_finalize(void *pointer) {
    struct bert_backend *backend = pointer;
    shared_engines_destroy(backend->engines);
    bert_pool_destroy(backend->pool);
    free(backend);
}

struct status bert_model_complete_config(void *backend, struct model_config *config, const char *version_directory) {
    const struct model_gpus gpus = {bert_model_gpu_count, bert_model_gpu_check, bert_model_gpu_suits, backend,
                                    version_directory};
    const struct bert_task *task;
    STATUS_TRY(bert_task_of(config, &task));
    bool on_gpu = model_config_wants_gpu(config, &gpus);
    bool bare = model_config_message_inputs(config) == 0 && model_config_message_outputs(config) == 0;
    if (on_gpu && bare)
        STATUS_TRY(model_config_batch_by_default(config));
    return bert_task_complete_config(task, on_gpu ? BATCH_SIZE_GPU : BATCH_SIZE_CPU, config);
}

/* ---- parameters ---- */

/* Those of every task, and this one's. */
static struct status check_known(const struct model_config *config, const struct bert_task *task) {
    static const char *const common[] = {"task",          "inference_precision", "bf16_layers", "instruction_set",
                                         "short_batches", "max_batch_tokens"};
    const char *known[PARAMETERS_MAX];
    size_t count = 0;
    for (; count < sizeof common / sizeof common[0]; count++)
        known[count] = common[count];
    for (size_t i = 0; i < task->parameter_count && count < PARAMETERS_MAX; i++)
        known[count++] = task->parameters[i];
    return config_parameters_check(config, "bert", known, count);
}

/* A parameter as text; `usual` where the config has none. */
static struct slice parameter_text(const struct model_config *config, const char *key, const char *usual,
                                   char text[32]) {
    struct slice value = slice_of(usual);
    (void)model_config_parameter(config, key, &value);
    size_t size = value.size < 31 ? value.size : 31;
    if (size > 0)
        memcpy(text, value.data, size);
    text[size] = '\0';
    return value;
}

/* A parameter as a number; *ret stays where the config has none. */
static struct status parameter_number(const struct model_config *config, const char *key, uint64_t least, uint64_t most,
                                      uint64_t *ret) {
    struct slice value;
    uint64_t number;
    if (!model_config_parameter(config, key, &value))
        return status_ok();
    if (!slice_to_u64(value, &number) || number < least || number > most)
        return status_error(STATUS_INVALID_ARGUMENT, "parameter %s must be %llu to %llu, got '%.*s'", key,
                            (unsigned long long)least, (unsigned long long)most, SLICE_ARGS(value));
    *ret = number;
    return status_ok();
}

static struct status parse_parameters(const struct model_config *config, struct bert_engine_options *ret,
                                      uint64_t *ret_batch_tokens) {
    char text[32], known[64];
    uint64_t bf16_layers = 0;
    struct slice value = parameter_text(config, "inference_precision", "auto", text);
    bert_precision_list(known, sizeof known);
    if (!bert_precision_parse(text, &ret->precision))
        return status_error(STATUS_INVALID_ARGUMENT, "parameter inference_precision must be one of %s, got '%.*s'",
                            known, SLICE_ARGS(value));
    value = parameter_text(config, "instruction_set", "auto", text);
    if (!bert_isa_parse(text, &ret->isa))
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "parameter instruction_set must be auto, reference, avx2, avx512 or avx512_bf16, got '%.*s'",
            SLICE_ARGS(value));
    value = parameter_text(config, "short_batches", "auto", text);
    if (!bert_short_batches_parse(text, &ret->short_batches))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "parameter short_batches must be graphs, auto or persistent, got '%.*s'",
                            SLICE_ARGS(value));
    STATUS_TRY(parameter_number(config, "bf16_layers", 0, BF16_LAYERS_MAX, &bf16_layers));
    if (bf16_layers && ret->precision != BERT_PRECISION_FP8)
        return status_error(STATUS_INVALID_ARGUMENT, "parameter bf16_layers is for inference_precision fp8, not %s",
                            bert_precision_text(ret->precision));
    ret->bf16_layers = (int64_t)bf16_layers;
    *ret_batch_tokens = 0;
    return parameter_number(config, "max_batch_tokens", 1, BATCH_TOKENS_MAX, ret_batch_tokens);
}

/* ---- loading ---- */

static struct status check_head(const struct bert_engine *engine, const struct bert_task *task) {
    static const char *const names[BERT_HEAD_COUNT] = {"question-answering head", "pooler", "classifier of sequences"};
    if (task->head == BERT_HEAD_COUNT || bert_engine_has(engine, task->head))
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "task %s: the model has no %s", task->name, names[task->head]);
}

static struct bert_device device_of(const struct instance_place *place) {
    return place->on_gpu ? (struct bert_device){BERT_DEVICE_CUDA, place->gpu}
                         : (struct bert_device){BERT_DEVICE_CPU, 0};
}

/* One in each place where there are instances, all of the same files. */
static struct status get_engines(struct bert_model *model, const char *directory, struct bert_engine_options *options) {
    const struct model_config *config = model->config;
    struct shared_engine *any = NULL;
    model->shared = calloc((size_t)config->instance_count, sizeof(struct shared_engine *));
    if (!model->shared)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %d engines", config->instance_count);
    for (int i = 0; i < config->instance_count; i++) {
        if (!model_config_is_first_in_place(config, i))
            continue;
        options->device = device_of(&config->instances[i]);
        STATUS_TRY(shared_engines_get(model->backend->engines, directory, options, &model->shared[i]));
        if (any && !shared_engine_same_files(any, model->shared[i]))
            return status_error(STATUS_UNAVAILABLE, "the checkpoint in %s was replaced while it was read", directory);
        any = model->shared[i];
        model->engine = shared_engine_engine(any);
    }
    return status_ok();
}

static struct status fill(struct bert_model *model, const struct backend_model_args *args) {
    struct bert_engine_options options = {0};
    STATUS_TRY(bert_task_of(args->config, &model->task));
    STATUS_TRY(bert_task_check_tensors(model->task, args->config));
    STATUS_TRY(check_known(args->config, model->task));
    STATUS_TRY(parse_parameters(args->config, &options, &model->batch_tokens));
    STATUS_TRY(get_engines(model, args->version_directory, &options));
    STATUS_TRY(check_head(model->engine, model->task));
    return model->task->load ? model->task->load(model, args->version_directory) : status_ok();
}

struct status bert_model_load(void *backend, const struct backend_model_args *args, void **ret_model) {
    struct bert_model *model = calloc(1, sizeof *model);
    if (!model)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a model");
    model->backend = backend;
    model->config = args->config;
    struct status status = fill(model, args);
    if (status_is_ok(&status))
        *ret_model = model;
    else
        bert_model_unload(model);
    return status;
}

void bert_model_unload(void *pointer) {
    struct bert_model *model = pointer;
    if (model->task && model->task->unload)
        model->task->unload(model);
    for (int i = 0; model->shared && i < model->config->instance_count; i++)
        shared_engines_release(model->backend->engines, model->shared[i]);
    free(model->shared);
    free(model);
}

/* ---- devices ---- */

const struct bert_engine *bert_model_engine(const struct bert_model *model, const struct instance_place *place) {
    const struct instance_place *places = model->config->instances;
    int i = 0;
    while (places[i].on_gpu != place->on_gpu || places[i].gpu != place->gpu)
        i++;
    return shared_engine_engine(model->shared[i]);
}

int bert_model_gpu_count(void *backend) {
    (void)backend;
    return bert_device_count(BERT_DEVICE_CUDA);
}

struct status bert_model_gpu_check(void *backend, int32_t gpu) {
    (void)backend;
    return bert_device_check(&(struct bert_device){BERT_DEVICE_CUDA, gpu});
}

/* The shape of the checkpoint in a folder. */
static struct status read_shape(const char *directory, struct bert_config *ret) {
    struct bert_files files;
    struct arena *arena = arena_create(0);
    if (!arena)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to look for a checkpoint");
    struct status status = bert_locate(directory, NULL, arena, &files);
    if (status_is_ok(&status))
        status = bert_config_read(files.config, ret);
    arena_destroy(arena);
    return status;
}

/* A config or a checkpoint that is wrong in itself suits every GPU: loading tells what is wrong. */
bool bert_model_gpu_suits(void *backend, int32_t gpu, const struct model_config *config,
                          const char *version_directory) {
    (void)backend;
    uint64_t batch_tokens;
    struct bert_config shape;
    struct bert_engine_options options = {.device = {BERT_DEVICE_CUDA, gpu}};
    struct status readable = parse_parameters(config, &options, &batch_tokens);
    if (status_is_ok(&readable))
        readable = read_shape(version_directory, &shape);
    if (!status_is_ok(&readable))
        return true;
    struct status status = bert_engine_resolve(&options);
    if (status_is_ok(&status))
        status = bert_device_suits(&options.device, &shape);
    return status_is_ok(&status);
}

void bert_model_describe(const void *model, const struct instance_place *place, char *text, size_t size) {
    const struct bert_engine *engine = bert_model_engine(model, place);
    const char *precision = bert_precision_text(bert_engine_precision(engine)), *kernels = bert_engine_kernels(engine);
    const long long layers = (long long)bert_engine_bf16_layers(engine);
    if (layers)
        snprintf(text, size, "%s after %lld %s of bf16, %s", precision, layers, layers == 1 ? "layer" : "layers",
                 kernels);
    else
        snprintf(text, size, "%s, %s", precision, kernels);
}

/* A GPU is lost to all models when a batch of one has found it out. */
bool bert_model_is_lost(const void *pointer) {
    const struct bert_model *model = pointer;
    uint64_t own = 0;
    for (int i = 0; i < model->config->instance_count; i++) {
        if (!model->shared[i] || !model->config->instances[i].on_gpu)
            continue;
        const uint64_t bit = UINT64_C(1) << (model->config->instances[i].gpu % GPU_BITS);
        own |= bit;
        if (bert_engine_is_lost(shared_engine_engine(model->shared[i])))
            atomic_fetch_or(&model->backend->lost_gpus, bit);
    }
    return (atomic_load(&model->backend->lost_gpus) & own) != 0;
}

uint64_t bert_model_memory(const void *model, const struct instance_place *place) {
    return bert_engine_memory(bert_model_engine(model, place));
}

/* ---- the batch decision ---- */

struct infer_cost bert_model_cost(void *pointer, const struct infer_request *request) {
    const struct bert_model *model = pointer;
    return model->task->cost(model, request);
}

uint64_t bert_model_token_budget(const void *pointer, const struct instance_place *place) {
    const struct bert_model *model = pointer;
    if (model->batch_tokens > 0)
        return model->batch_tokens;
    return place->on_gpu ? BATCH_TOKENS_GPU : BATCH_TOKENS_CPU;
}
