#include "api/infer_outputs.h"

#include "api/classification.h"

static const struct requested_output *find_requested(const struct infer_request *request, struct slice name) {
    for (size_t i = 0; i < request->output_count; i++)
        if (slice_equal(request->outputs[i].name, name))
            return &request->outputs[i];
    return NULL;
}

/* For a result that the client finds in his own memory: where, and how many bytes it has. */
static void tell_part(struct infer_output *output) {
    const struct memory_part *part = &output->requested->part;
    struct infer_parameter *next = output->parameters;
    *next++ = (struct infer_parameter){
        .name = SLICE_LITERAL("shared_memory_region"), .kind = PARAMETER_STRING, .value.string = part->region};
    if (part->offset > 0)
        *next++ = (struct infer_parameter){.name = SLICE_LITERAL("shared_memory_offset"),
                                           .kind = PARAMETER_INT,
                                           .value.integer = (int64_t)part->offset};
    *next++ = (struct infer_parameter){.name = SLICE_LITERAL("shared_memory_byte_size"),
                                       .kind = PARAMETER_INT,
                                       .value.integer = (int64_t)output->tensor.data.size};
    output->parameter_count = (size_t)(next - output->parameters);
    output->tensor.data = (struct slice){NULL, 0};
}

struct status infer_outputs_select(const struct infer_request *request, const struct infer_response *response,
                                   struct infer_output **ret, size_t *ret_count) {
    struct infer_output *outputs = arena_calloc(response->arena, response->output_count, sizeof *outputs);
    if (!outputs)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the outputs");
    size_t count = 0;
    uint32_t classes_left = CLASSIFICATION_CLASSES_MAX;
    for (size_t i = 0; i < response->output_count; i++) {
        const struct tensor *tensor = &response->outputs[i];
        const struct requested_output *requested = find_requested(request, tensor->name);
        if (!requested && request->output_count > 0)
            continue;
        struct infer_output *output = &outputs[count++];
        output->requested = requested;
        if (requested && requested->classification > 0)
            STATUS_TRY(classification_encode(request->model, tensor, requested->classification, &classes_left,
                                             response->arena, &output->tensor));
        else
            output->tensor = *tensor;
        if (output->tensor.memory == MEMORY_SHARED)
            tell_part(output);
    }
    *ret = outputs;
    *ret_count = count;
    return status_ok();
}

struct slice infer_outputs_tail(struct slice last) {
    enum { COPIED_BELOW = 16 << 10 };
    return last.size < COPIED_BELOW ? (struct slice){NULL, 0} : last;
}
