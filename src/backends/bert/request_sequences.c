#include "backends/bert/request_sequences.h"

#include <string.h>

#include "backends/bert/bert_model.h"
#include "backends/bert/request_tokens.h"

#define VECTOR(name)                                                                                                   \
    { name, DATATYPE_FP32, BERT_TENSOR_MANY, BERT_TENSOR_OPTIONAL }
static const struct bert_tensor classification_outputs[] = {VECTOR("logits"), VECTOR("pooler_output")};
static const struct bert_tensor embedding_outputs[] = {VECTOR("sentence_embedding"), VECTOR("pooler_output")};

enum { OUTPUT_COUNT = 2 };

static const struct vector_row {
    const char *name;
    enum bert_head head; /* that it needs; BERT_HEAD_COUNT: none */
} vectors[TOKEN_VECTOR_COUNT] = {
    [TOKEN_VECTOR_LABELS] = {"logits", BERT_HEAD_CLASSIFIER},
    [TOKEN_VECTOR_MEAN] = {"sentence_embedding", BERT_HEAD_COUNT},
    [TOKEN_VECTOR_POOLED] = {"pooler_output", BERT_HEAD_POOLER},
};

size_t request_sequences_vector_size(const struct bert_engine *engine, enum token_vector vector) {
    const struct bert_config *config = bert_engine_config(engine);
    return (size_t)(vector == TOKEN_VECTOR_LABELS ? config->label_count : config->hidden_size);
}

/* Which vectors the config declares, and whether the model can give them. */
static struct status load(struct bert_model *model, const char *version_directory) {
    (void)version_directory;
    for (int i = 0; i < TOKEN_VECTOR_COUNT; i++) {
        const struct model_output *output = model_config_output(model->config, slice_of(vectors[i].name));
        if (!output)
            continue;
        if (vectors[i].head != BERT_HEAD_COUNT && !bert_engine_has(model->engine, vectors[i].head))
            return status_error(STATUS_INVALID_ARGUMENT, "output '%s': the model has no such head", vectors[i].name);
        size_t size = request_sequences_vector_size(model->engine, (enum token_vector)i);
        if (output->dims[0] != -1 && output->dims[0] != (int64_t)size)
            return status_error(STATUS_INVALID_ARGUMENT, "output '%s' must have dims [ %zu ] or [ -1 ]",
                                vectors[i].name, size);
        model->wants[i] = true;
    }
    return status_ok();
}

/* As tokens are; but there is nothing to say of a row without any. */
static struct status append(const struct bert_model *model, const struct infer_request *request, struct arena *arena,
                            struct token_list *list, void **ret_work) {
    size_t first = list->sequence_count;
    STATUS_TRY(request_tokens_append(model, request, arena, list, ret_work));
    for (size_t i = first; i < list->sequence_count; i++)
        if (list->offsets[i + 1] == list->offsets[i])
            return status_error(STATUS_INVALID_ARGUMENT, "sequence %zu: expected 1 token or more", i - first);
    return status_ok();
}

static struct status add_vectors(const struct bert_model *model, struct infer_response *response, size_t rows,
                                 enum token_vector vector, const float *numbers) {
    char *data;
    size_t size = request_sequences_vector_size(model->engine, vector), bytes = rows * size * sizeof *numbers;
    const int64_t shape[] = {(int64_t)rows, (int64_t)size};
    STATUS_TRY(
        infer_response_add_output(response, slice_of(vectors[vector].name), DATATYPE_FP32, shape, 2, bytes, &data));
    memcpy(data, numbers, bytes);
    return status_ok();
}

static struct infer_response *answer(const struct bert_model *model, const struct infer_request *request,
                                     struct arena *arena, const struct token_list *list, size_t sequence, void *work) {
    (void)arena, (void)work;
    size_t rows = (size_t)infer_request_input(request, SLICE_LITERAL("input_ids"))->shape[0];
    struct infer_response *response = infer_response_create(request, TOKEN_VECTOR_COUNT);
    for (int i = 0; response && i < TOKEN_VECTOR_COUNT && status_is_ok(&response->status); i++) {
        enum token_vector vector = (enum token_vector)i;
        if (model->wants[i] && infer_request_wants(request, slice_of(vectors[i].name)))
            response->status =
                add_vectors(model, response, rows, vector,
                            list->vectors[i] + sequence * request_sequences_vector_size(model->engine, vector));
    }
    if (response && !status_is_ok(&response->status))
        response->output_count = 0;
    return response;
}

#define TASK(task_name, task_outputs, needed_head)                                                                     \
    {                                                                                                                  \
        .name = task_name, .inputs = request_tokens_inputs, .outputs = task_outputs,                                   \
        .input_count = REQUEST_TOKENS_INPUTS, .output_count = OUTPUT_COUNT,                                            \
        .default_input_count = REQUEST_TOKENS_INPUTS - 1, .default_output_count = 1, .head = needed_head,              \
        .parameters = request_tokens_parameters, .parameter_count = REQUEST_TOKENS_PARAMETERS, .load = load,           \
        .cost = request_tokens_cost, .append = append, .answer = answer,                                               \
    }

const struct bert_task request_sequences_classification =
    TASK("classification", classification_outputs, BERT_HEAD_CLASSIFIER);
const struct bert_task request_sequences_embedding = TASK("embedding", embedding_outputs, BERT_HEAD_COUNT);
