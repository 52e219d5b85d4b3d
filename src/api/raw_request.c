#include "api/raw_request.h"

#include <string.h>

static struct status refuse(const struct model_config *config, const char *why) {
    return status_error(STATUS_INVALID_ARGUMENT, "raw request for model '%.*s': %s", SLICE_ARGS(config->name), why);
}

/* The one element of a BYTES input, behind its length. */
static struct status set_string(const struct model_config *config, struct slice body, struct infer_request *request,
                                struct tensor *tensor) {
    const struct model_input *input = &config->inputs[0];
    if (input->rank != 1 || input->dims[0] != 1)
        return refuse(config, "a BYTES input must have dims [1] to be sent raw");
    if (body.size > UINT32_MAX)
        return refuse(config, "the body is larger than a BYTES element can be");
    uint32_t length = (uint32_t)body.size;
    char *copy = arena_alloc(request->arena, sizeof length + body.size);
    if (!copy)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a raw request of %zu bytes", body.size);
    memcpy(copy, &length, sizeof length);
    if (body.size > 0)
        memcpy(copy + sizeof length, body.data, body.size);
    tensor->data = (struct slice){copy, sizeof length + body.size};
    tensor->shape[tensor->rank++] = 1;
    return status_ok();
}

/* The shape of a fixed-size type; a variable dimension follows from the number of elements. */
static struct status set_elements(const struct model_config *config, struct slice body, struct tensor *tensor) {
    const struct model_input *input = &config->inputs[0];
    size_t fixed = datatype_size(input->type);
    int variable = -1;
    for (int i = 0; i < input->rank; i++) {
        int64_t dim = input->dims[i];
        if (dim < 0 && variable >= 0)
            return refuse(config,
                          "its input has several variable dimensions, so the shape does not follow from the size");
        if (dim < 0)
            variable = tensor->rank;
        else if (__builtin_mul_overflow(fixed, (size_t)dim, &fixed))
            return refuse(config, "its input is too large");
        tensor->shape[tensor->rank++] = dim;
    }
    if (variable >= 0) {
        if (fixed == 0 || body.size % fixed != 0)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "raw request for model '%.*s': expected a body of a multiple of %zu bytes, got %zu",
                                SLICE_ARGS(config->name), fixed, body.size);
        tensor->shape[variable] = (int64_t)(body.size / fixed);
    } else if (body.size != fixed) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "raw request for model '%.*s': expected a body of %zu bytes, got %zu",
                            SLICE_ARGS(config->name), fixed, body.size);
    }
    tensor->data = body;
    return status_ok();
}

struct status raw_request_decode(const struct model_config *config, struct slice body, struct infer_request *request) {
    if (config->input_count != 1)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "raw request for model '%.*s': expected a model with 1 input, this one has %zu",
                            SLICE_ARGS(config->name), config->input_count);
    const struct model_input *input = &config->inputs[0];
    struct tensor *tensor = arena_calloc(request->arena, 1, sizeof *tensor);
    if (!tensor)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the input of the request");
    tensor->name = arena_copy(request->arena, input->name);
    tensor->type = input->type;
    if (config->max_batch_size > 0)
        tensor->shape[tensor->rank++] = 1;
    if (tensor->rank + input->rank > TENSOR_RANK_MAX)
        return refuse(config, "its input has too many dimensions");
    if (input->type == DATATYPE_BYTES)
        STATUS_TRY(set_string(config, body, request, tensor));
    else
        STATUS_TRY(set_elements(config, body, tensor));
    request->inputs = tensor;
    request->input_count = 1;
    return status_ok();
}
