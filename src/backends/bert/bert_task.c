#include "backends/bert/bert_task.h"

#include "backends/bert/request_questions.h"
#include "backends/bert/request_sequences.h"
#include "backends/bert/request_tokens.h"

static const struct bert_task *const tasks[] = {&request_tokens_task, &request_questions_task,
                                                &request_sequences_classification, &request_sequences_embedding};

struct status bert_task_of(const struct model_config *config, const struct bert_task **ret) {
    struct slice name = slice_of(tasks[0]->name);
    (void)model_config_parameter(config, "task", &name);
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++)
        if (slice_equal_text(name, tasks[i]->name)) {
            *ret = tasks[i];
            return status_ok();
        }
    return status_error(STATUS_INVALID_ARGUMENT, "parameter task must be %s, %s, %s or %s, got '%.*s'", tasks[0]->name,
                        tasks[1]->name, tasks[2]->name, tasks[3]->name, SLICE_ARGS(name));
}

/* ---- completing ---- */

static struct status add_input(struct model_config *config, const struct bert_tensor *tensor) {
    const int64_t dims[] = {tensor->dims == BERT_TENSOR_ONE ? 1 : -1};
    struct slice name = slice_of(tensor->name);
    if (tensor->need == BERT_TENSOR_LOOSE)
        return model_config_add_optional_input(config, name, tensor->type, NULL, 0);
    return model_config_add_input(config, name, tensor->type, dims, 1);
}

struct status bert_task_complete_config(const struct bert_task *task, int32_t max_batch_size,
                                        struct model_config *config) {
    bool no_inputs = model_config_message_inputs(config) == 0, no_outputs = model_config_message_outputs(config) == 0;
    if (no_inputs && no_outputs && model_config_max_batch_size(config) == 0)
        model_config_set_max_batch_size(config, max_batch_size);
    for (size_t i = 0; no_inputs && i < task->default_input_count; i++)
        STATUS_TRY(add_input(config, &task->inputs[i]));
    for (size_t i = 0; no_outputs && i < task->default_output_count; i++)
        STATUS_TRY(model_config_add_output(config, slice_of(task->outputs[i].name), task->outputs[i].type,
                                           (const int64_t[]){-1}, 1));
    return status_ok();
}

/* ---- checking ---- */

/* What an input and an output of a config have in common. */
struct declared {
    const char *kind;
    struct slice name;
    enum datatype type;
    const int64_t *dims;
    int rank;
    bool reshaped;
};

static bool fits(const struct bert_tensor *tensor, const struct declared *declared) {
    if (declared->type != tensor->type)
        return false;
    if (tensor->need == BERT_TENSOR_LOOSE)
        return true;
    if (declared->rank != 1 || declared->reshaped)
        return false;
    if (tensor->dims == BERT_TENSOR_MANY)
        return declared->dims[0] != 0;
    return declared->dims[0] == (tensor->dims == BERT_TENSOR_ONE ? 1 : -1);
}

static struct status check_tensor(const struct bert_tensor *rows, size_t count, const struct declared *declared) {
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal_text(declared->name, rows[i].name))
            continue;
        if (!fits(&rows[i], declared))
            return status_error(STATUS_INVALID_ARGUMENT, "%s '%s' must be %s with dims [ %d ] and no reshape",
                                declared->kind, rows[i].name, datatype_config_name(rows[i].type),
                                rows[i].dims == BERT_TENSOR_ONE ? 1 : -1);
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT, "backend 'bert' has no %s '%.*s'", declared->kind,
                        SLICE_ARGS(declared->name));
}

static struct status check_needed(const struct bert_task *task, const struct model_config *config) {
    for (size_t i = 0; i < task->input_count; i++) {
        const char *name = task->inputs[i].name;
        const struct model_input *input = model_config_input(config, slice_of(name));
        if (task->inputs[i].need == BERT_TENSOR_NEEDED && (!input || input->optional))
            return status_error(STATUS_INVALID_ARGUMENT, "backend 'bert' needs an input '%s' that is not optional",
                                name);
    }
    return status_ok();
}

struct status bert_task_check_tensors(const struct bert_task *task, const struct model_config *config) {
    if (config->max_batch_size == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "backend 'bert' needs a max_batch_size of 1 or more");
    for (size_t i = 0; i < config->input_count; i++) {
        const struct model_input *input = &config->inputs[i];
        const struct declared tensor = {"input", input->name, input->type, input->dims, input->rank, input->reshaped};
        STATUS_TRY(check_tensor(task->inputs, task->input_count, &tensor));
    }
    for (size_t i = 0; i < config->output_count; i++) {
        const struct model_output *output = &config->outputs[i];
        const struct declared tensor = {"output",     output->name, output->type,
                                        output->dims, output->rank, output->reshaped};
        STATUS_TRY(check_tensor(task->outputs, task->output_count, &tensor));
    }
    return check_needed(task, config);
}
