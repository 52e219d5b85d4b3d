/* bert_task.h: what a model of backend bert is asked for: which tensors it has, and the ways from a request to tokens
 * and from logits to its answer. Everything else (weights, batches, the engine) is the same for all.
 *
 * Thread: tasks are constant; append and answer are called by the instance that owns list and arena. */
#ifndef INFERD_BACKENDS_BERT_BERT_TASK_H
#define INFERD_BACKENDS_BERT_BERT_TASK_H

#include "backends/bert/token_list.h"
#include "core/infer_request.h"
#include "core/model_config.h"
#include "engine/bert_engine.h"

struct bert_model;

/* A tensor that a task may have. All have rank 1 without the batch dimension. */
struct bert_tensor {
    const char *name;
    enum datatype type;
    enum {
        BERT_TENSOR_ONE,  /* dims [ 1 ] */
        BERT_TENSOR_MANY, /* dims [ -1 ], or of a length that the task checks or the requests must have */
        BERT_TENSOR_OPEN  /* dims [ -1 ]: each request has its own length */
    } dims;
    enum {
        BERT_TENSOR_LOOSE,    /* a config may have it, of any dims; it gets it as an optional number for each row */
        BERT_TENSOR_OPTIONAL, /* a config may have it */
        BERT_TENSOR_NEEDED    /* a config must have it, and requests too */
    } need;
};

struct bert_task {
    const char *name; /* of config parameter `task` */
    const struct bert_tensor *inputs, *outputs;
    size_t input_count, output_count;
    size_t default_input_count;    /* those that a config without inputs gets: the first */
    size_t default_output_count;   /* likewise */
    enum bert_head head;           /* that the model must have; BERT_HEAD_COUNT: none */
    const char *const *parameters; /* of the config, that this task alone knows */
    size_t parameter_count;

    /* Reads what the task needs into model->task_data, and checks its parameters. Optional (NULL). */
    struct status (*load)(struct bert_model *model, const char *version_directory);
    void (*unload)(struct bert_model *model);
    /* As backend_ops has it. */
    struct infer_cost (*cost)(const struct bert_model *model, const struct infer_request *request);
    /* Appends the request's sequences. *ret_work is what answer() will need, from the arena, which lives as long as the
     * batch. INVALID_ARGUMENT and TOO_LARGE for that request alone; RESOURCE_EXHAUSTED. */
    struct status (*append)(const struct bert_model *model, const struct infer_request *request, struct arena *arena,
                            struct token_list *list, void **ret_work);
    /* The answer from the logits of the sequences from `sequence` on. NULL when memory is short. */
    struct infer_response *(*answer)(const struct bert_model *model, const struct infer_request *request,
                                     struct arena *arena, const struct token_list *list, size_t sequence, void *work);
};

/* The task that a config asks for. INVALID_ARGUMENT for a name that is none. */
struct status bert_task_of(const struct model_config *config, const struct bert_task **ret) STATUS_MUST_CHECK;
/* Fills in what a config has none of: inputs, outputs; without either max_batch_size, too. */
struct status bert_task_complete_config(const struct bert_task *task, int32_t max_batch_size,
                                        struct model_config *config) STATUS_MUST_CHECK;
/* Whether the config's tensors are the task's. INVALID_ARGUMENT names the one that is not. */
struct status bert_task_check_tensors(const struct bert_task *task,
                                      const struct model_config *config) STATUS_MUST_CHECK;

#endif
