#include "api/v1_config.h"

#include <string.h>

/* What today's ModelConfig has and the one of release 1.11 does not; no field was ever changed. */
static const struct {
    const struct pb_message *type;
    const char *field;
} later_fields[] = {
    {&pb_model_config_type, "backend"},
    {&pb_model_config_type, "runtime"},
    {&pb_model_config_type, "batch_input"},
    {&pb_model_config_type, "batch_output"},
    {&pb_model_config_type, "model_operations"},
    {&pb_model_config_type, "model_transaction_policy"},
    {&pb_model_config_type, "model_repository_agents"},
    {&pb_model_config_type, "response_cache"},
    {&pb_model_config_type, "model_metrics"},
    {&pb_model_instance_group_type, "rate_limiter"},
    {&pb_model_instance_group_type, "secondary_devices"},
    {&pb_model_instance_group_type, "passive"},
    {&pb_model_instance_group_type, "host_policy"},
    {&pb_model_input_type, "optional"},
    {&pb_model_input_type, "is_non_linear_format_io"},
    {&pb_model_output_type, "is_non_linear_format_io"},
    {&pb_model_optimization_policy_type, "gather_kernel_buffer_threshold"},
    {&pb_model_optimization_policy_type, "eager_batching"},
    {&pb_model_optimization_policy_cuda_type, "busy_wait_events"},
    {&pb_model_optimization_policy_cuda_type, "graph_spec"},
    {&pb_model_optimization_policy_cuda_type, "output_copy_stream"},
    {&pb_model_dynamic_batching_type, "priority_levels"},
    {&pb_model_dynamic_batching_type, "default_priority_level"},
    {&pb_model_dynamic_batching_type, "default_queue_policy"},
    {&pb_model_dynamic_batching_type, "priority_queue_policy"},
    {&pb_model_sequence_batching_type, "state"},
    {&pb_model_sequence_batching_type, "iterative_sequence"},
    {&pb_model_sequence_batching_control_type, "bool_false_true"},
    {&pb_model_sequence_batching_strategy_direct_type, "max_queue_delay_microseconds"},
    {&pb_model_sequence_batching_strategy_direct_type, "minimum_slot_utilization"},
    {&pb_model_sequence_batching_strategy_oldest_type, "preserve_ordering"},
    {&pb_model_ensembling_type, "max_inflight_requests"},
    {&pb_model_ensembling_step_type, "model_namespace"},
    {&pb_model_warmup_type, "count"},
};

static bool came_later(const struct pb_message *type, const struct pb_field *field) {
    for (size_t i = 0; i < sizeof later_fields / sizeof later_fields[0]; i++)
        if (later_fields[i].type == type && strcmp(later_fields[i].field, field->name) == 0)
            return true;
    return false;
}

static struct slice platform_of(const struct model_config *config) {
    static const struct {
        const char *backend, *platform;
    } rows[] = {{"onnxruntime", "onnxruntime_onnx"},
                {"tensorflow", "tensorflow_savedmodel"},
                {"pytorch", "pytorch_libtorch"},
                {"tensorrt", "tensorrt_plan"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (slice_equal_text(config->backend, rows[i].backend))
            return slice_of(rows[i].platform);
    return SLICE_LITERAL("custom");
}

static void forget_datatype(int32_t *type) {
    if (*type > PB_TYPE_STRING)
        *type = PB_TYPE_INVALID;
}

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a model's config");
}

/* A copy of the whole message, by way of its wire form. */
static struct status copy_message(const struct pb_model_config *message, struct arena *arena,
                                  struct pb_model_config *ret) {
    struct buf wire = BUF_EMPTY;
    struct status status = pb_encode(&pb_model_config_type, message, &wire);
    struct slice bytes = arena_copy(arena, buf_slice(&wire));
    bool copied = status_is_ok(&status) && bytes.size == wire.size;
    buf_free(&wire);
    return copied ? pb_decode(&pb_model_config_type, bytes, arena, ret) : no_memory();
}

struct status v1_config_render(const struct model_config *config, struct arena *arena, struct pb_model_config **ret) {
    struct pb_model_config *copy = arena_calloc(arena, 1, sizeof *copy);
    if (!copy)
        return no_memory();
    STATUS_TRY(copy_message(config->message, arena, copy));
    pb_strip(&pb_model_config_type, copy, came_later);
    copy->platform = platform_of(config);
    for (size_t i = 0; i < copy->input.count; i++)
        forget_datatype(&copy->input.items[i].data_type);
    for (size_t i = 0; i < copy->output.count; i++)
        forget_datatype(&copy->output.items[i].data_type);
    *ret = copy;
    return status_ok();
}
