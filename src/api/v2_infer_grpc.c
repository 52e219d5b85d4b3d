/* v2_infer_grpc.c: ModelInfer: ModelInferRequest -> infer_request; infer_response -> ModelInferResponse. */
#include "api/v2_infer_grpc.h"

#include <inttypes.h>

#include "api/grpc_front.h"
#include "api/infer_outputs.h"
#include "api/infer_parameters.h"
#include "api/infer_start.h"
#include "api/tensor_contents.h"
#include "api/v2_service.h"
#include "base/clock.h"
#include "codec/pb_wire.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
}

/* Numbers of the members of InferParameter's oneof. */
enum { BOOL_PARAM = 1, INT64_PARAM, STRING_PARAM, DOUBLE_PARAM, UINT64_PARAM };

static struct status read_parameter(struct slice key, const struct pb_infer_parameter *value,
                                    struct infer_parameter *ret) {
    *ret = (struct infer_parameter){.name = key};
    switch (value->which_parameter_choice) {
    case BOOL_PARAM:
        ret->kind = PARAMETER_BOOL;
        ret->value.boolean = value->bool_param;
        break;
    case INT64_PARAM:
        ret->kind = PARAMETER_INT;
        ret->value.integer = value->int64_param;
        break;
    case STRING_PARAM:
        ret->kind = PARAMETER_STRING;
        ret->value.string = value->string_param;
        break;
    case DOUBLE_PARAM:
        ret->kind = PARAMETER_DOUBLE;
        ret->value.real = value->double_param;
        break;
    case UINT64_PARAM:
        ret->kind = PARAMETER_UINT;
        ret->value.unsigned_integer = value->uint64_param;
        break;
    default:
        return status_error(STATUS_INVALID_ARGUMENT, "parameter '%.*s' has no value", SLICE_ARGS(key));
    }
    return status_ok();
}

/* The one parameter of these names that a client may give. Where a request has one response it changes nothing. */
static struct status read_empty_final(const struct infer_parameter *parameter, bool *ret) {
    if (parameter->kind != PARAMETER_BOOL)
        return status_error(STATUS_INVALID_ARGUMENT, "parameter '%.*s': expected true or false",
                            SLICE_ARGS(parameter->name));
    *ret = parameter->value.boolean;
    return status_ok();
}

static struct status read_request_parameters(const struct pb_model_infer_request *message,
                                             struct infer_request *request, bool *ret_empty_final) {
    STATUS_TRY(infer_parameters_reserve(request, message->parameters.count));
    uint64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < message->parameters.count; i++) {
        const struct pb_model_infer_request_parameters_entry *entry = &message->parameters.items[i];
        struct infer_parameter parameter;
        STATUS_TRY(read_parameter(entry->key, entry->value, &parameter));
        if (slice_equal_text(parameter.name, "triton_enable_empty_final_response"))
            STATUS_TRY(read_empty_final(&parameter, ret_empty_final));
        else
            STATUS_TRY(infer_parameters_apply(request, &parameter, now_ns));
    }
    return status_ok();
}

static struct status read_shape(const struct pb_model_infer_request_infer_input_tensor *input, size_t index,
                                struct tensor *tensor) {
    if (input->shape.count > TENSOR_RANK_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "inputs[%zu].shape: expected at most %d dimensions, got %zu",
                            index, (int)TENSOR_RANK_MAX, input->shape.count);
    tensor->rank = (int)input->shape.count;
    for (size_t i = 0; i < input->shape.count; i++) {
        tensor->shape[i] = input->shape.items[i];
        if (tensor->shape[i] < 0)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "inputs[%zu].shape[%zu]: expected an integer of 0 or more, got %" PRId64, index, i,
                                tensor->shape[i]);
    }
    return status_ok();
}

/* The bytes of an input that is not in shared memory: the raw entry, or the typed contents when there are no raw ones.
 */
