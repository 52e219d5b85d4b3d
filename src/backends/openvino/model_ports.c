#include "backends/openvino/model_ports.h"

#include <stdio.h>

#include "backends/openvino/engine_error.h"

/* The engine's functions are the same on both sides but for their names. */
static const struct {
    ov_status_e (*count)(const ov_model_t *model, size_t *ret);
    ov_status_e (*by_index)(const ov_model_t *model, size_t index, ov_output_const_port_t **ret);
    ov_status_e (*by_name)(const ov_model_t *model, const char *name, ov_output_const_port_t **ret);
    const char *text;
} sides[] = {
    [PORT_INPUT] = {ov_model_inputs_size, ov_model_const_input_by_index, ov_model_const_input_by_name, "input"},
    [PORT_OUTPUT] = {ov_model_outputs_size, ov_model_const_output_by_index, ov_model_const_output_by_name, "output"},
};

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's inputs and outputs");
}

/* NULL when the port has no name (which is the engine's error), or memory is short. */
static const char *port_name(const ov_output_const_port_t *port, struct arena *arena) {
    char *name = NULL;
    if (ov_port_get_any_name(port, &name) != OK)
        return NULL;
    const char *copy = arena_strdup(arena, slice_of(name));
    ov_free(name);
    return copy;
}

static struct status read_shape(const ov_partial_shape_t *shape, struct model_port *ret) {
    ret->rank = PORT_RANK_UNKNOWN;
    if (shape->rank.min != shape->rank.max) /* ov_rank_is_dynamic would say so of a scalar's rank 0, too */
        return status_ok();
    if (shape->rank.max > TENSOR_RANK_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "'%.*s' has %lld dimensions, and a tensor may have at most %d",
                            SLICE_ARGS(ret->name), (long long)shape->rank.max, TENSOR_RANK_MAX);
    ret->rank = (int)shape->rank.max;
    for (int i = 0; i < ret->rank; i++)
        ret->dims[i] = (struct port_dim){shape->dims[i].min, shape->dims[i].max};
    return status_ok();
}

static struct status read_port(const ov_output_const_port_t *port, enum port_side side, size_t index,
                               struct arena *arena, struct model_port *ret) {
    const char *name = port_name(port, arena);
    if (!name)
        name = arena_printf(arena, "%s_%zu", sides[side].text, index);
    if (!name)
        return no_memory();
    ret->name = slice_of(name);
    ov_partial_shape_t shape = {{0, 0}, NULL};
    ov_status_e result = ov_port_get_element_type(port, &ret->element);
    if (result == OK)
        result = ov_port_get_partial_shape(port, &shape);
    if (result != OK)
        return engine_error(result, STATUS_INVALID_ARGUMENT, "cannot tell type and shape of %s '%s'", sides[side].text,
                            name);
    struct status status = read_shape(&shape, ret);
    ov_partial_shape_free(&shape);
    return status;
}

static struct status read_side(enum port_side side, struct arena *arena, struct model_ports *ret) {
    size_t count = 0;
    ov_status_e result = sides[side].count(ret->model, &count);
    if (result != OK)
        return engine_error(result, STATUS_INTERNAL, "cannot count the model's %ss", sides[side].text);
    struct model_port *ports = arena_calloc(arena, count, sizeof *ports);
    if (!ports)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        ov_output_const_port_t *port = NULL;
        result = sides[side].by_index(ret->model, i, &port);
        if (result != OK)
            return engine_error(result, STATUS_INTERNAL, "cannot read the model's %s %zu", sides[side].text, i);
        struct status status = read_port(port, side, i, arena, &ports[i]);
        ov_output_const_port_free(port);
        if (!status_is_ok(&status))
            return status;
    }
    ret->ports[side] = ports;
    ret->count[side] = count;
    return status_ok();
}

struct status model_ports_read(const ov_model_t *model, struct arena *arena, struct model_ports *ret) {
    *ret = (struct model_ports){.model = model};
    STATUS_TRY(read_side(PORT_INPUT, arena, ret));
    return read_side(PORT_OUTPUT, arena, ret);
}

static int find_listed(const struct model_ports *ports, enum port_side side, struct slice name) {
    for (size_t i = 0; i < ports->count[side]; i++)
        if (slice_equal(ports->ports[side][i].name, name))
            return (int)i;
    return -1;
}

/* The name that is listed belongs to the same port as the one asked for. */
static int find_by_other_name(const struct model_ports *ports, enum port_side side, const char *name,
                              struct arena *arena) {
    ov_output_const_port_t *port = NULL;
    if (!name || sides[side].by_name(ports->model, name, &port) != OK)
        return -1;
    const char *listed = port_name(port, arena);
    ov_output_const_port_free(port);
    return listed ? find_listed(ports, side, slice_of(listed)) : -1;
}

int model_ports_find(const struct model_ports *ports, enum port_side side, struct slice name, struct arena *arena) {
    int index = find_listed(ports, side, name);
    if (index < 0)
        index = find_by_other_name(ports, side, arena_strdup(arena, name), arena);
    if (index < 0)
        index = find_by_other_name(ports, side, arena_printf(arena, "%.*s:0", SLICE_ARGS(name)), arena);
    struct slice suffix = SLICE_LITERAL(":0");
    if (index < 0 && slice_ends_with(name, suffix)) {
        struct slice stem = {name.data, name.size - suffix.size};
        index = find_listed(ports, side, stem);
        if (index < 0)
            index = find_by_other_name(ports, side, arena_strdup(arena, stem), arena);
    }
    return index;
}

bool port_dim_allows(const struct port_dim *dim, int64_t size) {
    return size >= dim->min && (dim->max == PORT_DIM_UNBOUNDED || size <= dim->max);
}

void model_port_shape_format(const struct model_port *port, char *text, size_t size) {
    int64_t dims[TENSOR_RANK_MAX];
    if (port->rank == PORT_RANK_UNKNOWN) {
        snprintf(text, size, "of unknown rank");
        return;
    }
    for (int i = 0; i < port->rank; i++)
        dims[i] = port->dims[i].min == port->dims[i].max ? port->dims[i].min : -1;
    shape_format(dims, port->rank, text, size);
}

void model_ports_names(const struct model_ports *ports, enum port_side side, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ports->count[side] && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s'%.*s'", i ? ", " : "", SLICE_ARGS(ports->ports[side][i].name));
        used += n > 0 ? (size_t)n : 0;
    }
}
