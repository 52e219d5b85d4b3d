#include "backends/openvino/compiled_model.h"

#include <stdio.h>
#include <string.h>

#include "backends/openvino/engine_error.h"

enum {
    /* Kernels that a stream keeps for shapes it has seen. A BERT takes about eight a shape; the engine's own default of
     * 5000 lets a small encoder grow by hundreds of MB when its clients' lengths vary. */
    KERNEL_CACHE_CAPACITY = 2048
};

/* The arguments of a reshape, one row an input; written under the write lock. */
struct shape_trial {
    size_t *indexes;
    ov_partial_shape_t *shapes; /* whose dims are below */
    ov_dimension_t (*dims)[TENSOR_RANK_MAX];
};

/* As many streams as run side by side, so that none waits for another; no pinning, since models and processes share
 * the cores. */
static struct status compile(struct compiled_model *model, const ov_model_t *file) {
    char streams[16], threads[16], cache[16];
    snprintf(streams, sizeof streams, "%d", model->is_alone ? 1 : model->settings.streams);
    snprintf(threads, sizeof threads, "%d", model->settings.threads);
    snprintf(cache, sizeof cache, "%d", KERNEL_CACHE_CAPACITY);
    const ov_property_t properties[] = {
        {ov_property_key_hint_inference_precision, model->settings.precision},
        {ov_property_key_num_streams, streams},
        {ov_property_key_inference_num_threads, threads},
        {ov_property_key_hint_enable_cpu_pinning, "NO"},
        {"CPU_RUNTIME_CACHE_CAPACITY", cache},
    };
    ov_status_e result = ov_core_compile_model_props(model->core, file, "CPU", sizeof properties / sizeof *properties,
                                                     properties, &model->compiled);
    if (result != OK)
        return engine_error(result, STATUS_INVALID_ARGUMENT, "cannot compile the model");
    model->generation++;
    atomic_store(&model->has_failed, false);
    return status_ok();
}

/* ---- create and destroy ---- */

static bool is_dynamic(const struct model_ports *ports, enum port_side side) {
    for (size_t i = 0; i < ports->count[side]; i++) {
        const struct model_port *port = &ports->ports[side][i];
        if (port->rank == PORT_RANK_UNKNOWN)
            return true;
        for (int d = 0; d < port->rank; d++)
            if (port->dims[d].min != port->dims[d].max)
                return true;
    }
    return false;
}

static struct status keep_shapes(struct compiled_model *model, struct arena *arena) {
    model->shapes = arena_calloc(arena, model->input_count, sizeof *model->shapes);
    if (!model->shapes)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the shapes of a model");
    for (size_t i = 0; i < model->input_count; i++) {
        ov_output_const_port_t *port = NULL;
        ov_status_e result = ov_model_const_input_by_index(model->file, i, &port);
        if (result == OK)
            result = ov_port_get_partial_shape(port, &model->shapes[i]);
        ov_output_const_port_free(port);
        if (result != OK)
            return engine_error(result, STATUS_INTERNAL, "cannot read the shape of input %zu", i);
    }
    return status_ok();
}

static struct status create_trial(struct compiled_model *model, struct arena *arena) {
    struct shape_trial *trial = arena_calloc(arena, 1, sizeof *trial);
    if (trial) {
        trial->indexes = arena_calloc(arena, model->input_count, sizeof *trial->indexes);
        trial->shapes = arena_calloc(arena, model->input_count, sizeof *trial->shapes);
        trial->dims = arena_calloc(arena, model->input_count, sizeof *trial->dims);
    }
    if (!trial || !trial->indexes || !trial->shapes || !trial->dims)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the shapes of a model");
    for (size_t i = 0; i < model->input_count; i++)
        trial->indexes[i] = i;
    model->trial = trial;
    return status_ok();
}

static void init_lock(pthread_rwlock_t *lock) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    /* Else new shapes might wait for ever behind known ones. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

struct status compiled_model_create(const ov_core_t *core, ov_model_t *file, const struct model_ports *ports,
                                    const struct compiled_settings *settings, struct arena *arena,
                                    struct compiled_model *ret) {
    *ret = (struct compiled_model){.core = core, .settings = *settings, .input_count = ports->count[PORT_INPUT]};
    ret->file = file;
    init_lock(&ret->lock);
    ret->dynamic = is_dynamic(ports, PORT_INPUT);
    ret->is_alone = !ret->dynamic && is_dynamic(ports, PORT_OUTPUT);
    STATUS_TRY(compile(ret, file));
    if (!ret->dynamic)
        return status_ok();
    STATUS_TRY(shape_guard_init(&ret->guard, compiled_model_width(ret->input_count), arena));
    STATUS_TRY(create_trial(ret, arena));
    return keep_shapes(ret, arena);
}

void compiled_model_destroy(struct compiled_model *model) {
    ov_compiled_model_free(model->compiled);
    if (!model->file) /* it was not created */
        return;
    for (size_t i = 0; model->shapes && i < model->input_count; i++)
        ov_partial_shape_free(&model->shapes[i]);
    ov_model_free(model->file);
    if (model->shapes)
        shape_guard_destroy(&model->guard);
    pthread_rwlock_destroy(&model->lock);
}

