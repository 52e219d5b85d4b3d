#include "backends/openvino/shape_trial.h"

#include <string.h>

#include "backends/openvino/engine_error.h"

static bool is_variable(const struct model_ports *ports) {
    for (size_t i = 0; i < ports->count[PORT_INPUT]; i++) {
        const struct model_port *port = &ports->ports[PORT_INPUT][i];
        if (port->rank == PORT_RANK_UNKNOWN)
            return true;
        for (int d = 0; d < port->rank; d++)
            if (port->dims[d].min != port->dims[d].max)
                return true;
    }
    return false;
}

static struct status make_rows(struct shape_trial *trial, struct arena *arena) {
    trial->indexes = arena_calloc(arena, trial->input_count, sizeof *trial->indexes);
    trial->shapes = arena_calloc(arena, trial->input_count, sizeof *trial->shapes);
    trial->dims = arena_calloc(arena, trial->input_count, sizeof *trial->dims);
    if (!trial->indexes || !trial->shapes || !trial->dims)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the shapes of a model");
    for (size_t i = 0; i < trial->input_count; i++)
        trial->indexes[i] = i;
    return status_ok();
}

struct status shape_trial_create(ov_model_t *file, const struct model_ports *ports, struct arena *arena,
                                 struct shape_trial *ret) {
    *ret = (struct shape_trial){
        .is_open = true, .file = file, .is_as_read = true, .input_count = ports->count[PORT_INPUT]};
    pthread_mutex_init(&ret->lock, NULL);
    if (!is_variable(ports))
        return status_ok();
    STATUS_TRY(make_rows(ret, arena));
    STATUS_TRY(shape_guard_init(&ret->guard, shape_trial_width(ret->input_count), arena));
    ret->is_needed = true;
    return status_ok();
}

void shape_trial_destroy(struct shape_trial *trial) {
    if (!trial->is_open)
        return;
    if (trial->is_needed)
        shape_guard_destroy(&trial->guard);
    ov_model_free(trial->file);
    pthread_mutex_destroy(&trial->lock);
}

void shape_trial_keep_needed(struct shape_trial *trial) {
    pthread_mutex_lock(&trial->lock);
    if (!trial->is_needed) {
        ov_model_free(trial->file);
        trial->file = NULL;
        trial->is_as_read = false;
    }
    pthread_mutex_unlock(&trial->lock);
}

size_t shape_trial_width(size_t input_count) {
    return input_count * (TENSOR_RANK_MAX + 1);
}

/* The engine infers all shapes of the graph from these, and runs nothing. */
static struct status try_shapes(struct shape_trial *trial, const struct engine_shape *shapes) {
    for (size_t i = 0; i < trial->input_count; i++) {
        trial->shapes[i] = (ov_partial_shape_t){{shapes[i].rank, shapes[i].rank}, trial->dims[i]};
        for (int d = 0; d < shapes[i].rank; d++)
            trial->dims[i][d] = (ov_dimension_t){shapes[i].dims[d], shapes[i].dims[d]};
    }
    trial->is_as_read = false;
    ov_status_e result =
        ov_model_reshape_by_port_indexes(trial->file, trial->indexes, trial->shapes, trial->input_count);
    if (result != OK)
        return engine_error(result, STATUS_INVALID_ARGUMENT, "the inputs' shapes do not fit the model");
    return status_ok();
}

static void list_dims(const struct shape_trial *trial, const struct engine_shape *shapes, int64_t *ret) {
    memset(ret, 0, shape_trial_width(trial->input_count) * sizeof *ret);
    for (size_t i = 0; i < trial->input_count; i++, ret += TENSOR_RANK_MAX + 1) {
        ret[0] = -1 - shapes[i].rank; /* a number of its own, so that it is no dimension */
        if (shapes[i].rank > 0)
            memcpy(ret + 1, shapes[i].dims, (size_t)shapes[i].rank * sizeof *ret);
    }
}

struct status shape_trial_check(struct shape_trial *trial, const struct engine_shape *shapes, int64_t *scratch) {
    if (!trial->is_needed)
        return status_ok();
    list_dims(trial, shapes, scratch);
    if (shape_guard_knows(&trial->guard, scratch))
        return status_ok();
    pthread_mutex_lock(&trial->lock);
    struct status status = try_shapes(trial, shapes);
    pthread_mutex_unlock(&trial->lock);
    return status;
}

void shape_trial_learn(struct shape_trial *trial, const int64_t *scratch) {
    if (trial->is_needed)
        shape_guard_learn(&trial->guard, scratch);
}
