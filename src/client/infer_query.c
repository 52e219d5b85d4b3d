/* infer_query.c: the questions that wait for their answer: readiness, model metadata, model config. Used by tools at
 * their start, so they are simple rather than fast. */
#include <string.h>

#include "base/clock.h"
#include "client/infer_client_priv.h"
#include "codec/inference_messages.h"

#define QUERY_TIMEOUT_NS (30 * NS_PER_S) /* where the client's options set no time limit */

/* Where the answer goes: read from inside on_done, because the call is recycled behind it. */
struct query_wait {
    struct client_query query;
    bool done;
    struct status status;
    bool *ret_ready;
    struct arena *arena;
    const struct pb_message *type;
    void *ret_message;
    struct infer_setting **ret_settings;
    size_t *ret_count;
};

static void take_answer(struct infer_call *call) {
    struct query_wait *wait = call->user;
    const struct client_body_ops *body = infer_client_body(call->client);
    wait->done = true;
    if (wait->ret_ready != NULL)
        wait->status = body->read_ready(&call->base, &wait->query, wait->ret_ready);
    else if (status_is_ok(&call->base.status) && wait->ret_settings != NULL)
        wait->status = body->read_settings(&call->base, wait->arena, wait->ret_settings, wait->ret_count);
    else if (status_is_ok(&call->base.status))
        wait->status = body->read_message(&call->base, &wait->query, wait->arena, wait->type, wait->ret_message);
    else
        wait->status = call->base.status;
}

static struct status ask(struct infer_client *client, struct query_wait *wait) {
    struct infer_call *call = infer_client_call_new(client);
    if (call == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a request");
    call->base.timing.start_ns = clock_monotonic_ns();
    call->user = wait;
    call->on_done = take_answer;
    struct status status =
        infer_client_body(client)->write_query(&wait->query, infer_client_authority(client), &call->base);
    if (!status_is_ok(&status)) {
        infer_client_call_recycle(call);
        return status;
    }
    infer_client_call_start(call);
    uint64_t end_ns = call->base.timing.start_ns + QUERY_TIMEOUT_NS;
    while (!wait->done) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= end_ns && call->base.deadline_ns == 0) {
            infer_client_call_abort(call, status_error(STATUS_DEADLINE_EXCEEDED, "%s: no answer within %llu s",
                                                       infer_client_authority(client),
                                                       (unsigned long long)(QUERY_TIMEOUT_NS / NS_PER_S)));
            end_ns = UINT64_MAX;
        }
        infer_client_poll(client, now_ns < end_ns ? end_ns - now_ns : 0);
    }
    return wait->status;
}

struct status infer_client_server_ready(struct infer_client *client, bool *ret_ready) {
    struct query_wait wait = {.query = {.kind = QUERY_SERVER_READY}, .ret_ready = ret_ready};
    return ask(client, &wait);
}

struct status infer_client_model_ready(struct infer_client *client, struct slice model, struct slice version,
                                       bool *ret_ready) {
    struct query_wait wait = {.query = {.kind = QUERY_MODEL_READY, .model = model, .version = version},
                              .ret_ready = ret_ready};
    return ask(client, &wait);
}

struct status infer_client_memory_register(struct infer_client *client, struct slice region, struct slice key,
                                           uint64_t byte_size) {
    bool done = false;
    struct query_wait wait = {
        .query = {.kind = QUERY_MEMORY_REGISTER, .region = region, .key = key, .byte_size = byte_size},
        .ret_ready = &done};
    return ask(client, &wait);
}

struct status infer_client_memory_unregister(struct infer_client *client, struct slice region) {
    bool done = false;
    struct query_wait wait = {.query = {.kind = QUERY_MEMORY_UNREGISTER, .region = region}, .ret_ready = &done};
    return ask(client, &wait);
}

struct status infer_client_trace_settings(struct infer_client *client, const struct infer_setting *changes,
                                          size_t change_count, struct arena *arena, const struct infer_setting **ret,
                                          size_t *ret_count) {
    struct infer_setting *settings = NULL;
    struct query_wait wait = {.query = {.kind = QUERY_TRACE_SETTINGS, .changes = changes, .change_count = change_count},
                              .arena = arena,
                              .ret_settings = &settings,
                              .ret_count = ret_count};
    if (infer_client_body(client)->read_settings == NULL)
        return status_error(STATUS_UNSUPPORTED, "TRTIS v1 has no trace settings");
    STATUS_TRY(ask(client, &wait));
    *ret = settings;
    return status_ok();
}

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

static struct status take_config(const struct pb_model_config *config, struct arena *arena,
                                 struct infer_model_info *ret) {
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

struct status infer_client_model_config(struct infer_client *client, struct slice model, struct slice version,
                                        struct arena *arena, struct infer_model_info *ret) {
    struct pb_model_config config = {0};
    struct query_wait wait = {.query = {.kind = QUERY_MODEL_CONFIG, .model = model, .version = version},
                              .arena = arena,
                              .type = &pb_model_config_type,
                              .ret_message = &config};
    STATUS_TRY(ask(client, &wait));
    if (config.max_batch_size < 0)
        return status_error(STATUS_DATA_LOSS, "the server says max_batch_size %d, expected 0 or more",
                            config.max_batch_size);
    return take_config(&config, arena, ret);
}

typedef struct pb_model_metadata_response_tensor_metadata pb_tensor;

/* NULL when memory is short. */
static struct infer_tensor_info *take_tensors(const pb_tensor *from, size_t count, struct arena *arena) {
    struct infer_tensor_info *tensors = arena_calloc(arena, count, sizeof *tensors);
    for (size_t i = 0; tensors != NULL && i < count; i++)
        tensors[i] =
            (struct infer_tensor_info){from[i].name, from[i].datatype, from[i].shape.items, from[i].shape.count, false};
    return tensors;
}

struct status infer_client_model_metadata(struct infer_client *client, struct slice model, struct slice version,
                                          struct arena *arena, struct infer_model_info *ret) {
    struct pb_model_metadata_response metadata = {0};
    struct query_wait wait = {.query = {.kind = QUERY_MODEL_METADATA, .model = model, .version = version},
                              .arena = arena,
                              .type = &pb_model_metadata_response_type,
                              .ret_message = &metadata};
    STATUS_TRY(ask(client, &wait));
    *ret = (struct infer_model_info){
        .name = metadata.name,
        .platform = metadata.platform,
        .versions = metadata.versions.items,
        .version_count = metadata.versions.count,
        .inputs = take_tensors(metadata.inputs.items, metadata.inputs.count, arena),
        .input_count = metadata.inputs.count,
        .outputs = take_tensors(metadata.outputs.items, metadata.outputs.count, arena),
        .output_count = metadata.outputs.count,
    };
    return ret->inputs == NULL || ret->outputs == NULL ? out_of_memory() : status_ok();
}

struct status infer_client_server_metadata(struct infer_client *client, struct arena *arena,
                                           struct infer_server_info *ret) {
    struct pb_server_metadata_response metadata = {0};
    struct query_wait wait = {.query = {.kind = QUERY_SERVER_METADATA},
                              .arena = arena,
                              .type = &pb_server_metadata_response_type,
                              .ret_message = &metadata};
    STATUS_TRY(ask(client, &wait));
    *ret = (struct infer_server_info){metadata.name, metadata.version, metadata.extensions.items,
                                      metadata.extensions.count};
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
