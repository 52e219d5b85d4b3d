/* infer_model_info.c: what a tool needs of a ModelConfig, wherever it came from. */
#include "client/infer_client.h"
#include "codec/model_config_messages.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a model's description");
}

/* ModelConfig says TYPE_FP32 where the protocol says FP32, and TYPE_STRING for BYTES. */
static struct slice datatype_of(int32_t number) {
    struct slice name = slice_of(pb_enum_name(&pb_data_type_type, number));
    struct slice prefix = SLICE_LITERAL("TYPE_");
    if (slice_equal_text(name, "TYPE_STRING"))
        return SLICE_LITERAL("BYTES");
    if (!slice_starts_with(name, prefix))
        return SLICE_LITERAL("INVALID");
    return (struct slice){name.data + prefix.size, name.size - prefix.size};
}

struct status infer_model_info_read(const struct pb_model_config *config, struct arena *arena,
                                    struct infer_model_info *ret) {
    if (config->max_batch_size < 0)
        return status_error(STATUS_DATA_LOSS, "the server says max_batch_size %d, expected 0 or more",
                            config->max_batch_size);
    struct infer_tensor_info *inputs = arena_calloc(arena, config->input.count, sizeof *inputs);
    struct infer_tensor_info *outputs = arena_calloc(arena, config->output.count, sizeof *outputs);
    struct infer_model_parameter *parameters = arena_calloc(arena, config->parameters.count, sizeof *parameters);
    if (inputs == NULL || outputs == NULL || parameters == NULL)
        return out_of_memory();
    for (size_t i = 0; i < config->input.count; i++) {
        const struct pb_model_input *from = &config->input.items[i];
        inputs[i] = (struct infer_tensor_info){from->name, datatype_of(from->data_type), from->dims.items,
                                               from->dims.count, from->optional};
    }
    for (size_t i = 0; i < config->output.count; i++) {
        const struct pb_model_output *from = &config->output.items[i];
        outputs[i] = (struct infer_tensor_info){from->name, datatype_of(from->data_type), from->dims.items,
                                                from->dims.count, false};
    }
    for (size_t i = 0; i < config->parameters.count; i++) {
        const struct pb_model_config_parameters_entry *from = &config->parameters.items[i];
        parameters[i].key = from->key;
        if (from->value != NULL)
            parameters[i].value = from->value->string_value;
    }
    struct slice *steps = NULL;
    size_t step_count = config->ensemble_scheduling != NULL ? config->ensemble_scheduling->step.count : 0;
    steps = arena_calloc(arena, step_count, sizeof *steps);
    if (steps == NULL)
        return out_of_memory();
    for (size_t i = 0; i < step_count; i++)
        steps[i] = config->ensemble_scheduling->step.items[i].model_name;
    *ret = (struct infer_model_info){
        .name = config->name,
        .platform = config->platform,
        .backend = config->backend,
        .max_batch_size = config->max_batch_size,
        .inputs = inputs,
        .input_count = config->input.count,
        .outputs = outputs,
        .output_count = config->output.count,
        .parameters = parameters,
        .parameter_count = config->parameters.count,
        .decoupled = config->model_transaction_policy != NULL && config->model_transaction_policy->decoupled,
        .has_sequences = config->sequence_batching != NULL,
        .has_response_cache = config->response_cache != NULL && config->response_cache->enable,
        .steps = steps,
        .step_count = step_count};
    return status_ok();
}

const struct infer_tensor_info *infer_tensor_info_find(const struct infer_tensor_info *items, size_t count,
                                                       struct slice name) {
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(items[i].name, name))
            return &items[i];
    }
    return NULL;
}

struct slice infer_model_parameter_find(const struct infer_model_info *info, const char *key) {
    for (size_t i = 0; i < info->parameter_count; i++) {
        if (slice_equal_text(info->parameters[i].key, key))
            return info->parameters[i].value.data != NULL ? info->parameters[i].value : SLICE_LITERAL("");
    }
    return (struct slice){NULL, 0};
}

struct status infer_model_parameter_boolean(const struct infer_model_info *info, const char *key, bool *ret) {
    struct slice said = infer_model_parameter_find(info, key);
    bool yes = slice_equal_nocase(said, SLICE_LITERAL("true")) || slice_equal_text(said, "1");
    bool no = slice_equal_nocase(said, SLICE_LITERAL("false")) || slice_equal_text(said, "0");
    if (said.data != NULL && !yes && !no)
        return status_error(STATUS_FAILED_PRECONDITION, "model '%.*s': %s '%.*s' in its config, expected true or false",
                            SLICE_ARGS(info->name), key, SLICE_ARGS(said));
    if (said.data != NULL)
        *ret = yes;
    return status_ok();
}
