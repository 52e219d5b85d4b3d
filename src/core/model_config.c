#include "core/model_config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "codec/model_config_messages.h"
#include "codec/pb_json.h"
#include "codec/pb_text.h"
#include "core/core_limits.h"
#include "core/model_config_priv.h"

/* ---- errors ---- */

struct status model_config_error(const struct model_config *config, const char *path, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct status status = status_verror(STATUS_INVALID_ARGUMENT, format, args);
    va_end(args);
    int line = path ? pb_text_line(config->marks, path) : 0;
    if (path)
        status = status_prefix(status, "%s", path);
    if (line)
        status = status_prefix(status, "%.200s:%d", config->file_name, line);
    return status_prefix(status, "model '%.*s'", SLICE_ARGS(config->name));
}

struct status model_config_no_memory(const struct model_config *config) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "model '%.*s': no memory for its configuration",
                        SLICE_ARGS(config->name));
}

/* ---- life ---- */

struct status model_config_create(struct slice name, struct model_config **ret) {
    struct arena *arena = arena_create(CORE_CONFIG_MEMORY_MAX);
    struct model_config *config = arena ? calloc(1, sizeof *config) : NULL;
    if (config) {
        config->arena = arena;
        config->message = arena_calloc(arena, 1, sizeof *config->message);
        config->name = arena_copy(arena, name);
    }
    if (!config || !config->message || config->name.size != name.size) {
        free(config);
        arena_destroy(arena);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "model '%.*s': no memory for its configuration",
                            SLICE_ARGS(name));
    }
    *ret = config;
    return status_ok();
}

void model_config_destroy(struct model_config *config) {
    if (!config)
        return;
    arena_destroy(config->arena);
    free(config);
}

static struct status parse_text(struct model_config *config, struct slice text, const char *file_name) {
    struct pb_text_marks *marks = arena_calloc(config->arena, 1, sizeof *marks);
    config->file_name = arena_strdup(config->arena, slice_of(file_name));
    config->marks = marks;
    if (!marks || !config->file_name)
        return model_config_no_memory(config);
    return pb_text_parse(&pb_model_config_type, text, file_name, config->arena, config->message, marks);
}

struct status model_config_parse(struct slice name, struct slice text, const char *file_name,
                                 struct model_config **ret) {
    struct model_config *config;
    STATUS_TRY(model_config_create(name, &config));
    struct status status = parse_text(config, text, file_name);
    if (status_is_ok(&status))
        *ret = config;
    else
        model_config_destroy(config);
    return status;
}

struct status model_config_parse_json(struct slice name, struct slice json, struct model_config **ret) {
    struct model_config *config;
    STATUS_TRY(model_config_create(name, &config));
    struct status status = pb_json_parse(&pb_model_config_type, json, config->arena, config->message);
    if (status_is_ok(&status))
        *ret = config;
    else
        model_config_destroy(config);
    return status;
}

struct status model_config_finish(struct model_config *config, const struct model_gpus *gpus) {
    STATUS_TRY(model_config_normalise(config, gpus));
    STATUS_TRY(model_config_refuse_unimplemented(config));
    return model_config_derive_tensors(config);
}

struct status model_config_to_json(const struct model_config *config, struct buf *ret) {
    return pb_to_json(&pb_model_config_type, config->message, ret);
}

/* ---- what backends look at and set ---- */

bool model_config_parameter(const struct model_config *config, const char *key, struct slice *ret) {
    const struct pb_model_config *message = config->message;
    for (size_t i = 0; i < message->parameters.count; i++) {
        const struct pb_model_config_parameters_entry *entry = &message->parameters.items[i];
        if (!slice_equal_text(entry->key, key))
            continue;
        *ret = entry->value ? entry->value->string_value : (struct slice){NULL, 0};
        return true;
    }
    return false;
}

size_t model_config_message_inputs(const struct model_config *config) {
    return config->message->input.count;
}

