#include "tools/perf/core_request.h"

#include "api/infer_parameters.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a request");
}

static struct status fill_input(struct infer_request *request, const struct infer_tensor *from, struct tensor *to) {
    if (from->rank > TENSOR_RANK_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "input '%.*s': more than %d dims", SLICE_ARGS(from->name),
                            TENSOR_RANK_MAX);
    to->name = arena_copy(request->arena, from->name);
    to->type = datatype_from_name(from->datatype);
    to->rank = (int)from->rank;
    for (size_t d = 0; d < from->rank; d++)
        to->shape[d] = from->shape[d];
    to->data = arena_copy(request->arena, from->data);
    bool good = to->name.size == from->name.size && to->data.size == from->data.size;
    return good ? status_ok() : out_of_memory();
}

static struct status fill_parameter(struct infer_request *request, const struct infer_client_parameter *from,
                                    uint64_t now_ns) {
    struct infer_parameter to = {.name = arena_copy(request->arena, from->name)};
    switch (from->kind) {
    case INFER_VALUE_BOOL:
        to.kind = PARAMETER_BOOL;
        to.value.boolean = from->boolean;
        break;
    case INFER_VALUE_INT:
        to.kind = PARAMETER_INT;
        to.value.integer = from->integer;
        break;
    case INFER_VALUE_UINT:
        to.kind = PARAMETER_UINT;
        to.value.unsigned_integer = from->natural;
        break;
    case INFER_VALUE_DOUBLE:
        to.kind = PARAMETER_DOUBLE;
        to.value.real = from->number;
        break;
    case INFER_VALUE_TEXT:
        to.kind = PARAMETER_STRING;
        to.value.string = arena_copy(request->arena, from->text);
        break;
    }
    return infer_parameters_apply(request, &to, now_ns);
}

struct status core_request_version(struct slice version, int64_t *ret) {
    *ret = -1;
    if (version.size == 0 || (slice_to_i64(version, ret) && *ret >= 0))
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "version '%.*s': expected a number", SLICE_ARGS(version));
}

struct status core_request_fill(const struct infer_request_spec *spec, uint64_t now_ns, struct infer_request *request) {
    request->inputs = arena_calloc(request->arena, spec->input_count, sizeof *request->inputs);
    request->outputs = arena_calloc(request->arena, spec->output_count, sizeof *request->outputs);
    request->model_name = arena_copy(request->arena, spec->model);
    if (request->inputs == NULL || request->outputs == NULL || request->model_name.size != spec->model.size)
        return out_of_memory();
    if (spec->input_regions != NULL || spec->output_regions != NULL || spec->output_classes != NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "in process there are neither regions of memory nor classes");
    STATUS_TRY(core_request_version(spec->version, &request->model_version));
    request->input_count = spec->input_count;
    request->output_count = spec->output_count;
    for (size_t i = 0; i < spec->input_count; i++)
        STATUS_TRY(fill_input(request, &spec->inputs[i], &request->inputs[i]));
    for (size_t i = 0; i < spec->output_count; i++)
        request->outputs[i].name = arena_copy(request->arena, spec->outputs[i]);
    STATUS_TRY(infer_parameters_reserve(request, spec->parameter_count));
    for (size_t i = 0; i < spec->parameter_count; i++)
        STATUS_TRY(fill_parameter(request, &spec->parameters[i], now_ns));
    return status_ok();
}
