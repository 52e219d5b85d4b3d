#include "core/request_validation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Names in a message: "'a','b'", cut when the room ends. */
struct name_list {
    char text[160];
    size_t used;
};

static void list_name(struct name_list *list, struct slice name) {
    size_t room = sizeof list->text - list->used;
    int n = snprintf(list->text + list->used, room, "%s'%.*s'", list->used ? "," : "", SLICE_ARGS(name));
    if (n > 0)
        list->used += (size_t)n < room ? (size_t)n : room - 1;
}

static struct status check_output(const struct model_config *config, const struct requested_output *wanted) {
    const struct model_output *output = model_config_output(config, wanted->name);
    if (!output)
        return status_error(STATUS_INVALID_ARGUMENT, "unexpected inference output '%.*s' for model '%.*s'",
                            SLICE_ARGS(wanted->name), SLICE_ARGS(config->name));
    bool no_classes = output->type == DATATYPE_BYTES || output->type == DATATYPE_BOOL ||
                      output->type == DATATYPE_FP16 || output->type == DATATYPE_BF16;
    if (wanted->classification && no_classes)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "class result not available for output '%.*s' of model '%.*s' due to unsupported type '%s'",
                            SLICE_ARGS(wanted->name), SLICE_ARGS(config->name), datatype_name(output->type));
    if (wanted->classification && wanted->part.region.size > 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "output '%.*s' of model '%.*s': a class result cannot be put into shared memory",
                            SLICE_ARGS(wanted->name), SLICE_ARGS(config->name));
    return status_ok();
}

static struct status check_outputs(const struct model_config *config, const struct infer_request *request) {
    for (size_t i = 0; i < request->output_count; i++)
        STATUS_TRY(check_output(config, &request->outputs[i]));
    return status_ok();
}

static bool is_among(const struct requested_output *outputs, size_t count, struct slice name) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(outputs[i].name, name))
            return true;
    return false;
}

/* It may stop at one more name than the model has: one of them is not the model's, and the request will be refused. */
void request_drop_repeated_outputs(const struct model_config *config, struct infer_request *request) {
    size_t kept = 0;
    for (size_t i = 0; i < request->output_count && kept <= config->output_count; i++)
        if (!is_among(request->outputs, kept, request->outputs[i].name))
            request->outputs[kept++] = request->outputs[i];
    request->output_count = kept;
}

static struct status missing_inputs(const struct model_config *config, const struct infer_request *request) {
    struct name_list got = {.used = 0}, missing = {.used = 0};
    size_t required = 0;
    for (size_t i = 0; i < request->input_count; i++)
        list_name(&got, request->inputs[i].name);
    for (size_t i = 0; i < config->input_count; i++) {
        required += !config->inputs[i].optional;
        if (!config->inputs[i].optional && !infer_request_input(request, config->inputs[i].name))
            list_name(&missing, config->inputs[i].name);
    }
    char expected[64];
    if (required == config->input_count)
        snprintf(expected, sizeof expected, "expected %zu inputs", required);
    else
        snprintf(expected, sizeof expected, "expected number of inputs between %zu and %zu", required,
                 config->input_count);
    return status_error(
        STATUS_INVALID_ARGUMENT,
        "%s but got %zu inputs for model '%.*s'. Got input(s) [%s], but missing required input(s) [%s]. "
        "Please provide all required input(s).",
        expected, request->input_count, SLICE_ARGS(config->name), got.text, missing.text);
}

static struct status check_input_names(const struct model_config *config, const struct infer_request *request) {
    for (size_t i = 0; i < request->input_count; i++) {
        struct slice name = request->inputs[i].name;
        if (!model_config_input(config, name))
            return status_error(STATUS_INVALID_ARGUMENT, "unexpected inference input '%.*s' for model '%.*s'",
                                SLICE_ARGS(name), SLICE_ARGS(config->name));
        for (size_t j = 0; j < i; j++)
            if (slice_equal(name, request->inputs[j].name))
                return status_error(STATUS_INVALID_ARGUMENT,
                                    "inference input '%.*s' is given more than once for model '%.*s'", SLICE_ARGS(name),
                                    SLICE_ARGS(config->name));
    }
    for (size_t i = 0; i < config->input_count; i++)
        if (!config->inputs[i].optional && !infer_request_input(request, config->inputs[i].name))
            return missing_inputs(config, request);
    return status_ok();
}

static struct status shape_mismatch(const struct model_config *config, const struct model_input *input,
                                    const struct tensor *tensor) {
    int64_t dims[TENSOR_RANK_MAX + 1] = {-1};
    int batch = config->max_batch_size > 0;
    memcpy(dims + batch, input->dims, (size_t)input->rank * sizeof *dims);
    char expected[160], got[160];
    shape_format(dims, input->rank + batch, expected, sizeof expected);
    shape_format(tensor->shape, tensor->rank, got, sizeof got);
    const char *note =
        batch ? ". NOTE: a model with max_batch_size above 0 takes a batch dimension in front of each shape" : "";
    return status_error(STATUS_INVALID_ARGUMENT,
                        "unexpected shape for input '%.*s' for model '%.*s'. Expected %s, got %s%s",
                        SLICE_ARGS(input->name), SLICE_ARGS(config->name), expected, got, note);
}

