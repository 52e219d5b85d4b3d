#include "backends/openvino/port_binding.h"

#include <string.h>

#include "backends/openvino/element_type.h"

/* A config's input or output as the engine is to see it: reshaped, with the batch dimension in front. */
struct promise {
    struct slice name;
    enum datatype type;
    const char *side; /* "input", "output": for messages */
    int32_t max_batch_size;
    int rank;
    int64_t shape[TENSOR_RANK_MAX + 1];
};

static void fill_shape(struct promise *promise, const int64_t *dims, int rank) {
    int batch = promise->max_batch_size > 0;
    promise->shape[0] = -1;
    promise->rank = rank + batch;
    if (rank > 0)
        memcpy(promise->shape + batch, dims, (size_t)rank * sizeof *dims);
}

static struct promise promise_of_input(const struct model_config *config, const struct model_input *input) {
    struct promise promise = {input->name, input->type, "input", config->max_batch_size, 0, {0}};
    fill_shape(&promise, input->reshaped ? input->reshape_dims : input->dims,
               input->reshaped ? input->reshape_rank : input->rank);
    return promise;
}

static struct promise promise_of_output(const struct model_config *config, const struct model_output *output) {
    struct promise promise = {output->name, output->type, "output", config->max_batch_size, 0, {0}};
    fill_shape(&promise, output->reshaped ? output->reshape_dims : output->dims,
               output->reshaped ? output->reshape_rank : output->rank);
    return promise;
}

static struct status shape_mismatch(const struct promise *promise, const struct model_port *port) {
    char configured[160], found[160];
    shape_format(promise->shape, promise->rank, configured, sizeof configured);
    model_port_shape_format(port, found, sizeof found);
    return status_error(STATUS_INVALID_ARGUMENT,
                        "%s '%.*s': the config gives the shape %s%s, the model file has %s; change dims%s",
                        promise->side, SLICE_ARGS(promise->name), configured,
                        promise->max_batch_size > 0 ? " (its batch dimension first)" : "", found,
                        promise->max_batch_size > 0 ? " or max_batch_size" : "");
}

/* The engine must be able to run every batch that max_batch_size lets through. */
static struct status check_batch(const struct promise *promise, const struct model_port *port) {
    if (port_dim_allows(&port->dims[0], 1) && port_dim_allows(&port->dims[0], promise->max_batch_size))
        return status_ok();
    char found[160];
    model_port_shape_format(port, found, sizeof found);
    return status_error(
        STATUS_INVALID_ARGUMENT,
        "%s '%.*s': max_batch_size %d needs a first dimension that may be 1 to %d, the model file has the "
        "shape %s; export the model with a variable batch, or set max_batch_size to 0 and give whole shapes",
        promise->side, SLICE_ARGS(promise->name), (int)promise->max_batch_size, (int)promise->max_batch_size, found);
}

static bool is_scalar(const struct promise *promise, const struct model_port *port) {
    return promise->max_batch_size == 0 && port->rank == 0 && promise->rank == 1 && promise->shape[0] == 1;
}

static struct status check_shape(const struct promise *promise, const struct model_port *port) {
    if (port->rank == PORT_RANK_UNKNOWN || is_scalar(promise, port))
        return status_ok();
    if (port->rank != promise->rank)
        return shape_mismatch(promise, port);
    int batch = promise->max_batch_size > 0;
    if (batch)
        STATUS_TRY(check_batch(promise, port));
    for (int i = batch; i < port->rank; i++) {
        const struct port_dim *dim = &port->dims[i];
        bool fixed = dim->min == dim->max;
        if (promise->shape[i] < 0 ? fixed : !port_dim_allows(dim, promise->shape[i]))
            return shape_mismatch(promise, port);
    }
    return status_ok();
}

static struct status check(const struct promise *promise, const struct model_port *port) {
    enum datatype found = element_type_to_datatype(port->element);
    if (found == DATATYPE_INVALID)
        return status_error(STATUS_UNSUPPORTED,
                            "%s '%.*s' has the element type '%s' in the model file, which this engine cannot serve",
                            promise->side, SLICE_ARGS(promise->name), element_type_name(port->element));
    if (found != promise->type)
        return status_error(STATUS_INVALID_ARGUMENT, "%s '%.*s': the config says %s, the model file has %s",
                            promise->side, SLICE_ARGS(promise->name), datatype_config_name(promise->type),
                            datatype_config_name(found));
    return check_shape(promise, port);
}

