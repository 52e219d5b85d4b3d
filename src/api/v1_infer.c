#include "api/v1_infer.h"

#include <inttypes.h>

#include "api/classification.h"
#include "api/infer_parameters.h"
#include "base/clock.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
}

/* ---- request ---- */

/* The shape with the batch dimension, where the model has one. Without dims it is the config's. */
static struct status read_shape(const struct model_config *config, const struct model_input *known,
                                const struct pb_v1_infer_request_header_input *input, uint32_t batch_size,
                                struct tensor *ret) {
    bool given = input->dims.count > 0;
    size_t rank = given ? input->dims.count : (size_t)known->rank;
    ret->rank = 0;
    if (config->max_batch_size > 0)
        ret->shape[ret->rank++] = batch_size;
    if (rank + (size_t)ret->rank > TENSOR_RANK_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "input '%.*s': expected at most %d dims, got %zu",
                            SLICE_ARGS(input->name), TENSOR_RANK_MAX - ret->rank, rank);
    for (size_t i = 0; i < rank; i++) {
        int64_t dim = given ? input->dims.items[i] : known->dims[i];
        if (dim < 0)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "input '%.*s': dims must be given, as numbers of 0 or more: the model's are variable",
                                SLICE_ARGS(input->name));
        ret->shape[ret->rank++] = dim;
    }
    return status_ok();
}

/* The bytes of the whole batch. Only strings need to be told. */
static struct status read_size(const struct pb_v1_infer_request_header_input *input, const struct tensor *tensor,
                               size_t *ret) {
    if (tensor->type == DATATYPE_BYTES) {
        *ret = (size_t)input->batch_byte_size;
        return status_ok();
    }
    STATUS_TRY(tensor_fixed_size(tensor->type, tensor->shape, tensor->rank, ret));
    if (input->batch_byte_size != 0 && input->batch_byte_size != *ret)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "input '%.*s': expected batch_byte_size %zu, as datatype, dims and batch size make it, got "
                            "%" PRIu64,
                            SLICE_ARGS(input->name), *ret, input->batch_byte_size);
    return status_ok();
}

static struct status read_part(const struct pb_v1_infer_shared_memory *memory, struct slice tensor,
                               struct memory_part *ret) {
    if (memory->name.size == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "'%.*s': shared memory needs the name of its region",
                            SLICE_ARGS(tensor));
    *ret = (struct memory_part){.region = memory->name, .offset = memory->offset, .size = memory->byte_size};
    return status_ok();
}

static struct status read_input(const struct model_config *config, const struct pb_v1_infer_request_header_input *input,
                                uint32_t batch_size, struct tensor *ret, size_t *ret_size) {
    const struct model_input *known = model_config_input(config, input->name);
    if (!known)
        return status_error(STATUS_INVALID_ARGUMENT, "unexpected inference input '%.*s' for model '%.*s'",
                            SLICE_ARGS(input->name), SLICE_ARGS(config->name));
    ret->name = input->name;
    ret->type = known->type;
    STATUS_TRY(read_shape(config, known, input, batch_size, ret));
    if (!input->shared_memory)
        return read_size(input, ret, ret_size);
    return read_part(input->shared_memory, input->name, &ret->part);
}

static struct status read_inputs(const struct model_config *config, const struct pb_v1_infer_request_header *header,
                                 struct infer_request *request, size_t **ret_sizes) {
    size_t count = header->input.count;
    request->inputs = arena_calloc(request->arena, count, sizeof *request->inputs);
    size_t *sizes = arena_calloc(request->arena, count, sizeof *sizes);
    if (!request->inputs || !sizes)
        return no_memory();
    request->input_count = count;
    for (size_t i = 0; i < count; i++)
        STATUS_TRY(read_input(config, &header->input.items[i], header->batch_size, &request->inputs[i], &sizes[i]));
    *ret_sizes = sizes;
    return status_ok();
}

