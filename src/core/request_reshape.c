/* The config's `reshape`: clients and the engine see different shapes of the same elements. Declared in
 * request_validation.h; the only place that knows how the two correspond. */
#include <string.h>

#include "core/request_validation.h"

/* From shape `dims` to shape `other` behind `batch` leading dimensions; variable dims correspond in order. False when
 * the tensor's shape is not one of `dims`. */
static bool convert(struct tensor *tensor, int batch, const int64_t *dims, int rank, const int64_t *other,
                    int other_rank) {
    if (tensor->rank != rank + batch || other_rank + batch > TENSOR_RANK_MAX)
        return false;
    int64_t variable[TENSOR_RANK_MAX];
    int variable_count = 0, used = 0;
    for (int i = 0; i < rank; i++) {
        if (dims[i] >= 0 && tensor->shape[batch + i] != dims[i])
            return false;
        if (dims[i] < 0)
            variable[variable_count++] = tensor->shape[batch + i];
    }
    int64_t shape[TENSOR_RANK_MAX];
    for (int i = 0; i < other_rank; i++) {
        if (other[i] < 0 && used == variable_count)
            return false;
        shape[i] = other[i] < 0 ? variable[used++] : other[i];
    }
    memcpy(tensor->shape + batch, shape, (size_t)other_rank * sizeof *shape);
    tensor->rank = batch + other_rank;
    return true;
}

void request_reshape_inputs(const struct model_config *config, struct infer_request *request) {
    for (size_t i = 0; i < request->input_count; i++) {
        const struct model_input *input = model_config_input(config, request->inputs[i].name);
        if (input->reshaped)
            convert(&request->inputs[i], config->max_batch_size > 0, input->dims, input->rank, input->reshape_dims,
                    input->reshape_rank);
    }
}

void request_restore_inputs(const struct model_config *config, struct infer_request *request) {
    for (size_t i = 0; i < request->input_count; i++) {
        const struct model_input *input = model_config_input(config, request->inputs[i].name);
        if (input->reshaped)
            convert(&request->inputs[i], config->max_batch_size > 0, input->reshape_dims, input->reshape_rank,
                    input->dims, input->rank);
    }
}

static struct status mismatch(const struct model_config *config, const struct model_output *output,
                              const struct tensor *tensor) {
    char expected[128], got[128];
    shape_format(output->reshape_dims, output->reshape_rank, expected, sizeof expected);
    shape_format(tensor->shape, tensor->rank, got, sizeof got);
    return status_error(
        STATUS_INTERNAL,
        "the engine of model '%.*s' gave output '%.*s' the shape %s, but the config's reshape says %s%s",
        SLICE_ARGS(config->name), SLICE_ARGS(tensor->name), got, expected,
        config->max_batch_size > 0 ? " behind the batch dimension" : "");
}

struct status response_reshape_outputs(const struct model_config *config, struct infer_response *response) {
    for (size_t i = 0; i < response->output_count; i++) {
        struct tensor *tensor = &response->outputs[i];
        const struct model_output *output = model_config_output(config, tensor->name);
        if (output && output->reshaped &&
            !convert(tensor, config->max_batch_size > 0, output->reshape_dims, output->reshape_rank, output->dims,
                     output->rank))
            return mismatch(config, output, tensor);
    }
    return status_ok();
}
