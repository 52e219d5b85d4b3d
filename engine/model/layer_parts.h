/* layer_parts.h: which weights of a checkpoint a layer's matrices are made of, on every device. */
#ifndef INFERD_ENGINE_MODEL_LAYER_PARTS_H
#define INFERD_ENGINE_MODEL_LAYER_PARTS_H

#include <math.h>

#include "checkpoint/bert_config.h"
#include "checkpoint/bert_weight.h"

/* A kernel and its bias, both times `factor`. */
struct part_pair {
    enum bert_part kernel, bias;
    float factor;
};

enum { LAYER_QUERY, LAYER_KEY, LAYER_VALUE, LAYER_PROJECTIONS };

struct layer_parts {
    struct part_pair query_key_value[LAYER_PROJECTIONS]; /* one behind the other in one matrix */
    struct part_pair attention, intermediate, output;
};

static inline struct layer_parts layer_parts_of(const struct bert_config *config) {
    /* softmax(q k / sqrt(D)) in powers of 2 instead of e */
    const float scale = 1.44269504f / sqrtf((float)(config->hidden_size / config->head_count));
    return (struct layer_parts){
        .query_key_value = {[LAYER_QUERY] = {BERT_QUERY_KERNEL, BERT_QUERY_BIAS, scale},
                            [LAYER_KEY] = {BERT_KEY_KERNEL, BERT_KEY_BIAS, 1},
                            [LAYER_VALUE] = {BERT_VALUE_KERNEL, BERT_VALUE_BIAS, 1}},
        .attention = {BERT_ATTENTION_KERNEL, BERT_ATTENTION_BIAS, 1},
        .intermediate = {BERT_INTERMEDIATE_KERNEL, BERT_INTERMEDIATE_BIAS, 1},
        .output = {BERT_OUTPUT_KERNEL, BERT_OUTPUT_BIAS, 1},
    };
}

#endif
