/* grpc_body.c: KServe v2 over gRPC: protobuf messages behind their 5-byte prefix. See client_body.h. */
#include "client/client_body.h"

#include <string.h>

#include "client/grpc_message.h"
#include "client/grpc_stream.h"
#include "codec/inference_messages.h"

static const char *const query_paths[QUERY_KIND_COUNT] = {
    [QUERY_SERVER_READY] = "/inference.GRPCInferenceService/ServerReady",
    [QUERY_SERVER_METADATA] = "/inference.GRPCInferenceService/ServerMetadata",
    [QUERY_MODEL_READY] = "/inference.GRPCInferenceService/ModelReady",
    [QUERY_MODEL_METADATA] = "/inference.GRPCInferenceService/ModelMetadata",
    [QUERY_MODEL_CONFIG] = "/inference.GRPCInferenceService/ModelConfig",
    [QUERY_MODEL_STATISTICS] = "/inference.GRPCInferenceService/ModelStatistics",
    [QUERY_MEMORY_REGISTER] = "/inference.GRPCInferenceService/SystemSharedMemoryRegister",
    [QUERY_MEMORY_UNREGISTER] = "/inference.GRPCInferenceService/SystemSharedMemoryUnregister",
    [QUERY_TRACE_SETTINGS] = "/inference.GRPCInferenceService/TraceSetting",
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a gRPC message");
}

enum { SETTINGS_MAX = 16 }; /* of one request */
typedef struct pb_trace_setting_request_settings_entry pb_setting;

static struct status write_settings(const struct client_query *query, struct client_call *call) {
    pb_setting entries[SETTINGS_MAX];
    struct pb_trace_setting_request_setting_value values[SETTINGS_MAX];
    if (query->change_count > SETTINGS_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "more than %d settings", SETTINGS_MAX);
    for (size_t i = 0; i < query->change_count; i++) {
        values[i] = (struct pb_trace_setting_request_setting_value){
            .value = {.items = (struct slice *)(uintptr_t)query->changes[i].values,
                      .count = query->changes[i].value_count}};
        entries[i] = (pb_setting){.key = query->changes[i].name, .value = &values[i]};
    }
    const struct pb_trace_setting_request message = {.settings = {.items = entries, .count = query->change_count}};
    return grpc_message_write(&pb_trace_setting_request_type, &message, &call->request);
}

static struct status write_query(const struct client_query *query, const char *authority, struct client_call *call) {
    (void)authority; /* a header, not part of the message */
    if (query->kind == QUERY_PAGE)
        return status_error(STATUS_INVALID_ARGUMENT, "gRPC has no pages");
    call->grpc_path = query_paths[query->kind];
    if (query->kind == QUERY_TRACE_SETTINGS)
        return write_settings(query, call);
    struct pb_server_ready_request server = {0};
    struct pb_server_metadata_request about_server = {0};
    struct pb_model_statistics_request statistics = {.name = query->model, .version = query->version};
    struct pb_model_ready_request ready = {.name = query->model, .version = query->version};
    struct pb_model_metadata_request metadata = {.name = query->model, .version = query->version};
    struct pb_model_config_request config = {.name = query->model, .version = query->version};
    struct pb_system_shared_memory_register_request memory = {
        .name = query->region, .key = query->key, .byte_size = query->byte_size};
    struct pb_system_shared_memory_unregister_request no_memory = {.name = query->region};
    const struct {
        const struct pb_message *type;
        const void *message;
    } messages[QUERY_KIND_COUNT] = {
        [QUERY_SERVER_READY] = {&pb_server_ready_request_type, &server},
        [QUERY_SERVER_METADATA] = {&pb_server_metadata_request_type, &about_server},
        [QUERY_MODEL_READY] = {&pb_model_ready_request_type, &ready},
        [QUERY_MODEL_METADATA] = {&pb_model_metadata_request_type, &metadata},
        [QUERY_MODEL_CONFIG] = {&pb_model_config_request_type, &config},
        [QUERY_MODEL_STATISTICS] = {&pb_model_statistics_request_type, &statistics},
        [QUERY_MEMORY_REGISTER] = {&pb_system_shared_memory_register_request_type, &memory},
        [QUERY_MEMORY_UNREGISTER] = {&pb_system_shared_memory_unregister_request_type, &no_memory},
    };
    return grpc_message_write(messages[query->kind].type, messages[query->kind].message, &call->request);
}

typedef struct pb_model_infer_request_infer_input_tensor pb_input;
typedef struct pb_model_infer_request_infer_requested_output_tensor pb_requested;
typedef struct pb_model_infer_response_infer_output_tensor pb_output;
typedef struct pb_model_infer_request_infer_input_tensor_parameters_entry pb_parameter;
_Static_assert(sizeof(pb_parameter) ==
                   sizeof(struct pb_model_infer_request_infer_requested_output_tensor_parameters_entry),
               "parameters of inputs and outputs look the same");
_Static_assert(sizeof(pb_parameter) == sizeof(struct pb_model_infer_request_parameters_entry),
               "so do those of a request");

