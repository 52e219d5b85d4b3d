#include "backends/identity/sequence_output.h"

#include <string.h>

enum { VALUES = 2 };

struct status sequence_output_find(const struct model_config *config, const struct model_output **ret) {
    struct slice name;
    *ret = NULL;
    if (!model_config_parameter(config, SEQUENCE_OUTPUT_PARAMETER, &name))
        return status_ok();
    const struct model_output *last = config->output_count ? &config->outputs[config->output_count - 1] : NULL;
    if (!last || !slice_equal(last->name, name) || last->type != DATATYPE_UINT64 || last->rank != 1 ||
        last->dims[0] != VALUES || last->reshaped)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "parameter " SEQUENCE_OUTPUT_PARAMETER
                            " must name the last output, of TYPE_UINT64 and dims [%d], got '%.*s'",
                            VALUES, SLICE_ARGS(name));
    *ret = last;
    return status_ok();
}

struct status sequence_output_add(const struct model_config *config, const struct model_output *output,
                                  const struct infer_request *request, struct infer_response *response) {
    if (!infer_request_wants(request, output->name))
        return status_ok();
    bool batched = config->max_batch_size > 0;
    size_t entries = batched ? request->cost.items : 1;
    const int64_t shape[] = {(int64_t)entries, VALUES};
    uint64_t values[VALUES] = {0, request->sequence_flags};
    if (request->sequence.kind == SEQUENCE_NUMBER)
        values[0] = request->sequence.number;
    char *data;
    STATUS_TRY(infer_response_add_output(response, output->name, DATATYPE_UINT64, batched ? shape : shape + 1,
                                         batched ? 2 : 1, entries * sizeof values, &data));
    for (size_t i = 0; i < entries; i++)
        memcpy(data + i * sizeof values, values, sizeof values);
    return status_ok();
}