static struct status read_content(const struct pb_model_infer_request *message, size_t index, size_t *next_raw,
                                  struct arena *arena, struct tensor *tensor) {
    const struct pb_infer_tensor_contents *contents = message->inputs.items[index].contents;
    size_t raw = message->raw_input_contents.count;
    if (raw > 0) {
        if (contents)
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "inputs[%zu].contents: typed contents and raw_input_contents exclude each other in a request", index);
        if (*next_raw == raw)
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "raw_input_contents: expected an entry for each input that is not in shared memory, got "
                "%zu entries and none for inputs[%zu]",
                raw, index);
        tensor->data = message->raw_input_contents.items[(*next_raw)++];
        return status_ok();
    }
    static const struct pb_infer_tensor_contents empty;
    return tensor_contents_decode(contents ? contents : &empty, index, arena, tensor);
}

/* One entry of an input's parameters, or an output's; what means nothing there may be anything, even without a value.
 */
static struct status read_tensor_parameter(struct slice key, const struct pb_infer_parameter *value,
                                           struct tensor_parameters *ret, size_t index) {
    if (!tensor_parameter_is_known(ret, key))
        return status_ok();
    struct infer_parameter parameter;
    STATUS_TRY(read_parameter(key, value, &parameter));
    return tensor_parameters_apply(ret, &parameter, index);
}

/* *next_raw: the first entry of raw_input_contents that no input has taken yet. */
static struct status read_input(const struct pb_model_infer_request *message, size_t index, size_t *next_raw,
                                struct arena *arena, struct tensor *tensor) {
    const struct pb_model_infer_request_infer_input_tensor *input = &message->inputs.items[index];
    tensor->name = input->name;
    tensor->type = datatype_from_name(input->datatype);
    if (tensor->type == DATATYPE_INVALID)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "inputs[%zu].datatype: expected one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, "
            "INT64, FP16, FP32, FP64, BYTES, BF16, got '%.*s'",
            index, SLICE_ARGS(input->datatype));
    STATUS_TRY(read_shape(input, index, tensor));
    struct tensor_parameters parameters = {.of_output = false};
    for (size_t i = 0; i < input->parameters.count; i++)
        STATUS_TRY(read_tensor_parameter(input->parameters.items[i].key, input->parameters.items[i].value, &parameters,
                                         index));
    STATUS_TRY(tensor_parameters_check(&parameters, index));
    if (parameters.part.region.size == 0)
        return read_content(message, index, next_raw, arena, tensor);
    if (input->contents)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "inputs[%zu].contents: an input in shared memory has no contents in the request", index);
    tensor->part = parameters.part;
    return status_ok();
}

/* Surplus entries of raw_input_contents are ignored, as the protocol wants. */
static struct status read_inputs(const struct pb_model_infer_request *message, struct infer_request *request) {
    size_t count = message->inputs.count, next_raw = 0;
    request->inputs = arena_calloc(request->arena, count, sizeof *request->inputs);
    if (!request->inputs)
        return no_memory();
    request->input_count = count;
    for (size_t i = 0; i < count; i++)
        STATUS_TRY(read_input(message, i, &next_raw, request->arena, &request->inputs[i]));
    return status_ok();
}

static struct status read_outputs(const struct pb_model_infer_request *message, struct infer_request *request) {
    size_t count = message->outputs.count;
    if (count == 0)
        return status_ok();
    request->outputs = arena_calloc(request->arena, count, sizeof *request->outputs);
    if (!request->outputs)
        return no_memory();
    request->output_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct pb_model_infer_request_infer_requested_output_tensor *output = &message->outputs.items[i];
        struct tensor_parameters parameters = {.of_output = true};
        for (size_t p = 0; p < output->parameters.count; p++)
            STATUS_TRY(read_tensor_parameter(output->parameters.items[p].key, output->parameters.items[p].value,
                                             &parameters, i));
        STATUS_TRY(tensor_parameters_check(&parameters, i));
        request->outputs[i].name = output->name;
        request->outputs[i].classification = (uint32_t)parameters.classification;
        request->outputs[i].part = parameters.part;
    }
    return status_ok();
}