static struct pb_infer_parameter value_of(const struct infer_client_parameter *from) {
    struct pb_infer_parameter value = {0};
    switch (from->kind) {
    case INFER_VALUE_BOOL:
        value.which_parameter_choice = pb_infer_parameter_bool_param_number;
        value.bool_param = from->boolean;
        break;
    case INFER_VALUE_INT:
        value.which_parameter_choice = pb_infer_parameter_int64_param_number;
        value.int64_param = from->integer;
        break;
    case INFER_VALUE_UINT:
        value.which_parameter_choice = pb_infer_parameter_uint64_param_number;
        value.uint64_param = from->natural;
        break;
    case INFER_VALUE_DOUBLE:
        value.which_parameter_choice = pb_infer_parameter_double_param_number;
        value.double_param = from->number;
        break;
    case INFER_VALUE_TEXT:
        value.which_parameter_choice = pb_infer_parameter_string_param_number;
        value.string_param = from->text;
        break;
    }
    return value;
}

/* Parameters as a message has them; NULL when memory is short. */
static pb_parameter *make_parameters(const struct infer_client_parameter *from, size_t count, struct arena *arena) {
    pb_parameter *entries = arena_calloc(arena, count, sizeof *entries);
    struct pb_infer_parameter *values = arena_calloc(arena, count, sizeof *values);
    if (entries == NULL || values == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        values[i] = value_of(&from[i]);
        entries[i].key = from[i].name;
        entries[i].value = &values[i];
    }
    return entries;
}

enum { REGION_PARAMETERS = 3, OUTPUT_PARAMETERS_MAX = REGION_PARAMETERS + 1 };

/* The parameters that name a part of shared memory. */
static void name_region(const struct infer_region *region, struct infer_client_parameter to[static REGION_PARAMETERS]) {
    to[0] = (struct infer_client_parameter){
        .name = SLICE_LITERAL("shared_memory_region"), .kind = INFER_VALUE_TEXT, .text = region->name};
    to[1] = (struct infer_client_parameter){
        .name = SLICE_LITERAL("shared_memory_offset"), .kind = INFER_VALUE_INT, .integer = (int64_t)region->offset};
    to[2] = (struct infer_client_parameter){.name = SLICE_LITERAL("shared_memory_byte_size"),
                                            .kind = INFER_VALUE_INT,
                                            .integer = (int64_t)region->byte_size};
}

/* Lends the request's arrays to the message struct; pb_encode only reads them. */
static struct status fill_inputs(const struct infer_request_spec *request, struct arena *arena,
                                 struct pb_model_infer_request *message) {
    pb_input *inputs = arena_calloc(arena, request->input_count, sizeof *inputs);
    struct slice *raw = arena_calloc(arena, request->input_count, sizeof *raw);
    if (inputs == NULL || raw == NULL)
        return out_of_memory();
    for (size_t i = 0; i < request->input_count; i++) {
        const struct infer_tensor *from = &request->inputs[i];
        inputs[i].name = from->name;
        inputs[i].datatype = from->datatype;
        inputs[i].shape.items = arena_calloc(arena, from->rank, sizeof(int64_t));
        if (inputs[i].shape.items == NULL)
            return out_of_memory();
        for (size_t d = 0; d < from->rank; d++)
            inputs[i].shape.items[d] = from->shape[d];
        inputs[i].shape.count = from->rank;
        if (request->input_regions == NULL) {
            raw[message->raw_input_contents.count++] = from->data;
            continue;
        }
        struct infer_client_parameter region[REGION_PARAMETERS];
        name_region(&request->input_regions[i], region);
        inputs[i].parameters.items = make_parameters(region, REGION_PARAMETERS, arena);
        inputs[i].parameters.count = REGION_PARAMETERS;
        if (inputs[i].parameters.items == NULL)
            return out_of_memory();
    }
    message->inputs.items = inputs;
    message->raw_input_contents.items = raw;
    message->inputs.count = request->input_count;
    return status_ok();
}

/* What is asked of one output, beyond its name. */
static struct status fill_output(const struct infer_request_spec *request, size_t i, struct arena *arena,
                                 pb_requested *output) {
    struct infer_client_parameter parameters[OUTPUT_PARAMETERS_MAX];
    size_t count = 0;
    if (request->output_regions != NULL) {
        name_region(&request->output_regions[i], parameters);
        count = REGION_PARAMETERS;
    }
    if (request->output_classes != NULL && request->output_classes[i] > 0)
        parameters[count++] = (struct infer_client_parameter){
            .name = SLICE_LITERAL("classification"), .kind = INFER_VALUE_INT, .integer = request->output_classes[i]};
    output->parameters.items = (void *)make_parameters(parameters, count, arena);
    output->parameters.count = count;
    return output->parameters.items != NULL ? status_ok() : out_of_memory();
}

