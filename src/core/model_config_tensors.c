/* Checks the inputs and outputs of a config and brings them into the form that the scheduler uses. */
#include <stdio.h>
#include <string.h>

#include "codec/model_config_messages.h"
#include "core/core_limits.h"
#include "core/model_config_priv.h"

enum { PATH_MAX_BYTES = 64, SHAPE_TEXT_MAX = 160 };

/* What input and output have in common in the message. */
struct tensor_spec {
    const char *list; /* "input" */
    size_t index;
    struct slice name;
    int32_t data_type;
    const int64_t *dims;
    size_t rank;
    const struct pb_model_tensor_reshape *reshape; /* or NULL */
};

/* And in the derived form. */
struct tensor_shape {
    int rank;
    int64_t dims[TENSOR_RANK_MAX];
    bool reshaped;
    int reshape_rank;
    int64_t reshape_dims[TENSOR_RANK_MAX];
};

/* "model 'm': config.pbtxt:7: input[0].dims: input 'ids': <what>" */
static struct status spec_error(const struct model_config *config, const struct tensor_spec *spec, const char *field,
                                struct status what) {
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s[%zu]%s%s", spec->list, spec->index, field ? "." : "", field ? field : "");
    if (spec->name.size == 0)
        return model_config_error(config, path, "%s", what.message);
    return model_config_error(config, path, "%s '%.*s': %s", spec->list, SLICE_ARGS(spec->name), what.message);
}

#define SPEC_ERROR(config, spec, field, ...)                                                                           \
    spec_error((config), (spec), (field), status_error(STATUS_INVALID_ARGUMENT, __VA_ARGS__))

/* ---- shapes ---- */

static struct status check_dims(const struct model_config *config, const struct tensor_spec *spec, const char *field,
                                const int64_t *dims, size_t rank) {
    size_t most = (size_t)TENSOR_RANK_MAX - (config->max_batch_size > 0);
    if (rank > most)
        return SPEC_ERROR(config, spec, field, "expected at most %zu dims%s, got %zu", most,
                          config->max_batch_size > 0 ? " besides the batch dimension" : "", rank);
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 1 && dims[i] != -1)
            return SPEC_ERROR(config, spec, field, "expected dims of 1 or more, or -1 for a variable one, got %lld",
                              (long long)dims[i]);
    return status_ok();
}

/* Product of the dims from *at up to the next -1 (then *at stands on it) or the end. False on overflow. */
static bool run_product(const int64_t *dims, size_t rank, size_t *at, int64_t *ret) {
    int64_t product = 1;
    for (; *at < rank && dims[*at] != -1; (*at)++)
        if (__builtin_mul_overflow(product, dims[*at], &product))
            return false;
    *ret = product;
    return true;
}

/* A reshape keeps the elements before, between and after the variable dims, which correspond in order. */
static bool same_elements(const int64_t *a, size_t a_rank, const int64_t *b, size_t b_rank) {
    size_t a_at = 0, b_at = 0;
    for (;;) {
        int64_t a_product, b_product;
        if (!run_product(a, a_rank, &a_at, &a_product) || !run_product(b, b_rank, &b_at, &b_product) ||
            a_product != b_product)
            return false;
        if (a_at == a_rank || b_at == b_rank)
            return a_at == a_rank && b_at == b_rank;
        a_at++;
        b_at++;
    }
}

static struct status check_reshape(const struct model_config *config, const struct tensor_spec *spec) {
    const int64_t *shape = spec->reshape->shape.items;
    size_t rank = spec->reshape->shape.count;
    STATUS_TRY(check_dims(config, spec, "reshape", shape, rank));
    if (rank == 0 && config->max_batch_size == 0)
        return SPEC_ERROR(config, spec, "reshape", "an empty shape needs max_batch_size of 1 or more");
    if (same_elements(spec->dims, spec->rank, shape, rank))
        return status_ok();
    char from[SHAPE_TEXT_MAX], to[SHAPE_TEXT_MAX];
    shape_format(spec->dims, (int)spec->rank, from, sizeof from);
    shape_format(shape, (int)rank, to, sizeof to);
    return SPEC_ERROR(config, spec, "reshape",
                      "dims %s cannot become %s: the number of elements, and of -1, must stay the same", from, to);
}

static void copy_shape(int64_t *to, int *ret_rank, const int64_t *from, size_t rank) {
    *ret_rank = (int)rank;
    if (rank)
        memcpy(to, from, rank * sizeof *to);
}