static struct status not_in_file(const struct model_ports *ports, enum port_side side, const char *what,
                                 struct slice name) {
    char names[256];
    model_ports_names(ports, side, names, sizeof names);
    return status_error(STATUS_INVALID_ARGUMENT, "the model file has no %s '%.*s'; its %ss are %s", what,
                        SLICE_ARGS(name), what, names);
}

/* A shape without elements that the port allows; false when it allows none. */
static bool absent_shape(const struct model_port *port, struct input_binding *ret) {
    bool empty = false;
    if (port->rank == PORT_RANK_UNKNOWN) {
        ret->absent_rank = 1; /* [0] */
        return true;
    }
    ret->absent_rank = port->rank;
    for (int i = 0; i < port->rank; i++) {
        const struct port_dim *dim = &port->dims[i];
        bool zero = !empty && port_dim_allows(dim, 0);
        ret->absent_shape[i] = zero ? 0 : dim->min > 1 ? dim->min : port_dim_allows(dim, 1) ? 1 : dim->max;
        empty = empty || ret->absent_shape[i] == 0;
    }
    return empty;
}

static struct status bind_input(const struct model_config *config, const struct model_input *input,
                                const struct model_port *port, struct input_binding *ret) {
    struct promise promise = promise_of_input(config, input);
    if (ret->name.data)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "inputs '%.*s' and '%.*s' of the config are one input of the model file",
                            SLICE_ARGS(ret->name), SLICE_ARGS(input->name));
    STATUS_TRY(check(&promise, port));
    ret->name = input->name;
    ret->type = input->type;
    ret->scalar = is_scalar(&promise, port);
    ret->optional = input->optional;
    if (input->optional && !absent_shape(port, ret)) {
        char found[160];
        model_port_shape_format(port, found, sizeof found);
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "input '%.*s' is optional in the config, but the model file has it with the fixed shape %s and "
            "cannot run without it",
            SLICE_ARGS(input->name), found);
    }
    return status_ok();
}

static struct status bind_inputs(const struct model_config *config, const struct model_ports *ports,
                                 struct arena *arena, struct port_binding *ret) {
    for (size_t i = 0; i < config->input_count; i++) {
        const struct model_input *input = &config->inputs[i];
        int index = model_ports_find(ports, PORT_INPUT, input->name, arena);
        if (index >= 0)
            STATUS_TRY(bind_input(config, input, &ports->ports[PORT_INPUT][index], &ret->inputs[index]));
        else if (!input->optional) /* an optional one is for other engines of the model, and is dropped */
            return not_in_file(ports, PORT_INPUT, "input", input->name);
    }
    for (size_t i = 0; i < ret->input_count; i++)
        if (!ret->inputs[i].name.data)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "the model file has an input '%.*s' that the config does not list",
                                SLICE_ARGS(ports->ports[PORT_INPUT][i].name));
    return status_ok();
}

static struct status bind_outputs(const struct model_config *config, const struct model_ports *ports,
                                  struct arena *arena, struct port_binding *ret) {
    for (size_t i = 0; i < config->output_count; i++) {
        struct promise promise = promise_of_output(config, &config->outputs[i]);
        int index = model_ports_find(ports, PORT_OUTPUT, promise.name, arena);
        if (index < 0)
            return not_in_file(ports, PORT_OUTPUT, "output", promise.name);
        const struct model_port *port = &ports->ports[PORT_OUTPUT][index];
        STATUS_TRY(check(&promise, port));
        struct output_binding *output = &ret->outputs[i];
        *output = (struct output_binding){.name = promise.name,
                                          .index = (size_t)index,
                                          .type = promise.type,
                                          .scalar = is_scalar(&promise, port),
                                          .rank = promise.rank};
        memcpy(output->shape, promise.shape, sizeof output->shape);
    }
    return status_ok();
}

struct status port_binding_create(const struct model_config *config, const struct model_ports *ports,
                                  struct arena *arena, struct port_binding *ret) {
    ret->input_count = ports->count[PORT_INPUT];
    ret->output_count = config->output_count;
    ret->inputs = arena_calloc(arena, ret->input_count, sizeof *ret->inputs);
    ret->outputs = arena_calloc(arena, ret->output_count, sizeof *ret->outputs);
    if (!ret->inputs || !ret->outputs)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's inputs and outputs");
    STATUS_TRY(bind_inputs(config, ports, arena, ret));
    return bind_outputs(config, ports, arena, ret);
}
