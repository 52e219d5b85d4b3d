#include "backends/openvino/openvino_instance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/openvino/engine_error.h"
#include "backends/openvino/input_gather.h"
#include "backends/openvino/openvino_model.h"
#include "backends/openvino/output_scatter.h"
#include "base/clock.h"

struct openvino_instance {
    struct openvino_model *model;
    struct compiled_model compiled; /* none behind an inference that failed */
    /* One for each engine input. */
    struct gather_buffer *buffers;
    struct engine_shape *shapes;
    struct gathered_input *inputs;
    int64_t *scratch;          /* shape_trial_width */
    struct output_view *views; /* one for each output of the config */
};

static bool allocate(struct openvino_instance *instance) {
    size_t inputs = instance->model->binding.input_count, outputs = instance->model->binding.output_count;
    instance->buffers = calloc(inputs + 1, sizeof *instance->buffers);
    instance->shapes = calloc(inputs + 1, sizeof *instance->shapes);
    instance->inputs = calloc(inputs + 1, sizeof *instance->inputs);
    instance->scratch = calloc(shape_trial_width(inputs) + 1, sizeof *instance->scratch);
    instance->views = calloc(outputs + 1, sizeof *instance->views);
    for (size_t i = 0; instance->inputs && i < inputs; i++)
        instance->inputs[i].shape = &instance->shapes[i];
    return instance->buffers && instance->shapes && instance->inputs && instance->scratch && instance->views;
}

struct status openvino_instance_create(void *model, int index, void **ret_instance) {
    struct openvino_instance *instance = calloc(1, sizeof *instance);
    if (instance)
        instance->model = model;
    if (!instance || !allocate(instance)) {
        openvino_instance_destroy(instance);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for instance %d", index);
    }
    struct status status = openvino_model_compile(instance->model, &instance->compiled);
    if (!status_is_ok(&status)) {
        openvino_instance_destroy(instance);
        return status;
    }
    if (index + 1 == instance->model->instance_count)
        shape_trial_keep_needed(&instance->model->trial);
    *ret_instance = instance;
    return status_ok();
}

void openvino_instance_destroy(void *pointer) {
    struct openvino_instance *instance = pointer;
    if (!instance)
        return;
    compiled_model_destroy(&instance->compiled);
    for (size_t i = 0; instance->buffers && i < instance->model->binding.input_count; i++)
        gather_buffer_free(&instance->buffers[i]);
    free(instance->buffers);
    free(instance->shapes);
    free(instance->inputs);
    free(instance->scratch);
    free(instance->views);
    free(instance);
}

/* ---- errors ---- */

/* What a request of the batch sent: "input_ids [2,8], input_mask [2,9]". */
static void describe_inputs(const struct infer_request *request, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < request->input_count && used < size; i++) {
        char shape[160];
        shape_format(request->inputs[i].shape, request->inputs[i].rank, shape, sizeof shape);
        int n =
            snprintf(text + used, size - used, "%s%.*s %s", i ? ", " : "", SLICE_ARGS(request->inputs[i].name), shape);
        used += n > 0 ? (size_t)n : 0;
    }
}

/* Says what the requests had to do with an error of the engine. */
static struct status explain(const struct openvino_instance *instance, struct status status,
                             const struct backend_batch *batch) {
    const struct input_binding *absent = NULL;
    char sent[200];
    describe_inputs(batch->requests[0], sent, sizeof sent);
    for (size_t i = 0; i < instance->model->binding.input_count; i++)
        if (instance->inputs[i].absent)
            absent = &instance->model->binding.inputs[i];
    if (status.code == STATUS_INTERNAL && (absent || engine_error_is_shape(&status)))
        status.code = STATUS_INVALID_ARGUMENT;
    if (absent)
        return status_prefix(status, "the model cannot run on %s without the optional input '%.*s'", sent,
                             SLICE_ARGS(absent->name));
    return status_prefix(status, "the model cannot run on %s", sent);
}

/* ---- one batch ---- */

static struct status check_variable_dims(const struct openvino_model *model, const struct infer_request *request) {
    for (size_t i = 0; i < request->input_count; i++) {
        const struct tensor *tensor = &request->inputs[i];
        for (int d = model->config->max_batch_size > 0; d < tensor->rank; d++)
            if (tensor->shape[d] > model->max_variable_dim)
                return status_error(STATUS_INVALID_ARGUMENT,
                                    "input '%.*s': expected at most %" PRId64
                                    " (the config's max_variable_dim) in dimension %d, got %" PRId64,
                                    SLICE_ARGS(tensor->name), model->max_variable_dim, d, tensor->shape[d]);
    }
    return status_ok();
}

