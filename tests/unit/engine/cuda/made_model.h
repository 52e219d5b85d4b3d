/* made_model.h: models whose every part matters: numbers so large that a mistake in one of them shows in what comes
 * out, which those of untrained models are not. */
#ifndef INFERD_TESTS_ENGINE_CUDA_MADE_MODEL_H
#define INFERD_TESTS_ENGINE_CUDA_MADE_MODEL_H

#include <math.h>

#include "../../checkpoint/scratch.h"
#include "base/buf.h"
#include "checkpoint/bert_names.h"

enum { MADE_LABELS = 3 };

static inline void made_config_write(struct scratch *scratch, const struct bert_config *config) {
    struct buf text = BUF_EMPTY;
    buf_printf(&text,
               "{\"architectures\": [\"BertForSequenceClassification\"], \"model_type\": \"bert\", \"hidden_act\": "
               "\"%s\", \"vocab_size\": %d, \"hidden_size\": %d, \"num_hidden_layers\": %d, "
               "\"num_attention_heads\": %d, \"intermediate_size\": %d, \"max_position_embeddings\": %d, "
               "\"type_vocab_size\": %d, \"layer_norm_eps\": 1e-12, "
               "\"id2label\": {\"0\": \"no\", \"1\": \"maybe\", \"2\": \"yes\"}}",
               config->activation == BERT_GELU_ERF ? "gelu" : "gelu_new", (int)config->vocab_size,
               (int)config->hidden_size, (int)config->layer_count, (int)config->head_count,
               (int)config->intermediate_size, (int)config->position_count, (int)config->type_count);
    scratch_write(scratch, "config.json", buf_slice(&text));
    buf_free(&text);
}

/* Of one number of a part. Kernels keep the size of what they multiply. */
static inline float made_number(enum bert_part part, const struct bert_weight *weight, float random) {
    if (part == BERT_EMBEDDINGS_GAMMA || part == BERT_ATTENTION_GAMMA || part == BERT_OUTPUT_GAMMA)
        return 1 + 0.5f * random;
    if (part == BERT_WORD_EMBEDDINGS || part == BERT_POSITION_EMBEDDINGS || part == BERT_TYPE_EMBEDDINGS)
        return random;
    return weight->rank == 1 ? 0.4f * random : random * sqrtf(3 / (float)weight->inputs);
}

static inline void made_part_write(enum bert_part part, int64_t layer, const struct bert_config *config, float special,
                                   struct buf *header, struct buf *bytes) {
    const struct bert_weight weight = bert_part_describe(BERT_HUGGING_FACE, part, config);
    const size_t count = (size_t)(weight.outputs * weight.inputs), begin = bytes->size;
    uint32_t seed = (uint32_t)part * 77777u + (uint32_t)layer * 999u + 1;
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        float number = made_number(part, &weight, (float)(seed >> 8) / 8388608.0f - 1);
        if (i == 5 && special != 0 && part == BERT_OUTPUT_KERNEL && layer + 1 == config->layer_count)
            number = special;
        buf_append(bytes, &number, sizeof number);
    }
    buf_printf(header, "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [%d", header->size > 1 ? ", " : "",
               bert_names_of(BERT_HUGGING_FACE, part, layer).items[0], (int)weight.outputs);
    if (weight.rank == 2)
        buf_printf(header, ", %d", (int)weight.inputs);
    buf_printf(header, "], \"data_offsets\": [%zu, %zu]}", begin, bytes->size);
}

/* A Hugging Face folder with all heads. `special`, if it is not 0, is a weight of the last layer's last matrix. */
static inline void made_model_write(struct scratch *scratch, const struct bert_config *config, float special) {
    struct buf header = BUF_EMPTY, bytes = BUF_EMPTY, file = BUF_EMPTY;
    buf_append_char(&header, '{');
    for (int part = 0; part < BERT_PART_COUNT; part++)
        for (int64_t layer = 0; layer < (bert_part_is_per_layer((enum bert_part)part) ? config->layer_count : 1);
             layer++)
            made_part_write((enum bert_part)part, layer, config, special, &header, &bytes);
    buf_append_char(&header, '}');
    while (header.size % 8)
        buf_append_char(&header, ' ');
    const uint64_t size = header.size;
    buf_append(&file, &size, sizeof size);
    buf_append_slice(&file, buf_slice(&header));
    buf_append_slice(&file, buf_slice(&bytes));
    scratch_write(scratch, "model.safetensors", buf_slice(&file));
    made_config_write(scratch, config);
    buf_free(&header);
    buf_free(&bytes);
    buf_free(&file);
}

#endif
