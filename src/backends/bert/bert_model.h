/* bert_model.h: one loaded version: its engine, and what its task knows. */
#ifndef INFERD_BACKENDS_BERT_BERT_MODEL_H
#define INFERD_BACKENDS_BERT_BERT_MODEL_H

#include "backends/bert/bert_task.h"
#include "core/backend.h"
#include "engine/bert_engine.h"

struct bert_backend; /* above all models: the threads and the engines that they share */
struct shared_engine;

struct bert_model {
    struct bert_backend *backend;
    const struct model_config *config;
    const struct bert_task *task;
    void *task_data;                  /* the task's own */
    bool wants[TOKEN_VECTOR_COUNT];   /* what the task answers with, beside or in place of the tokens' logits */
    struct shared_engine **shared;    /* [config->instance_count] by the first instance in each place; NULL elsewhere */
    const struct bert_engine *engine; /* any of them: all are made of the same files */
    uint64_t batch_tokens;            /* most that are computed together; 0: by the device */
};

struct status bert_model_initialize(void **ret_backend) STATUS_MUST_CHECK;
void bert_model_finalize(void *backend);
struct status bert_model_complete_config(void *backend, struct model_config *config,
                                         const char *version_directory) STATUS_MUST_CHECK;
struct status bert_model_load(void *backend, const struct backend_model_args *args, void **ret_model) STATUS_MUST_CHECK;
void bert_model_unload(void *model);
/* The engine in that place, where the model has instances. */
const struct bert_engine *bert_model_engine(const struct bert_model *model, const struct instance_place *place);
/* What the engine can compute on, for configs. */
int bert_model_gpu_count(void *backend);
struct status bert_model_gpu_check(void *backend, int32_t gpu) STATUS_MUST_CHECK;
bool bert_model_gpu_suits(void *backend, int32_t gpu, const struct model_config *config, const char *version_directory);
void bert_model_describe(const void *model, const struct instance_place *place, char *text, size_t size);
/* One of its GPUs is. */
bool bert_model_is_lost(const void *model);
uint64_t bert_model_memory(const void *model, const struct instance_place *place);
struct infer_cost bert_model_cost(void *model, const struct infer_request *request);
/* Most tokens that are computed together there. */
uint64_t bert_model_token_budget(const void *model, const struct instance_place *place);

#endif