static struct status check_shape(const struct model_config *config, const struct model_input *input,
                                 const struct tensor *tensor) {
    int batch = config->max_batch_size > 0;
    if (tensor->rank != input->rank + batch || tensor->rank > TENSOR_RANK_MAX)
        return shape_mismatch(config, input, tensor);
    for (int i = 0; i < tensor->rank; i++) {
        int64_t expected = i < batch ? -1 : input->dims[i - batch];
        if (tensor->shape[i] < 0 || (expected >= 0 && tensor->shape[i] != expected))
            return shape_mismatch(config, input, tensor);
    }
    return status_ok();
}

/* What the shape asks for; of BYTES, whose elements tell it themselves, what they have. */
static struct status expected_size(const struct tensor *tensor, size_t *ret) {
    *ret = tensor->data.size;
    if (tensor->type == DATATYPE_BYTES)
        return tensor_check_size(tensor);
    return tensor_fixed_size(tensor->type, tensor->shape, tensor->rank, ret);
}

static struct status check_size(const struct model_config *config, const struct tensor *tensor) {
    size_t expected;
    struct status status = expected_size(tensor, &expected);
    if (!status_is_ok(&status))
        return status_prefix(status, "input '%.*s' for model '%.*s'", SLICE_ARGS(tensor->name),
                             SLICE_ARGS(config->name));
    if (tensor->data.size != expected)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "input byte size mismatch for input '%.*s' for model '%.*s'. Expected %zu, got %zu",
                            SLICE_ARGS(tensor->name), SLICE_ARGS(config->name), expected, tensor->data.size);
    return status_ok();
}

static struct status check_input(const struct model_config *config, const struct tensor *tensor) {
    const struct model_input *input = model_config_input(config, tensor->name);
    if (tensor->type != input->type)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "inference input '%.*s' data-type is '%s', but model '%.*s' expects '%s'",
                            SLICE_ARGS(tensor->name), datatype_name(tensor->type), SLICE_ARGS(config->name),
                            datatype_name(input->type));
    STATUS_TRY(check_shape(config, input, tensor));
    return check_size(config, tensor);
}

static struct status check_batch(const struct model_config *config, const struct infer_request *request,
                                 uint32_t *ret_items) {
    *ret_items = 1;
    if (config->max_batch_size == 0 || request->input_count == 0)
        return status_ok();
    int64_t items = request->inputs[0].shape[0];
    for (size_t i = 1; i < request->input_count; i++)
        if (request->inputs[i].shape[0] != items)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "input '%.*s' batch size does not match other inputs for '%.*s': expected %" PRId64
                                " as for '%.*s', got %" PRId64,
                                SLICE_ARGS(request->inputs[i].name), SLICE_ARGS(config->name), items,
                                SLICE_ARGS(request->inputs[0].name), request->inputs[i].shape[0]);
    if (items > config->max_batch_size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "inference request batch-size must be <= %" PRId32 " for '%.*s', got %" PRId64,
                            config->max_batch_size, SLICE_ARGS(config->name), items);
    if (items < 1)
        return status_error(STATUS_INVALID_ARGUMENT, "inference request batch-size must be >= 1 for '%.*s', got 0",
                            SLICE_ARGS(config->name));
    *ret_items = (uint32_t)items;
    return status_ok();
}

static struct status check_sequence(const struct model_config *config, const struct infer_request *request) {
    if (request->sequence_flags & ~(uint32_t)(SEQUENCE_START | SEQUENCE_END))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "sequence flags for model '%.*s' may be START (1) and END (2), got %" PRIu32,
                            SLICE_ARGS(config->name), request->sequence_flags);
    if (request->sequence_flags && request->sequence.kind == SEQUENCE_NONE)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "inference request to model '%.*s' starts or ends a sequence, so it must specify a non-zero "
            "or non-empty correlation ID",
            SLICE_ARGS(config->name));
    return status_ok();
}

struct status request_validate(const struct model_config *config, const struct infer_request *request,
                               uint32_t *ret_items) {
    STATUS_TRY(check_outputs(config, request));
    STATUS_TRY(check_sequence(config, request));
    STATUS_TRY(check_input_names(config, request));
    for (size_t i = 0; i < request->input_count; i++)
        STATUS_TRY(check_input(config, &request->inputs[i]));
    return check_batch(config, request, ret_items);
}

/* The finaliser of the splitmix64 generator: spreads every input bit over the whole word. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t request_shape_key(const struct model_config *config, const struct infer_request *request, uint64_t seed) {
    int batch = config->max_batch_size > 0;
    uint64_t key = 0;
    for (size_t i = 0; i < request->input_count; i++) {
        const struct tensor *tensor = &request->inputs[i];
        const struct model_input *input = model_config_input(config, tensor->name);
        uint64_t part = mix(seed ^ (uint64_t)(input - config->inputs));
        for (int d = batch; d < tensor->rank && !input->ragged; d++)
            part = mix(part ^ (uint64_t)tensor->shape[d]);
        key += part; /* the sum does not depend on the order in which the client lists its inputs */
    }
    return key;
}
