#include "backends/openvino/openvino_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/openvino/element_type.h"
#include "backends/openvino/engine_error.h"
#include "backends/openvino/model_file.h"
#include "backends/openvino/reader_pin.h"

enum { DEFAULT_MAX_BATCH_SIZE = 8 }; /* of a completed config whose model has a variable batch */

struct status openvino_model_initialize(void **ret_backend) {
    ov_core_t *core = NULL;
    ov_status_e result = ov_core_create(&core);
    if (result != OK)
        return engine_error(result, STATUS_UNAVAILABLE, "cannot start the engine");
    /* A mapped weights file that someone truncates would end the process by SIGBUS. */
    result = ov_core_set_property(core, "", ov_property_key_enable_mmap, "NO");
    if (result != OK) {
        ov_core_free(core);
        return engine_error(result, STATUS_UNAVAILABLE, "cannot configure the engine");
    }
    reader_pin();
    *ret_backend = core;
    return status_ok();
}

void openvino_model_finalize(void *backend) {
    ov_core_free(backend);
}

static struct status read_file(const ov_core_t *core, const struct model_config *config, const char *version_directory,
                               struct arena *arena, ov_model_t **ret, struct file_stamp *ret_stamp) {
    const char *path;
    STATUS_TRY(model_file_find(config, version_directory, arena, &path));
    STATUS_TRY(file_stamp(path, FILE_WRITTEN, ret_stamp));
    STATUS_TRY(model_file_check(path, arena));
    ov_status_e result = ov_core_read_model(core, path, NULL, ret);
    if (result != OK)
        return engine_error(result, STATUS_INVALID_ARGUMENT, "cannot read %s", path);
    return status_ok();
}

/* ---- completing a config ---- */

/* A port may lead a batch when its first dimension is free. */
static bool has_variable_batch(const struct model_ports *ports, enum port_side side) {
    for (size_t i = 0; i < ports->count[side]; i++) {
        const struct model_port *port = &ports->ports[side][i];
        if (port->rank < 1 || !port_dim_allows(&port->dims[0], 1) ||
            !port_dim_allows(&port->dims[0], DEFAULT_MAX_BATCH_SIZE))
            return false;
    }
    return ports->count[side] > 0;
}

/* The dims that the config lists: without the batch dimension, -1 for variable ones. */
static struct status config_dims(const struct model_port *port, bool batch, int64_t *ret_dims, int *ret_rank) {
    if (port->rank == PORT_RANK_UNKNOWN)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "the model file leaves the rank of '%.*s' open: write all inputs and outputs into config.pbtxt",
            SLICE_ARGS(port->name));
    if (batch && port->rank == 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "'%.*s' is a scalar in the model file, so the model cannot batch: set max_batch_size to 0",
                            SLICE_ARGS(port->name));
    *ret_rank = 0;
    if (port->rank == 0) /* see struct input_binding */
        ret_dims[(*ret_rank)++] = 1;
    for (int i = batch; i < port->rank; i++)
        ret_dims[(*ret_rank)++] = port->dims[i].min == port->dims[i].max ? port->dims[i].min : -1;
    return status_ok();
}

static struct status add_ports(struct model_config *config, const struct model_ports *ports, enum port_side side) {
    bool batch = model_config_max_batch_size(config) > 0;
    for (size_t i = 0; i < ports->count[side]; i++) {
        const struct model_port *port = &ports->ports[side][i];
        enum datatype type = element_type_to_datatype(port->element);
        int64_t dims[TENSOR_RANK_MAX];
        int rank;
        if (type == DATATYPE_INVALID)
            return status_error(STATUS_UNSUPPORTED,
                                "'%.*s' has the element type '%s' in the model file, which this engine cannot serve",
                                SLICE_ARGS(port->name), element_type_name(port->element));
        STATUS_TRY(config_dims(port, batch, dims, &rank));
        STATUS_TRY(side == PORT_INPUT ? model_config_add_input(config, port->name, type, dims, rank)
                                      : model_config_add_output(config, port->name, type, dims, rank));
    }
    return status_ok();
}

static struct status complete_from(const ov_model_t *model, struct model_config *config, struct arena *arena) {
    struct model_ports ports;
    STATUS_TRY(model_ports_read(model, arena, &ports));
    bool bare = model_config_message_inputs(config) == 0 && model_config_message_outputs(config) == 0;
    if (bare && model_config_max_batch_size(config) == 0 && has_variable_batch(&ports, PORT_INPUT) &&
        has_variable_batch(&ports, PORT_OUTPUT))
        model_config_set_max_batch_size(config, DEFAULT_MAX_BATCH_SIZE);
    if (model_config_message_inputs(config) == 0)
        STATUS_TRY(add_ports(config, &ports, PORT_INPUT));
    if (model_config_message_outputs(config) == 0)
        STATUS_TRY(add_ports(config, &ports, PORT_OUTPUT));
    return status_ok();
}

struct status openvino_model_complete_config(void *backend, struct model_config *config,
                                             const char *version_directory) {
    if (model_config_message_inputs(config) > 0 && model_config_message_outputs(config) > 0)
        return status_ok();
    struct arena *arena = arena_create(0);
    if (!arena)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read the model file");
    ov_model_t *model = NULL;
    struct file_stamp stamp;
    struct status status = read_file(backend, config, version_directory, arena, &model, &stamp);
    if (status_is_ok(&status))
        status = complete_from(model, config, arena);
    ov_model_free(model);
    arena_destroy(arena);
    return status;
}