static struct status read_outputs(const struct pb_v1_infer_request_header *header, struct infer_request *request) {
    size_t count = header->output.count;
    request->outputs = arena_calloc(request->arena, count, sizeof *request->outputs);
    if (!request->outputs)
        return no_memory();
    request->output_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct pb_v1_infer_request_header_output *output = &header->output.items[i];
        request->outputs[i].name = output->name;
        if (output->cls && output->cls->count == 0)
            return status_error(STATUS_INVALID_ARGUMENT, "output '%.*s': expected a class count of at least 1, got 0",
                                SLICE_ARGS(output->name));
        request->outputs[i].classification = output->cls ? output->cls->count : 0;
        if (output->cls && output->shared_memory)
            return status_error(STATUS_INVALID_ARGUMENT, "output '%.*s': classes cannot be put into shared memory",
                                SLICE_ARGS(output->name));
        if (output->shared_memory)
            STATUS_TRY(read_part(output->shared_memory, output->name, &request->outputs[i].part));
    }
    return status_ok();
}

static struct status read_schedule(const struct pb_v1_infer_request_header *header, struct infer_request *request) {
    if (header->correlation_id != 0) {
        request->sequence.kind = SEQUENCE_NUMBER;
        request->sequence.number = header->correlation_id;
    }
    if (header->flags & PB_V1_FLAG_SEQUENCE_START)
        request->sequence_flags |= SEQUENCE_START;
    if (header->flags & PB_V1_FLAG_SEQUENCE_END)
        request->sequence_flags |= SEQUENCE_END;
    request->priority = header->priority;
    const struct infer_parameter timeout = {.name = SLICE_LITERAL("timeout"),
                                            .kind = PARAMETER_UINT,
                                            .value.unsigned_integer = header->timeout_microseconds};
    return infer_parameters_apply(request, &timeout, clock_monotonic_ns());
}

static struct status read_batch_size(const struct model_config *config, uint32_t batch_size) {
    uint32_t most = config->max_batch_size > 0 ? (uint32_t)config->max_batch_size : 1;
    if (batch_size < 1 || batch_size > most)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "inference request batch-size must be from 1 to %" PRIu32 " for '%.*s', got %" PRIu32, most,
                            SLICE_ARGS(config->name), batch_size);
    return status_ok();
}

static struct status read_header(const struct model_config *config, const struct pb_v1_infer_request_header *header,
                                 struct infer_request *request, size_t **ret_sizes) {
    STATUS_TRY(read_batch_size(config, header->batch_size));
    STATUS_TRY(read_inputs(config, header, request, ret_sizes));
    STATUS_TRY(read_outputs(header, request));
    return read_schedule(header, request);
}

struct status v1_infer_decode(const struct api_context *context, const struct pb_v1_infer_request_header *header,
                              struct infer_request *request, size_t **ret_sizes) {
    if (header->id != 0) {
        request->id = slice_of(arena_printf(request->arena, "%" PRIu64, header->id));
        if (!request->id.data)
            return no_memory();
    }
    struct model *model;
    struct status status =
        inference_server_acquire_model(context->server, request->model_name, request->model_version, &model);
    if (!status_is_ok(&status)) {
        status.code = STATUS_UNAVAILABLE;
        return status;
    }
    status = read_header(model_config_of(model), header, request, ret_sizes);
    model_release(model);
    return status;
}

uint64_t v1_infer_id(const struct infer_request *request) {
    uint64_t id;
    return slice_to_u64(request->id, &id) ? id : 0;
}

/* ---- response ---- */

static const struct tensor *find_output(const struct infer_response *response, struct slice name) {
    for (size_t i = 0; i < response->output_count; i++)
        if (slice_equal(response->outputs[i].name, name))
            return &response->outputs[i];
    return NULL;
}

