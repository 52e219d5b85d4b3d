#include "backends/bert/bert_backend.h"

#include "backends/bert/bert_instance.h"
#include "backends/bert/bert_model.h"

static const struct backend_ops ops = {
    .api_version = BACKEND_API_VERSION,
    .name = "bert",
    .description = "BERT encoders: Hugging Face and TensorFlow checkpoints",
    .initialize = bert_model_initialize,
    .finalize = bert_model_finalize,
    .gpu_count = bert_model_gpu_count,
    .gpu_check = bert_model_gpu_check,
    .gpu_suits = bert_model_gpu_suits,
    .complete_config = bert_model_complete_config,
    .load = bert_model_load,
    .unload = bert_model_unload,
    .instance_create = bert_instance_create,
    .instance_destroy = bert_instance_destroy,
    .memory = bert_model_memory,
    .is_lost = bert_model_is_lost,
    .describe = bert_model_describe,
    .cost = bert_model_cost,
    .token_budget = bert_model_token_budget,
    .ragged = true,
    .execute = bert_instance_execute,
};

const struct backend_ops *bert_backend(void) {
    return &ops;
}