size_t model_config_message_outputs(const struct model_config *config) {
    return config->message->output.count;
}

int32_t model_config_max_batch_size(const struct model_config *config) {
    return config->message->max_batch_size;
}

void model_config_set_max_batch_size(struct model_config *config, int32_t size) {
    config->message->max_batch_size = size;
}

static struct status set_text(struct model_config *config, struct slice text, struct slice *ret) {
    struct slice copy = arena_copy(config->arena, text);
    if (copy.size != text.size)
        return model_config_no_memory(config);
    *ret = copy;
    return status_ok();
}

struct status model_config_set_backend(struct model_config *config, struct slice backend) {
    return set_text(config, backend, &config->message->backend);
}

struct status model_config_set_default_model_filename(struct model_config *config, struct slice name) {
    return set_text(config, name, &config->message->default_model_filename);
}

struct slice model_config_message_default_model_filename(const struct model_config *config) {
    return config->message->default_model_filename;
}

static const struct pb_field *message_field(const char *name) {
    return pb_field_by_name(&pb_model_config_type, slice_of(name));
}

/* The members that inputs and outputs have in common, in a message that was just appended. */
struct new_tensor {
    struct slice *name;
    int64_t **dims;
    size_t *dims_count;
    struct pb_model_tensor_reshape **reshape;
};

/* A tensor that has only the batch dimension is configured, as Triton does, with dims [1] and an empty reshape. */
static struct status fill_tensor(struct model_config *config, struct new_tensor tensor, struct slice name,
                                 const int64_t *dims, int rank) {
    static const int64_t one = 1;
    if (rank == 0) {
        *tensor.reshape = arena_calloc(config->arena, 1, sizeof **tensor.reshape);
        if (!*tensor.reshape)
            return model_config_no_memory(config);
        dims = &one;
        rank = 1;
    }
    int64_t *copy = arena_calloc(config->arena, (size_t)rank, sizeof *copy);
    if (!copy)
        return model_config_no_memory(config);
    memcpy(copy, dims, (size_t)rank * sizeof *copy);
    *tensor.dims = copy;
    *tensor.dims_count = (size_t)rank;
    return set_text(config, name, tensor.name);
}

struct status model_config_add_input(struct model_config *config, struct slice name, enum datatype type,
                                     const int64_t *dims, int rank) {
    struct pb_model_input *input = pb_append(config->arena, message_field("input"), config->message);
    if (!input)
        return model_config_no_memory(config);
    input->data_type = (int32_t)type;
    struct new_tensor tensor = {&input->name, &input->dims.items, &input->dims.count, &input->reshape};
    return fill_tensor(config, tensor, name, dims, rank);
}

struct status model_config_add_optional_input(struct model_config *config, struct slice name, enum datatype type,
                                              const int64_t *dims, int rank) {
    STATUS_TRY(model_config_add_input(config, name, type, dims, rank));
    config->message->input.items[config->message->input.count - 1].optional = true;
    return status_ok();
}

struct status model_config_add_output(struct model_config *config, struct slice name, enum datatype type,
                                      const int64_t *dims, int rank) {
    struct pb_model_output *output = pb_append(config->arena, message_field("output"), config->message);
    if (!output)
        return model_config_no_memory(config);
    output->data_type = (int32_t)type;
    struct new_tensor tensor = {&output->name, &output->dims.items, &output->dims.count, &output->reshape};
    return fill_tensor(config, tensor, name, dims, rank);
}

/* ---- the derived form ---- */

const struct model_input *model_config_input(const struct model_config *config, struct slice name) {
    for (size_t i = 0; i < config->input_count; i++)
        if (slice_equal(config->inputs[i].name, name))
            return &config->inputs[i];
    return NULL;
}

const struct model_output *model_config_output(const struct model_config *config, struct slice name) {
    for (size_t i = 0; i < config->output_count; i++)
        if (slice_equal(config->outputs[i].name, name))
            return &config->outputs[i];
    return NULL;
}