/* One message of classes for each batch entry. */
static struct status describe_classes(const struct model *model, const struct tensor *tensor, uint32_t k,
                                      uint32_t *left, struct arena *arena,
                                      struct pb_v1_infer_response_header_output *ret) {
    struct classification chosen;
    STATUS_TRY(classification_select(model, tensor, k, left, arena, &chosen));
    size_t entries = (size_t)chosen.entries;
    ret->batch_classes.items = arena_calloc(arena, entries, sizeof *ret->batch_classes.items);
    struct pb_v1_infer_response_header_output_class *classes =
        arena_calloc(arena, entries, chosen.kept * sizeof *classes);
    if (!ret->batch_classes.items || !classes)
        return no_memory();
    ret->batch_classes.count = entries;
    for (size_t i = 0; i < entries * chosen.kept; i++) {
        classes[i].idx = (int32_t)chosen.scores[i].index;
        classes[i].value = chosen.scores[i].value;
        classes[i].label = chosen.scores[i].label;
    }
    for (size_t i = 0; i < entries; i++) {
        ret->batch_classes.items[i].cls.items = classes + i * chosen.kept;
        ret->batch_classes.items[i].cls.count = chosen.kept;
    }
    return status_ok();
}

static struct status describe_raw(const struct model *model, const struct tensor *tensor, struct arena *arena,
                                  struct pb_v1_infer_response_header_output *ret) {
    int batch = model_config_of(model)->max_batch_size > 0 && tensor->rank > 0 ? 1 : 0;
    ret->raw = arena_calloc(arena, 1, sizeof *ret->raw);
    if (!ret->raw)
        return no_memory();
    ret->raw->dims.count = (size_t)(tensor->rank - batch);
    ret->raw->dims.items = arena_calloc(arena, ret->raw->dims.count, sizeof *ret->raw->dims.items);
    if (!ret->raw->dims.items)
        return no_memory();
    for (size_t i = 0; i < ret->raw->dims.count; i++)
        ret->raw->dims.items[i] = tensor->shape[i + (size_t)batch];
    ret->raw->batch_byte_size = tensor->data.size;
    return status_ok();
}

/* The outputs in the order in which they were asked for. */
static struct status describe_outputs(const struct infer_request *request, const struct infer_response *response,
                                      struct pb_v1_infer_response_header *ret, struct slice *raw) {
    uint32_t classes_left = CLASSIFICATION_CLASSES_MAX;
    for (size_t i = 0; i < request->output_count; i++) {
        const struct requested_output *requested = &request->outputs[i];
        const struct tensor *tensor = find_output(response, requested->name);
        if (!tensor)
            continue; /* the model has left it out */
        struct pb_v1_infer_response_header_output *output = &ret->output.items[ret->output.count];
        output->name = tensor->name;
        if (requested->classification > 0) {
            STATUS_TRY(describe_classes(request->model, tensor, requested->classification, &classes_left,
                                        response->arena, output));
        } else {
            STATUS_TRY(describe_raw(request->model, tensor, response->arena, output));
            if (tensor->memory != MEMORY_SHARED)
                raw[ret->output.count] = tensor->data;
        }
        ret->output.count++;
    }
    return status_ok();
}

/* As the client gave it: the first dimension where there is a batch dimension. */
static uint32_t batch_size_of(const struct infer_request *request) {
    bool batched = model_config_of(request->model)->max_batch_size > 0 && request->input_count > 0;
    return batched ? (uint32_t)request->inputs[0].shape[0] : 1;
}

struct status v1_infer_describe(const struct infer_request *request, const struct infer_response *response,
                                struct pb_v1_infer_response_header *ret, struct slice **ret_raw) {
    *ret = (struct pb_v1_infer_response_header){.model_name = response->model_name,
                                                .model_version = response->model_version,
                                                .batch_size = batch_size_of(request),
                                                .id = v1_infer_id(request)};
    size_t count = request->output_count;
    ret->output.items = arena_calloc(response->arena, count, sizeof *ret->output.items);
    *ret_raw = arena_calloc(response->arena, count, sizeof **ret_raw);
    if (!ret->output.items || !*ret_raw)
        return no_memory();
    return describe_outputs(request, response, ret, *ret_raw);
}