static struct status fill_outputs(const struct infer_request_spec *request, struct arena *arena,
                                  struct pb_model_infer_request *message) {
    pb_requested *outputs = arena_calloc(arena, request->output_count, sizeof *outputs);
    if (outputs == NULL)
        return out_of_memory();
    for (size_t i = 0; i < request->output_count; i++) {
        outputs[i].name = request->outputs[i];
        STATUS_TRY(fill_output(request, i, arena, &outputs[i]));
    }
    message->outputs.items = outputs;
    message->outputs.count = request->output_count;
    return status_ok();
}

static struct status write_infer(const struct infer_request_spec *request, const char *authority, struct arena *arena,
                                 struct client_call *call) {
    (void)authority;
    struct pb_model_infer_request message = {
        .model_name = request->model, .model_version = request->version, .id = request->id};
    STATUS_TRY(fill_outputs(request, arena, &message));
    STATUS_TRY(fill_inputs(request, arena, &message));
    message.parameters.items = (void *)make_parameters(request->parameters, request->parameter_count, arena);
    message.parameters.count = request->parameter_count;
    if (message.parameters.items == NULL)
        return out_of_memory();
    call->grpc_path = "/inference.GRPCInferenceService/ModelInfer";
    return grpc_message_write(&pb_model_infer_request_type, &message, &call->request);
}

static struct status read_infer(const struct client_call *call, struct arena *arena, struct client_infer_answer *ret) {
    struct pb_model_infer_response message;
    STATUS_TRY(grpc_message_read(grpc_message_of(call), arena, &pb_model_infer_response_type, &message));
    size_t count = message.outputs.count;
    bool whole = message.raw_output_contents.count == count || call->outputs_in_memory;
    if (count > INFER_ANSWER_TENSORS_MAX || !whole)
        return status_error(STATUS_DATA_LOSS, "the server's answer has %zu outputs and %zu raw_output_contents", count,
                            message.raw_output_contents.count);
    struct infer_tensor *outputs = arena_calloc(arena, count, sizeof *outputs);
    if (outputs == NULL)
        return out_of_memory();
    for (size_t i = 0; i < count; i++) {
        const pb_output *from = &message.outputs.items[i];
        outputs[i] = (struct infer_tensor){
            .name = from->name, .datatype = from->datatype, .shape = from->shape.items, .rank = from->shape.count};
        if (!call->outputs_in_memory)
            outputs[i].data = message.raw_output_contents.items[i];
    }
    *ret = (struct client_infer_answer){outputs, count, message.model_version, message.id};
    return status_ok();
}

static struct status read_ready(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                bool *ret) {
    /* Servers differ in how they say that a model is unknown or not ready: by a false, or by one of these codes. */
    bool said_no = call->answered && query->kind == QUERY_MODEL_READY &&
                   (call->status.code == STATUS_NOT_FOUND || call->status.code == STATUS_UNAVAILABLE);
    if (said_no) {
        *ret = false;
        return status_ok();
    }
    if (!status_is_ok(&call->status))
        return call->status;
    *ret = true;
    if (client_query_is_order(query->kind))
        return status_ok();
    /* Both messages are one bool under number 1. */
    struct pb_model_ready_response message = {0};
    STATUS_TRY(grpc_message_read(grpc_message_of(call), arena, &pb_model_ready_response_type, &message));
    *ret = message.ready;
    return status_ok();
}

static struct status read_message(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                  const struct pb_message *type, void *ret) {
    struct slice copy = arena_copy(arena, grpc_message_of(call)); /* the message's strings outlive the call */
    struct pb_model_config_response config;
    if (copy.data == NULL && grpc_message_of(call).size > 0)
        return out_of_memory();
    if (query->kind != QUERY_MODEL_CONFIG)
        return grpc_message_read(copy, arena, type, ret);
    STATUS_TRY(grpc_message_read(copy, arena, &pb_model_config_response_type, &config));
    if (config.config == NULL)
        return status_error(STATUS_DATA_LOSS, "the server's answer to ModelConfig has no config");
    memcpy(ret, config.config, type->size);
    return status_ok();
}

static struct status read_settings(const struct client_call *call, struct arena *arena, struct infer_setting **ret,
                                   size_t *ret_count) {
    struct pb_trace_setting_response message = {0};
    const struct client_query query = {.kind = QUERY_TRACE_SETTINGS};
    STATUS_TRY(read_message(call, &query, arena, &pb_trace_setting_response_type, &message));
    struct infer_setting *settings = arena_calloc(arena, message.settings.count, sizeof *settings);
    if (settings == NULL)
        return out_of_memory();
    for (size_t i = 0; i < message.settings.count; i++) {
        settings[i].name = message.settings.items[i].key;
        if (message.settings.items[i].value == NULL)
            continue;
        settings[i].values = message.settings.items[i].value->value.items;
        settings[i].value_count = message.settings.items[i].value->value.count;
    }
    *ret = settings;
    *ret_count = message.settings.count;
    return status_ok();
}

const struct client_body_ops grpc_body_ops = {
    .write_query = write_query,
    .write_infer = write_infer,
    .read_infer = read_infer,
    .read_ready = read_ready,
    .read_message = read_message,
    .read_settings = read_settings,
    .stream = &grpc_stream_v2,
};