size_t compiled_model_width(size_t input_count) {
    return input_count * (TENSOR_RANK_MAX + 1);
}

void compiled_request_release(struct compiled_request *request) {
    ov_infer_request_free(request->engine);
    request->engine = NULL;
}

/* ---- trying shapes, compiling anew; under the write lock ---- */

static ov_status_e reshape(const struct compiled_model *model, const ov_partial_shape_t *shapes) {
    return ov_model_reshape_by_port_indexes(model->file, model->trial->indexes, shapes, model->input_count);
}

/* The engine infers all shapes of the graph from these, and runs nothing. */
static struct status try_shapes(const struct compiled_model *model, const struct engine_shape *shapes) {
    struct shape_trial *trial = model->trial;
    for (size_t i = 0; i < model->input_count; i++) {
        trial->shapes[i] = (ov_partial_shape_t){{shapes[i].rank, shapes[i].rank}, trial->dims[i]};
        for (int d = 0; d < shapes[i].rank; d++)
            trial->dims[i][d] = (ov_dimension_t){shapes[i].dims[d], shapes[i].dims[d]};
    }
    ov_status_e result = reshape(model, trial->shapes);
    if (result != OK)
        return engine_error(result, STATUS_INVALID_ARGUMENT, "the inputs' shapes do not fit the model");
    return status_ok();
}

static bool is_sound(const struct compiled_model *model) {
    return model->compiled && !atomic_load(&model->has_failed);
}

static struct status compile_anew(struct compiled_model *model) {
    ov_compiled_model_free(model->compiled); /* instances' requests keep what they still need of it */
    model->compiled = NULL;
    ov_status_e result = model->dynamic ? reshape(model, model->shapes) : OK;
    if (result != OK)
        return engine_error(result, STATUS_UNAVAILABLE, "cannot restore the model after a failed inference");
    return compile(model, model->file);
}

static struct status prepare_alone(struct compiled_model *model, const struct engine_shape *shapes, bool is_known) {
    model->is_alone |= atomic_load(&model->has_failed);
    if (!is_sound(model))
        STATUS_TRY(compile_anew(model));
    return is_known ? status_ok() : try_shapes(model, shapes);
}

/* ---- one inference ---- */

static void list_dims(const struct compiled_model *model, const struct engine_shape *shapes, int64_t *ret) {
    memset(ret, 0, compiled_model_width(model->input_count) * sizeof *ret);
    for (size_t i = 0; i < model->input_count; i++, ret += TENSOR_RANK_MAX + 1) {
        ret[0] = -1 - shapes[i].rank; /* a number of its own, so that it is no dimension */
        if (shapes[i].rank > 0)
            memcpy(ret + 1, shapes[i].dims, (size_t)shapes[i].rank * sizeof *ret);
    }
}

static struct status update_request(const struct compiled_model *model, struct compiled_request *request) {
    if (request->engine && request->generation == model->generation)
        return status_ok();
    compiled_request_release(request);
    ov_status_e result = ov_compiled_model_create_infer_request(model->compiled, &request->engine);
    if (result != OK)
        return engine_error(result, STATUS_INTERNAL, "cannot create an inference request");
    request->generation = model->generation;
    return status_ok();
}

static bool is_known(struct compiled_model *model, const struct engine_shape *shapes, int64_t *dims) {
    if (!model->dynamic)
        return true;
    list_dims(model, shapes, dims);
    return shape_guard_knows(&model->guard, dims);
}

/* Known shapes beside others, unknown ones alone. */
static struct status take_lock(struct compiled_model *model, const struct engine_shape *shapes, bool is_known,
                               struct compiled_pass *pass) {
    if (is_known && !pass->alone) {
        pthread_rwlock_rdlock(&model->lock);
        if (is_sound(model) && !model->is_alone)
            return status_ok();
        pthread_rwlock_unlock(&model->lock);
    }
    pthread_rwlock_wrlock(&model->lock);
    pass->alone = true;
    struct status status = prepare_alone(model, shapes, is_known);
    if (!status_is_ok(&status))
        pthread_rwlock_unlock(&model->lock);
    return status;
}

struct status compiled_model_enter(struct compiled_model *model, const struct engine_shape *shapes, int64_t *scratch,
                                   struct compiled_request *request, struct compiled_pass *pass) {
    STATUS_TRY(take_lock(model, shapes, is_known(model, shapes, scratch), pass));
    struct status status = update_request(model, request);
    if (!status_is_ok(&status))
        pthread_rwlock_unlock(&model->lock);
    return status;
}

bool compiled_model_leave(struct compiled_model *model, const int64_t *scratch, const struct compiled_pass *pass,
                          bool succeeded) {
    if (!succeeded)
        atomic_store(&model->has_failed, true); /* who comes next compiles anew */
    const bool is_sure = !succeeded || !atomic_load(&model->has_failed);
    if (succeeded && pass->alone && model->dynamic)
        shape_guard_learn(&model->guard, scratch);
    pthread_rwlock_unlock(&model->lock);
    return is_sure;
}