struct status v2_infer_grpc_decode(struct slice bytes, struct infer_request *request, bool *ret_empty_final) {
    *ret_empty_final = false;
    struct pb_model_infer_request *message = arena_alloc(request->arena, sizeof *message);
    if (!message)
        return no_memory();
    STATUS_TRY(pb_decode(&pb_model_infer_request_type, bytes, request->arena, message));
    request->model_name = message->model_name;
    request->id = message->id;
    STATUS_TRY(v2_parse_version(message->model_version, &request->model_version));
    STATUS_TRY(read_request_parameters(message, request, ret_empty_final));
    STATUS_TRY(read_inputs(message, request));
    return read_outputs(message, request);
}

static void fill_parameter(const struct infer_parameter *from, struct pb_infer_parameter *ret) {
    switch (from->kind) {
    case PARAMETER_BOOL:
        ret->which_parameter_choice = BOOL_PARAM;
        ret->bool_param = from->value.boolean;
        break;
    case PARAMETER_INT:
        ret->which_parameter_choice = INT64_PARAM;
        ret->int64_param = from->value.integer;
        break;
    case PARAMETER_UINT:
        ret->which_parameter_choice = UINT64_PARAM;
        ret->uint64_param = from->value.unsigned_integer;
        break;
    case PARAMETER_DOUBLE:
        ret->which_parameter_choice = DOUBLE_PARAM;
        ret->double_param = from->value.real;
        break;
    case PARAMETER_STRING:
        ret->which_parameter_choice = STRING_PARAM;
        ret->string_param = from->value.string;
        break;
    }
}

void v2_infer_grpc_add_parameter(struct pb_model_infer_response *message, const struct infer_parameter *parameter) {
    struct pb_model_infer_response_parameters_entry *entry = &message->parameters.items[message->parameters.count++];
    entry->key = parameter->name;
    fill_parameter(parameter, entry->value);
}

/* Those of the response, and room for `extra` more. */
static struct status fill_parameters(const struct infer_response *response, size_t extra,
                                     struct pb_model_infer_response *ret) {
    size_t room = response->parameter_count + extra;
    if (room == 0)
        return status_ok();
    ret->parameters.items = arena_calloc(response->arena, room, sizeof *ret->parameters.items);
    struct pb_infer_parameter *values = arena_calloc(response->arena, room, sizeof *values);
    if (!ret->parameters.items || !values)
        return no_memory();
    for (size_t i = 0; i < room; i++)
        ret->parameters.items[i].value = &values[i];
    for (size_t i = 0; i < response->parameter_count; i++)
        v2_infer_grpc_add_parameter(ret, &response->parameters[i]);
    return status_ok();
}

static struct status fill_output_parameters(const struct infer_output *output, struct arena *arena,
                                            struct pb_model_infer_response_infer_output_tensor *ret) {
    size_t count = output->parameter_count;
    if (count == 0)
        return status_ok();
    ret->parameters.items = arena_calloc(arena, count, sizeof *ret->parameters.items);
    struct pb_infer_parameter *values = arena_calloc(arena, count, sizeof *values);
    if (!ret->parameters.items || !values)
        return no_memory();
    ret->parameters.count = count;
    for (size_t i = 0; i < count; i++) {
        fill_parameter(&output->parameters[i], &values[i]);
        ret->parameters.items[i].key = output->parameters[i].name;
        ret->parameters.items[i].value = &values[i];
    }
    return status_ok();
}

/* One raw entry for each output, at its index: clients find an output's bytes by that. In shared memory: an empty one.
 */
