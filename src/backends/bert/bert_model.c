#include "backends/bert/bert_model.h"

#include <stdlib.h>

#include "backends/bert/request_tokens.h"
#include "checkpoint/bert_checkpoint.h"
#include "core/config_parameters.h"

enum { BATCH_TOKENS = 1024, BATCH_TOKENS_MAX = 65536, DEFAULT_MAX_BATCH_SIZE = 8 };

struct tensor_row {
    const char *name;
    enum datatype type;
    bool required, per_token;
};

static const struct tensor_row inputs[] = {
    {"input_ids", DATATYPE_INT32, true, true},
    {"input_mask", DATATYPE_INT32, false, true},
    {"segment_ids", DATATYPE_INT32, false, true},
    {"unique_ids", DATATYPE_INT32, false, false},
};
static const struct tensor_row outputs[] = {
    {"start_logits", DATATYPE_FP32, false, true},
    {"end_logits", DATATYPE_FP32, false, true},
};

enum { INPUT_COUNT = sizeof inputs / sizeof inputs[0], OUTPUT_COUNT = sizeof outputs / sizeof outputs[0] };

/* ---- the backend ---- */

struct status bert_model_initialize(void **ret_backend) {
    struct bert_pool *pool;
    STATUS_TRY(bert_pool_create(0, &pool));
    *ret_backend = pool;
    return status_ok();
}

void bert_model_finalize(void *backend) {
    bert_pool_destroy(backend);
}

struct status bert_model_complete_config(void *backend, struct model_config *config, const char *version_directory) {
    (void)backend;
    (void)version_directory;
    const int64_t dims[] = {-1};
    bool no_inputs = model_config_message_inputs(config) == 0, no_outputs = model_config_message_outputs(config) == 0;
    if (no_inputs && no_outputs && model_config_max_batch_size(config) == 0)
        model_config_set_max_batch_size(config, DEFAULT_MAX_BATCH_SIZE);
    for (size_t i = 0; no_inputs && i < INPUT_COUNT; i++)
        if (inputs[i].per_token)
            STATUS_TRY(model_config_add_input(config, slice_of(inputs[i].name), inputs[i].type, dims, 1));
    for (size_t i = 0; no_outputs && i < OUTPUT_COUNT; i++)
        STATUS_TRY(model_config_add_output(config, slice_of(outputs[i].name), outputs[i].type, dims, 1));
    return status_ok();
}

/* ---- checking the config ---- */

/* What an input and an output of a config have in common. */
struct declared {
    const char *kind;
    struct slice name;
    enum datatype type;
    const int64_t *dims;
    int rank;
    bool reshaped;
};

static struct status check_tensor(const struct tensor_row *rows, size_t count, const struct declared *tensor) {
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal_text(tensor->name, rows[i].name))
            continue;
        bool per_row = tensor->rank == 1 && tensor->dims[0] != 0 && !tensor->reshaped;
        if (tensor->type != rows[i].type || (rows[i].per_token && !per_row))
            return status_error(STATUS_INVALID_ARGUMENT, "%s '%s' must be %s with dims [ -1 ] and no reshape",
                                tensor->kind, rows[i].name, datatype_config_name(rows[i].type));
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT, "backend 'bert' has no %s '%.*s'", tensor->kind,
                        SLICE_ARGS(tensor->name));
}

static struct status check_required(const struct model_config *config) {
    for (size_t i = 0; i < INPUT_COUNT; i++) {
        const struct model_input *input = model_config_input(config, slice_of(inputs[i].name));
        if (inputs[i].required && (!input || input->optional))
            return status_error(STATUS_INVALID_ARGUMENT, "backend 'bert' needs an input '%s' that is not optional",
                                inputs[i].name);
    }
    return status_ok();
}