static struct status gather_inputs(struct openvino_instance *instance, const struct backend_batch *batch) {
    const struct openvino_model *model = instance->model;
    for (size_t i = 0; model->max_variable_dim > 0 && i < batch->count; i++)
        STATUS_TRY(check_variable_dims(model, batch->requests[i]));
    for (size_t i = 0; i < model->binding.input_count; i++)
        STATUS_TRY(input_gather(&model->binding.inputs[i], batch, model->config->max_batch_size > 0,
                                &instance->buffers[i], &instance->inputs[i]));
    return status_ok();
}

static struct status run_engine(struct openvino_instance *instance, struct backend_times *times) {
    const struct port_binding *binding = &instance->model->binding;
    for (size_t i = 0; i < binding->input_count; i++)
        STATUS_TRY(gathered_input_set(&instance->inputs[i], &binding->inputs[i], i, instance->compiled.request));
    times->input_end = clock_monotonic_ns();
    struct status status = compiled_model_run(&instance->compiled);
    times->output_start = clock_monotonic_ns();
    return status;
}

static struct status take_outputs(struct openvino_instance *instance, const struct backend_batch *batch) {
    const struct port_binding *binding = &instance->model->binding;
    bool batches = instance->model->config->max_batch_size > 0;
    for (size_t i = 0; i < binding->output_count; i++)
        STATUS_TRY(output_view_take(&binding->outputs[i], batch, batches, (int64_t)batch->items,
                                    instance->compiled.request, &instance->views[i]));
    return status_ok();
}

/* What a failed inference leaves is thrown away at once: nobody else has used it. */
static struct status compute(struct openvino_instance *instance, struct backend_times *times) {
    struct openvino_model *model = instance->model;
    STATUS_TRY(shape_trial_check(&model->trial, instance->shapes, instance->scratch));
    if (!instance->compiled.compiled)
        STATUS_TRY(openvino_model_compile(model, &instance->compiled));
    struct status status = run_engine(instance, times);
    if (status_is_ok(&status))
        shape_trial_learn(&model->trial, instance->scratch);
    else
        compiled_model_destroy(&instance->compiled);
    return status;
}

static struct status run(struct openvino_instance *instance, const struct backend_batch *batch,
                         struct backend_times *times) {
    STATUS_TRY(gather_inputs(instance, batch));
    struct status status = compute(instance, times);
    if (status_is_ok(&status))
        status = take_outputs(instance, batch);
    return status_is_ok(&status) ? status : explain(instance, status, batch);
}

static void respond(const struct openvino_instance *instance, const struct backend_batch *batch) {
    bool batches = instance->model->config->max_batch_size > 0;
    int64_t row = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct infer_request *request = batch->requests[i];
        int64_t share = (int64_t)request->cost.items; /* the request may be gone once it is answered */
        backend_respond(request,
                        output_scatter(request, instance->views, instance->model->binding.output_count, batches, row,
                                       (int64_t)batch->items),
                        true);
        row += share;
    }
}

static struct status answer(struct openvino_instance *instance, const struct backend_batch *batch,
                            struct backend_times *times) {
    struct status status = run(instance, batch, times);
    if (status_is_ok(&status))
        respond(instance, batch);
    for (size_t i = 0; i < instance->model->binding.output_count; i++)
        output_view_release(&instance->views[i]);
    return status;
}

/* After a batch has failed: the values of one request may be the reason, which is none for the others to fail. */
static void answer_one_by_one(struct openvino_instance *instance, const struct backend_batch *batch,
                              struct backend_times *times) {
    for (size_t i = 0; i < batch->count; i++) {
        const struct backend_batch alone = {&batch->requests[i], 1, batch->requests[i]->cost.items};
        struct status status = answer(instance, &alone, times);
        if (!status_is_ok(&status))
            backend_respond_error(batch->requests[i], status);
    }
}

struct status openvino_instance_execute(void *pointer, const struct backend_batch *batch,
                                        struct backend_times *ret_times) {
    struct openvino_instance *instance = pointer;
    ret_times->compute_start = clock_monotonic_ns();
    struct status status = answer(instance, batch, ret_times);
    if (!status_is_ok(&status) && batch->count > 1) {
        answer_one_by_one(instance, batch, ret_times);
        status = status_ok();
    }
    ret_times->compute_end = clock_monotonic_ns();
    return status;
}