static struct status fill_outputs(const struct infer_request *request, const struct infer_response *response,
                                  struct pb_model_infer_response *ret) {
    struct infer_output *outputs;
    size_t count;
    STATUS_TRY(infer_outputs_select(request, response, &outputs, &count));
    ret->outputs.items = arena_calloc(response->arena, count, sizeof *ret->outputs.items);
    ret->raw_output_contents.items = arena_calloc(response->arena, count, sizeof *ret->raw_output_contents.items);
    if (!ret->outputs.items || !ret->raw_output_contents.items)
        return no_memory();
    ret->outputs.count = ret->raw_output_contents.count = count;
    for (size_t i = 0; i < count; i++) {
        struct tensor *tensor = &outputs[i].tensor;
        ret->outputs.items[i].name = tensor->name;
        ret->outputs.items[i].datatype = slice_of(datatype_name(tensor->type));
        ret->outputs.items[i].shape.items = tensor->shape;
        ret->outputs.items[i].shape.count = (size_t)tensor->rank;
        ret->raw_output_contents.items[i] = tensor->data;
        STATUS_TRY(fill_output_parameters(&outputs[i], response->arena, &ret->outputs.items[i]));
    }
    return status_ok();
}

struct status v2_infer_grpc_fill(const struct infer_request *request, const struct infer_response *response,
                                 size_t extra, struct pb_model_infer_response *ret) {
    *ret = (struct pb_model_infer_response){.model_name = response->model_name, .id = request->id};
    ret->model_version = arena_u64(response->arena, (uint64_t)response->model_version);
    STATUS_TRY(fill_parameters(response, extra, ret));
    return fill_outputs(request, response, ret);
}

struct slice v2_infer_grpc_take_tail(struct pb_model_infer_response *message) {
    size_t count = message->raw_output_contents.count;
    if (count == 0)
        return (struct slice){NULL, 0};
    struct slice tail = infer_outputs_tail(message->raw_output_contents.items[count - 1]);
    if (tail.size > 0)
        message->raw_output_contents.count--;
    return tail;
}

static struct status encode(struct infer_call *call, const struct infer_response *response, struct buf *out) {
    struct pb_model_infer_response message;
    STATUS_TRY(v2_infer_grpc_fill(call->request, response, 0, &message));
    call->tail = v2_infer_grpc_take_tail(&message);
    STATUS_TRY(pb_encode(&pb_model_infer_response_type, &message, out));
    if (call->tail.size > 0)
        pb_write_bytes_head(out, V2_RAW_OUTPUT_CONTENTS, call->tail.size);
    return status_ok();
}

static void send(struct infer_call *call, struct infer_answer *answer) {
    struct grpc_call *grpc = call->exchange;
    if (!status_is_ok(&answer->status)) {
        grpc_front_fail(grpc, &answer->status);
        return;
    }
    grpc_call_send_with_tail(grpc, &answer->bytes, infer_call_tail(call));
    grpc_call_finish(grpc, GRPC_OK, "");
}

static struct status decode(struct infer_call *call) {
    bool unused;
    return v2_infer_grpc_decode(call->message, call->request, &unused);
}

static void refuse(struct infer_call *call, const struct status *error) {
    grpc_front_fail(call->exchange, error);
}

static const struct infer_call_ops grpc_infer_ops = {
    .protocol = "v2-grpc", .front = TRACE_GRPC, .decode = decode, .refuse = refuse, .encode = encode, .send = send};

void v2_infer_grpc_on_message(struct grpc_call *grpc, struct slice message) {
    infer_start_message(&grpc_infer_ops, grpc, message);
}

void v2_infer_grpc_expire(struct grpc_call *grpc) {
    struct infer_call *call = grpc_call_context(grpc);
    if (call)
        infer_call_expire(call);
}

void v2_infer_grpc_on_close(struct grpc_call *grpc) {
    infer_call_sent(grpc_call_context(grpc));
    v2_infer_grpc_leave(grpc);
}

void v2_infer_grpc_leave(struct grpc_call *grpc) {
    struct infer_call *call = grpc_call_context(grpc);
    grpc_call_set_context(grpc, NULL);
    infer_call_detach(call);
}