static struct status check_tensors(const struct model_config *config) {
    if (config->max_batch_size == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "backend 'bert' needs a max_batch_size of 1 or more");
    for (size_t i = 0; i < config->input_count; i++) {
        const struct model_input *input = &config->inputs[i];
        const struct declared tensor = {"input", input->name, input->type, input->dims, input->rank, input->reshaped};
        STATUS_TRY(check_tensor(inputs, INPUT_COUNT, &tensor));
    }
    for (size_t i = 0; i < config->output_count; i++) {
        const struct model_output *output = &config->outputs[i];
        const struct declared tensor = {"output",     output->name, output->type,
                                        output->dims, output->rank, output->reshaped};
        STATUS_TRY(check_tensor(outputs, OUTPUT_COUNT, &tensor));
    }
    return check_required(config);
}

/* A parameter as text; "auto" where the config has none. */
static struct slice parameter_text(const struct model_config *config, const char *key, char text[32]) {
    struct slice value = SLICE_LITERAL("auto");
    (void)model_config_parameter(config, key, &value);
    size_t size = value.size < 31 ? value.size : 31;
    memcpy(text, value.data, size);
    text[size] = '\0';
    return value;
}

static struct status parse_parameters(const struct model_config *config, struct bert_engine_options *ret,
                                      uint64_t *ret_batch_tokens) {
    static const char *const known[] = {"inference_precision", "instruction_set", "max_batch_tokens",
                                        "max_seq_length",      "do_lower_case",   "vocab_hash"};
    char text[32];
    struct slice value;
    STATUS_TRY(config_parameters_check(config, "bert", known, sizeof known / sizeof known[0]));
    value = parameter_text(config, "inference_precision", text);
    if (!bert_precision_parse(text, &ret->precision))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "parameter inference_precision must be auto, fp32, bf16 or int8, got '%.*s'",
                            SLICE_ARGS(value));
    value = parameter_text(config, "instruction_set", text);
    if (!bert_isa_parse(text, &ret->isa))
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "parameter instruction_set must be auto, reference, avx2, avx512 or avx512_bf16, got '%.*s'",
            SLICE_ARGS(value));
    *ret_batch_tokens = BATCH_TOKENS;
    if (model_config_parameter(config, "max_batch_tokens", &value) &&
        (!slice_to_u64(value, ret_batch_tokens) || *ret_batch_tokens < 1 || *ret_batch_tokens > BATCH_TOKENS_MAX))
        return status_error(STATUS_INVALID_ARGUMENT, "parameter max_batch_tokens must be 1 to %d, got '%.*s'",
                            BATCH_TOKENS_MAX, SLICE_ARGS(value));
    return status_ok();
}

/* ---- loading ---- */

static struct status create_engine(struct bert_pool *pool, const struct backend_model_args *args,
                                   const struct bert_engine_options *options, struct bert_engine **ret) {
    struct bert_checkpoint *checkpoint;
    STATUS_TRY(bert_checkpoint_open(args->version_directory, NULL, &checkpoint));
    struct status status = bert_engine_create(checkpoint, options, pool, ret);
    bert_checkpoint_close(checkpoint);
    return status;
}

struct status bert_model_load(void *backend, const struct backend_model_args *args, void **ret_model) {
    struct bert_engine_options options = {0};
    struct bert_model *model = calloc(1, sizeof *model);
    if (!model)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a model");
    model->config = args->config;
    struct status status = check_tensors(args->config);
    if (status_is_ok(&status))
        status = parse_parameters(args->config, &options, &model->batch_tokens);
    if (status_is_ok(&status))
        status = create_engine(backend, args, &options, &model->engine);
    if (status_is_ok(&status))
        *ret_model = model;
    else
        free(model);
    return status;
}

void bert_model_unload(void *pointer) {
    struct bert_model *model = pointer;
    bert_engine_destroy(model->engine);
    free(model);
}

/* ---- the batch decision ---- */

struct infer_cost bert_model_cost(void *model, const struct infer_request *request) {
    (void)model;
    const struct tensor *ids = infer_request_input(request, SLICE_LITERAL("input_ids"));
    int64_t items = ids && ids->rank > 0 ? ids->shape[0] : 1;
    return (struct infer_cost){.items = (uint32_t)items, .tokens = request_tokens_count(request)};
}

uint64_t bert_model_token_budget(const void *model) {
    return ((const struct bert_model *)model)->batch_tokens;
}