static struct status take_shape(const struct model_config *config, const struct tensor_spec *spec,
                                struct tensor_shape *ret) {
    *ret = (struct tensor_shape){.rank = 0};
    if (spec->rank == 0)
        return SPEC_ERROR(config, spec, NULL,
                          "must specify dims, such as dims: [ -1 ] (the batch dimension not counted)");
    STATUS_TRY(check_dims(config, spec, "dims", spec->dims, spec->rank));
    copy_shape(ret->dims, &ret->rank, spec->dims, spec->rank);
    if (!spec->reshape)
        return status_ok();
    STATUS_TRY(check_reshape(config, spec));
    ret->reshaped = true;
    copy_shape(ret->reshape_dims, &ret->reshape_rank, spec->reshape->shape.items, spec->reshape->shape.count);
    return status_ok();
}

/* ---- tensors ---- */

static struct status check_spec(const struct model_config *config, const struct tensor_spec *spec) {
    if (spec->name.size == 0)
        return SPEC_ERROR(config, spec, NULL, "must specify a name");
    if (spec->data_type == PB_TYPE_INVALID)
        return SPEC_ERROR(config, spec, NULL, "must specify data_type, such as data_type: TYPE_FP32");
    if (datatype_from_number(spec->data_type) == DATATYPE_INVALID)
        return SPEC_ERROR(config, spec, "data_type", "%d is not a data type; expected TYPE_BOOL (1) to TYPE_BF16 (14)",
                          (int)spec->data_type);
    return status_ok();
}

static struct status take_input(struct model_config *config, size_t index) {
    const struct pb_model_input *from = &config->message->input.items[index];
    const struct tensor_spec spec = {"input",          index,        from->name, from->data_type, from->dims.items,
                                     from->dims.count, from->reshape};
    struct tensor_shape shape;
    STATUS_TRY(check_spec(config, &spec));
    STATUS_TRY(take_shape(config, &spec, &shape));
    if (model_config_input(config, from->name)) /* those before this one */
        return SPEC_ERROR(config, &spec, "name", "the name is there twice");
    struct model_input *input = &config->inputs[config->input_count++];
    *input = (struct model_input){.name = from->name,
                                  .type = datatype_from_number(from->data_type),
                                  .rank = shape.rank,
                                  .reshaped = shape.reshaped,
                                  .reshape_rank = shape.reshape_rank,
                                  .optional = from->optional,
                                  .ragged = from->allow_ragged_batch};
    memcpy(input->dims, shape.dims, sizeof input->dims);
    memcpy(input->reshape_dims, shape.reshape_dims, sizeof input->reshape_dims);
    return status_ok();
}

static struct status take_output(struct model_config *config, size_t index) {
    const struct pb_model_output *from = &config->message->output.items[index];
    const struct tensor_spec spec = {"output",         index,        from->name, from->data_type, from->dims.items,
                                     from->dims.count, from->reshape};
    struct tensor_shape shape;
    STATUS_TRY(check_spec(config, &spec));
    STATUS_TRY(take_shape(config, &spec, &shape));
    if (model_config_output(config, from->name))
        return SPEC_ERROR(config, &spec, "name", "the name is there twice");
    struct model_output *output = &config->outputs[config->output_count++];
    *output = (struct model_output){.name = from->name,
                                    .type = datatype_from_number(from->data_type),
                                    .rank = shape.rank,
                                    .reshaped = shape.reshaped,
                                    .reshape_rank = shape.reshape_rank,
                                    .label_filename = from->label_filename};
    memcpy(output->dims, shape.dims, sizeof output->dims);
    memcpy(output->reshape_dims, shape.reshape_dims, sizeof output->reshape_dims);
    return status_ok();
}

static struct status check_count(const struct model_config *config, const char *list, size_t count) {
    if (count == 0)
        return model_config_error(config, NULL, "must specify at least one %s", list);
    if (count > CORE_TENSORS_MAX)
        return model_config_error(config, list, "expected at most %d of them, got %zu", CORE_TENSORS_MAX, count);
    return status_ok();
}

struct status model_config_derive_tensors(struct model_config *config) {
    const struct pb_model_config *message = config->message;
    STATUS_TRY(check_count(config, "input", message->input.count));
    STATUS_TRY(check_count(config, "output", message->output.count));
    config->inputs = arena_calloc(config->arena, message->input.count, sizeof *config->inputs);
    config->outputs = arena_calloc(config->arena, message->output.count, sizeof *config->outputs);
    config->input_count = config->output_count = 0;
    if (!config->inputs || !config->outputs)
        return model_config_no_memory(config);
    for (size_t i = 0; i < message->input.count; i++)
        STATUS_TRY(take_input(config, i));
    for (size_t i = 0; i < message->output.count; i++)
        STATUS_TRY(take_output(config, i));
    return status_ok();
}