/* ---- loading ---- */

/* Whether the CPU multiplies bf16 by itself. Asked for it where it does not, the engine emulates it, which takes some
 * fifty times as long as fp32. */
static bool has_bf16(const ov_core_t *core) {
    char *capabilities = NULL;
    bool has = ov_core_get_property(core, "CPU", ov_property_key_device_capabilities, &capabilities) == OK &&
               capabilities && strstr(capabilities, "BF16") != NULL;
    ov_free(capabilities);
    return has;
}

static struct status read_precision(const struct model_config *config, struct openvino_model *model) {
    struct slice value;
    model->settings.precision = "f32"; /* the engine's own default is bf16 where the CPU has it */
    model->precision = "fp32";
    if (!model_config_parameter(config, "inference_precision", &value) || slice_equal_text(value, "fp32"))
        return status_ok();
    if (!slice_equal_text(value, "bf16"))
        return status_error(STATUS_INVALID_ARGUMENT, "parameter inference_precision: expected fp32 or bf16, got '%.*s'",
                            SLICE_ARGS(value));
    model->precision = "fp32, as this CPU does not multiply bf16";
    if (has_bf16(model->core))
        model->settings.precision = model->precision = "bf16";
    return status_ok();
}

static struct status read_max_variable_dim(const struct model_config *config, int64_t *ret) {
    struct slice value;
    *ret = 0;
    if (!model_config_parameter(config, "max_variable_dim", &value))
        return status_ok();
    if (!slice_to_i64(value, ret) || *ret < 1)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "parameter max_variable_dim: expected a whole number above 0, got '%.*s'",
                            SLICE_ARGS(value));
    return status_ok();
}

static struct status load(const ov_core_t *core, const struct backend_model_args *args, struct openvino_model *model) {
    ov_model_t *file = NULL;
    struct model_ports ports;
    model->settings.threads = args->threads_per_instance;
    STATUS_TRY(read_precision(args->config, model));
    STATUS_TRY(read_max_variable_dim(args->config, &model->max_variable_dim));
    STATUS_TRY(read_file(core, args->config, args->version_directory, model->arena, &file, &model->stamp));
    struct status status = model_ports_read(file, model->arena, &ports);
    if (status_is_ok(&status))
        status = port_binding_create(args->config, &ports, model->arena, &model->binding);
    if (status_is_ok(&status))
        return shape_trial_create(file, &ports, model->arena, &model->trial);
    ov_model_free(file);
    return status;
}

struct status openvino_model_load(void *backend, const struct backend_model_args *args, void **ret_model) {
    struct openvino_model *model = calloc(1, sizeof *model);
    struct arena *arena = arena_create(0);
    if (!model || !arena) {
        free(model);
        arena_destroy(arena);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to load the model");
    }
    model->arena = arena;
    model->config = args->config;
    model->instance_count = args->instance_count;
    model->core = backend;
    model->version_directory = arena_strdup(arena, slice_of(args->version_directory));
    struct status status = model->version_directory
                               ? load(backend, args, model)
                               : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to load the model");
    if (status_is_ok(&status))
        *ret_model = model;
    else
        openvino_model_unload(model);
    return status;
}

/* ---- compiling ---- */

static struct status compile_as_read(struct openvino_model *model, struct compiled_model *ret, bool *ret_is_as_read) {
    struct status status = status_ok();
    pthread_mutex_lock(&model->trial.lock);
    *ret_is_as_read = model->trial.is_as_read;
    if (*ret_is_as_read)
        status = compiled_model_create(model->core, model->trial.file, &model->settings, ret);
    pthread_mutex_unlock(&model->trial.lock);
    return status;
}

static struct status compile_anew(const struct openvino_model *model, struct arena *arena, struct compiled_model *ret) {
    ov_model_t *file = NULL;
    struct file_stamp stamp;
    STATUS_TRY(read_file(model->core, model->config, model->version_directory, arena, &file, &stamp));
    struct status status =
        file_stamp_equal(&stamp, &model->stamp)
            ? compiled_model_create(model->core, file, &model->settings, ret)
            : status_error(STATUS_UNAVAILABLE, "the model's file has changed: it must be loaded again");
    ov_model_free(file);
    return status;
}

struct status openvino_model_compile(struct openvino_model *model, struct compiled_model *ret) {
    bool is_done;
    STATUS_TRY(compile_as_read(model, ret, &is_done));
    if (is_done)
        return status_ok();
    struct arena *arena = arena_create(0);
    if (!arena)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read the model file");
    struct status status = compile_anew(model, arena, ret);
    arena_destroy(arena);
    return status_is_ok(&status) ? status : status_prefix(status, "cannot restore the model after a failed inference");
}

void openvino_model_describe(const void *model, const struct instance_place *place, char *text, size_t size) {
    (void)place; /* the CPU is the only one */
    snprintf(text, size, "%s", ((const struct openvino_model *)model)->precision);
}

void openvino_model_unload(void *pointer) {
    struct openvino_model *model = pointer;
    shape_trial_destroy(&model->trial);
    arena_destroy(model->arena);
    free(model);
}
