/* model_weights.h: the weights of an engine: every matrix packed for the kernels, in one block of memory, made once. */
#ifndef INFERD_ENGINE_MODEL_MODEL_WEIGHTS_H
#define INFERD_ENGINE_MODEL_MODEL_WEIGHTS_H

#include "checkpoint/bert_checkpoint.h"
#include "engine/kernels/kernels.h"

struct layer_weights {
    struct kernel_matrix query_key_value; /* [3H][H]; the queries scaled so that softmax takes powers of 2 */
    struct kernel_matrix attention;       /* [H][H] */
    struct kernel_matrix intermediate;    /* [I][H] */
    struct kernel_matrix output;          /* [H][I] */
    const float *attention_gamma, *attention_beta, *output_gamma, *output_beta; /* [H] */
};

/* A table of embeddings as its file stores it; rows are made floats when they are looked up. */
struct embedding_table {
    const char *data;
    enum weight_type type;
};

struct model_weights {
    struct bert_config config;
    struct embedding_table words;   /* [V][H] */
    const float *positions, *types; /* [positions][H], [types][H] */
    const float *gamma, *beta;      /* [H] */
    struct layer_weights *layers;   /* [layer_count] */
    const float *span;              /* [2][H]; NULL without that head */
    float span_bias[2];
    struct kernel_matrix pooler, classifier; /* [H][H], [labels][H], both F32; panels NULL without that head */
    char *block;                             /* holds all of the above but `layers` */
    size_t block_size;
};

/* `format` of the layers' matrices. INVALID_ARGUMENT for a number that is too large for it; RESOURCE_EXHAUSTED. */
struct status model_weights_create(const struct bert_checkpoint *checkpoint, enum kernel_format format,
                                   struct model_weights *ret) STATUS_MUST_CHECK;
void model_weights_free(struct model_weights *weights); /* accepts a zeroed one */
/* One row of the word embeddings. The other has it fetched into the cache: rows of a text lie all over a large table.
 */
void model_weights_fetch_word(const struct model_weights *weights, int64_t token);
void model_weights_word(const struct model_weights *weights, int64_t token, float *ret);

#endif
