#include "engine/model/model_weights.h"

#include <math.h>
#include <stdlib.h>

#include "engine/kernels/bfloat16.h"
#include "engine/model/block_memory.h"
#include "engine/model/layer_parts.h"
#include "engine/model/matrix_pack.h"

enum { ALIGN = 64, ROWS_AT_A_TIME = 64 };

/* The block is walked twice: to add up what is needed (no memory yet), then to fill it. */
struct maker {
    const struct bert_checkpoint *checkpoint;
    const struct bert_config *config;
    enum kernel_format format; /* of the matrices that are made now */
    char *block;               /* NULL on the first walk */
    size_t used;
    float *rows;          /* [ROWS_AT_A_TIME][longest row] */
    struct status status; /* the first error of the second walk */
};

static char *take(struct maker *maker, size_t size) {
    char *at = maker->block ? maker->block + maker->used : NULL;
    maker->used += (size + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

static const struct bert_weight *weight_of(const struct maker *maker, enum bert_part part, int64_t layer) {
    return bert_checkpoint_weight(maker->checkpoint, part, layer);
}

/* All of a table or vector as floats. */
static const float *take_floats(struct maker *maker, enum bert_part part, int64_t layer) {
    const struct bert_weight *weight = weight_of(maker, part, layer);
    float *floats = (float *)(void *)take(maker, (size_t)(weight->outputs * weight->inputs) * sizeof *floats);
    if (floats)
        bert_weight_read(weight, BERT_OUT_IN, 0, weight->outputs, floats);
    return floats;
}

/* Tables that a file holds are taken as they are stored. */
static struct embedding_table take_table(struct maker *maker, enum bert_part part) {
    const struct bert_weight *weight = weight_of(maker, part, 0);
    if (weight->origin != BERT_FROM_FILE)
        return (struct embedding_table){(const char *)take_floats(maker, part, 0), WEIGHT_F32};
    char *data = take(maker, weight->bytes.size);
    if (data)
        memcpy(data, weight->bytes.data, weight->bytes.size);
    return (struct embedding_table){data, weight->type};
}

/* ---- matrices ---- */

static bool fits(enum kernel_format format, float number) {
    return isfinite(format == KERNEL_BF16 ? bfloat16_widen(bfloat16_round(number)) : number);
}

/* The numbers in the checkpoint are finite; this is whether they still are as they are packed. */
static void check_fits(struct maker *maker, const struct bert_weight *weight, enum kernel_format format, float factor) {
    if (fits(format, weight->largest * factor) || !status_is_ok(&maker->status))
        return;
    maker->status =
        status_error(STATUS_INVALID_ARGUMENT, "tensor \"%.*s\" holds %g, which is too large to compute in %s",
                     SLICE_ARGS(weight->name), (double)weight->largest, format == KERNEL_BF16 ? "bf16" : "fp32");
}

/* Fills outputs first .. of the matrix with one kernel of the checkpoint. */
static void fill_matrix(struct maker *maker, const struct matrix_room *room, size_t first, int64_t layer,
                        const struct part_pair *pair) {
    const struct bert_weight *kernel = weight_of(maker, pair->kernel, layer);
    const struct bert_weight *bias_weight = weight_of(maker, pair->bias, layer);
    size_t inputs = (size_t)kernel->inputs;
    check_fits(maker, kernel, maker->format, pair->factor);
    check_fits(maker, bias_weight, KERNEL_F32, pair->factor);
    for (int64_t row = 0; row < kernel->outputs; row += ROWS_AT_A_TIME) {
        int64_t count = kernel->outputs - row < ROWS_AT_A_TIME ? kernel->outputs - row : ROWS_AT_A_TIME;
        bert_weight_read(kernel, BERT_OUT_IN, row, count, maker->rows);
        for (int64_t i = 0; i < count; i++)
            matrix_pack_output(room, maker->format, first + (size_t)(row + i), maker->rows + (size_t)i * inputs, inputs,
                               pair->factor);
    }
    float *bias = room->bias + first;
    bert_weight_read(bias_weight, BERT_OUT_IN, 0, kernel->outputs, bias);
    for (int64_t i = 0; i < kernel->outputs; i++)
        bias[i] *= pair->factor;
}

/* One matrix of the outputs of `count` kernels, one behind the other; all have the same shape. */
static struct kernel_matrix take_matrix(struct maker *maker, int64_t layer, const struct part_pair *pairs,
                                        size_t count) {
    const struct bert_weight *kernel = weight_of(maker, pairs[0].kernel, layer);
    size_t inputs = (size_t)kernel->inputs, outputs = (size_t)kernel->outputs;
    struct matrix_sizes sizes = matrix_pack_sizes(maker->format, outputs * count, inputs);
    struct matrix_room room = {.panels = (uint32_t *)(void *)take(maker, sizes.panels)};
    room.bias = (float *)(void *)take(maker, sizes.vector);
    room.column_scale = (float *)(void *)take(maker, sizes.scales);
    room.column_sum = (float *)(void *)take(maker, sizes.scales);
    for (size_t i = 0; maker->block && i < count; i++)
        fill_matrix(maker, &room, i * outputs, layer, &pairs[i]);
    return (struct kernel_matrix){
        .panels = room.panels,
        .words = kernel_word_count(maker->format, inputs),
        .columns = outputs * count,
        .format = maker->format,
        .bias = room.bias,
        .column_scale = room.column_scale,
        .column_sum = room.column_sum,
    };
}

/* ---- the walk ---- */

static struct layer_weights take_layer(struct maker *maker, int64_t layer) {
    const struct layer_parts parts = layer_parts_of(maker->config);
    return (struct layer_weights){
        .query_key_value = take_matrix(maker, layer, parts.query_key_value, LAYER_PROJECTIONS),
        .attention = take_matrix(maker, layer, &parts.attention, 1),
        .intermediate = take_matrix(maker, layer, &parts.intermediate, 1),
        .output = take_matrix(maker, layer, &parts.output, 1),
        .attention_gamma = take_floats(maker, BERT_ATTENTION_GAMMA, layer),
        .attention_beta = take_floats(maker, BERT_ATTENTION_BETA, layer),
        .output_gamma = take_floats(maker, BERT_OUTPUT_GAMMA, layer),
        .output_beta = take_floats(maker, BERT_OUTPUT_BETA, layer),
    };
}

/* Little work: always in float. */
static void take_heads(struct maker *maker, struct model_weights *weights) {
    const struct part_pair pooler = {BERT_POOLER_KERNEL, BERT_POOLER_BIAS, 1};
    const struct part_pair classifier = {BERT_CLASSIFIER_KERNEL, BERT_CLASSIFIER_BIAS, 1};
    maker->format = KERNEL_F32;
    if (bert_checkpoint_has(maker->checkpoint, BERT_HEAD_SPAN)) {
        weights->span = take_floats(maker, BERT_SPAN_KERNEL, 0);
        bert_weight_read(weight_of(maker, BERT_SPAN_BIAS, 0), BERT_OUT_IN, 0, 2, weights->span_bias);
    }
    if (bert_checkpoint_has(maker->checkpoint, BERT_HEAD_POOLER))
        weights->pooler = take_matrix(maker, 0, &pooler, 1);
    if (bert_checkpoint_has(maker->checkpoint, BERT_HEAD_CLASSIFIER))
        weights->classifier = take_matrix(maker, 0, &classifier, 1);
}

static void take_all(struct maker *maker, enum kernel_format format, struct model_weights *weights) {
    maker->used = 0;
    maker->format = format;
    weights->words = take_table(maker, BERT_WORD_EMBEDDINGS);
    weights->positions = take_floats(maker, BERT_POSITION_EMBEDDINGS, 0);
    weights->types = take_floats(maker, BERT_TYPE_EMBEDDINGS, 0);
    weights->gamma = take_floats(maker, BERT_EMBEDDINGS_GAMMA, 0);
    weights->beta = take_floats(maker, BERT_EMBEDDINGS_BETA, 0);
    for (int64_t i = 0; i < maker->config->layer_count; i++)
        weights->layers[i] = take_layer(maker, i);
    take_heads(maker, weights);
}

static struct status allocate(struct maker *maker, enum kernel_format format, struct model_weights *weights) {
    const struct bert_config *config = maker->config;
    int64_t longest = config->intermediate_size > config->hidden_size ? config->intermediate_size : config->hidden_size;
    weights->layers = calloc((size_t)config->layer_count, sizeof *weights->layers);
    if (!weights->layers)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %lld layers", (long long)config->layer_count);
    take_all(maker, format, weights);
    weights->block_size = maker->used;
    weights->block = block_alloc(maker->used);
    maker->rows = calloc((size_t)longest * ROWS_AT_A_TIME, sizeof *maker->rows);
    if (!weights->block || !maker->rows)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %zu bytes of weights", maker->used);
    maker->block = weights->block;
    return status_ok();
}

struct status model_weights_create(const struct bert_checkpoint *checkpoint, enum kernel_format format,
                                   struct model_weights *ret) {
    struct maker maker = {
        .checkpoint = checkpoint, .config = bert_checkpoint_config(checkpoint), .status = status_ok()};
    *ret = (struct model_weights){.config = *maker.config};
    struct status status = allocate(&maker, format, ret);
    if (status_is_ok(&status)) {
        take_all(&maker, format, ret);
        status = maker.status;
    }
    if (!status_is_ok(&status))
        model_weights_free(ret);
    free(maker.rows);
    return status;
}

void model_weights_free(struct model_weights *weights) {
    block_free(weights->block, weights->block_size);
    free(weights->layers);
    *weights = (struct model_weights){0};
}

static const char *word_row(const struct model_weights *weights, int64_t token, size_t *ret_size) {
    const struct embedding_table *table = &weights->words;
    *ret_size = (size_t)weights->config.hidden_size * weight_type_size(table->type);
    return table->data + (size_t)token * *ret_size;
}

void model_weights_fetch_word(const struct model_weights *weights, int64_t token) {
    size_t size;
    const char *row = word_row(weights, token, &size);
    for (size_t i = 0; i < size; i += ALIGN)
        __builtin_prefetch(row + i);
}

void model_weights_word(const struct model_weights *weights, int64_t token, float *ret) {
    size_t size;
    const char *row = word_row(weights, token, &size);
    weight_to_float(weights->words.type, row, (size_t)weights->config.hidden_size, ret);
}
