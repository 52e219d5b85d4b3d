#include "engine/cuda/cuda_bounds.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS_AT_A_TIME = 64 };

/* E4M3 goes to 448; a little is left for what rounding adds. */
static const float BYTE_LARGEST = 440.0f;

struct cuda_bounds {
    const struct bert_checkpoint *checkpoint;
    float *rows;         /* [ROWS_AT_A_TIME][longest row] */
    float *gamma, *beta; /* [H] */
    float *bias;         /* [largest number of outputs] */
};

static size_t longest_of(const struct bert_config *config) {
    return (size_t)(config->intermediate_size > config->hidden_size ? config->intermediate_size : config->hidden_size);
}

struct status cuda_bounds_create(const struct bert_checkpoint *checkpoint, struct cuda_bounds **ret) {
    const struct bert_config *config = bert_checkpoint_config(checkpoint);
    const size_t longest = longest_of(config), hidden = (size_t)config->hidden_size;
    struct cuda_bounds *bounds = calloc(1, sizeof *bounds);
    if (bounds) {
        bounds->checkpoint = checkpoint;
        bounds->rows = calloc(longest * ROWS_AT_A_TIME, sizeof(float));
        bounds->gamma = calloc(hidden, sizeof(float));
        bounds->beta = calloc(hidden, sizeof(float));
        bounds->bias = calloc(longest, sizeof(float));
    }
    if (!bounds || !bounds->rows || !bounds->gamma || !bounds->beta || !bounds->bias) {
        cuda_bounds_destroy(bounds);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for rows of %zu weights", longest);
    }
    *ret = bounds;
    return status_ok();
}

void cuda_bounds_destroy(struct cuda_bounds *bounds) {
    if (!bounds)
        return;
    free(bounds->rows);
    free(bounds->gamma);
    free(bounds->beta);
    free(bounds->bias);
    free(bounds);
}

float cuda_bounds_scale(float largest) {
    const float scale = largest > 0 ? BYTE_LARGEST / largest : 1;
    return isfinite(scale) ? scale : 1;
}

static int64_t rows_left(const struct bert_weight *weight, int64_t row) {
    return weight->outputs - row < ROWS_AT_A_TIME ? weight->outputs - row : ROWS_AT_A_TIME;
}

float cuda_bounds_largest(struct cuda_bounds *bounds, enum bert_part part, int64_t layer) {
    const struct bert_weight *weight = bert_checkpoint_weight(bounds->checkpoint, part, layer);
    float largest = 0;
    if (weight->origin == BERT_FROM_FILE) /* found when the file was opened */
        return weight->largest;
    for (int64_t row = 0; row < weight->outputs; row += ROWS_AT_A_TIME) {
        int64_t count = rows_left(weight, row);
        bert_weight_read(weight, BERT_OUT_IN, row, count, bounds->rows);
        for (int64_t i = 0; i < count * weight->inputs; i++)
            largest = fmaxf(largest, fabsf(bounds->rows[i]));
    }
    return largest;
}

/* ---- rows of LayerNorm ---- */

static void read_vector(const struct cuda_bounds *bounds, enum bert_part part, int64_t layer, float *ret) {
    const struct bert_weight *weight = bert_checkpoint_weight(bounds->checkpoint, part, layer);
    bert_weight_read(weight, BERT_OUT_IN, 0, weight->outputs, ret);
}

/* The LayerNorm before layer `layer`: that of the layer before it, or of the embeddings. */
static void read_input_norm(struct cuda_bounds *bounds, int64_t layer) {
    read_vector(bounds, layer ? BERT_OUTPUT_GAMMA : BERT_EMBEDDINGS_GAMMA, layer ? layer - 1 : 0, bounds->gamma);
    read_vector(bounds, layer ? BERT_OUTPUT_BETA : BERT_EMBEDDINGS_BETA, layer ? layer - 1 : 0, bounds->beta);
}

static void read_attention_norm(struct cuda_bounds *bounds, int64_t layer) {
    read_vector(bounds, BERT_ATTENTION_GAMMA, layer, bounds->gamma);
    read_vector(bounds, BERT_ATTENTION_BETA, layer, bounds->beta);
}

static size_t hidden_of(const struct cuda_bounds *bounds) {
    return (size_t)bert_checkpoint_config(bounds->checkpoint)->hidden_size;
}

/* What a row of the LayerNorm that was read can hold. */
static float norm_bound(const struct cuda_bounds *bounds) {
    const size_t hidden = hidden_of(bounds);
    float largest = 0;
    for (size_t i = 0; i < hidden; i++)
        largest = fmaxf(largest, fabsf(bounds->gamma[i]) * sqrtf((float)hidden) + fabsf(bounds->beta[i]));
    return largest;
}

/* |w * gamma| sqrt(H) + |w beta + bias| of one output. */
static float output_bound(const struct cuda_bounds *bounds, const float *weights, float bias) {
    const size_t hidden = hidden_of(bounds);
    double squares = 0, shift = (double)bias;
    for (size_t i = 0; i < hidden; i++) {
        const double scaled = (double)(weights[i] * bounds->gamma[i]);
        squares += scaled * scaled;
        shift += (double)(weights[i] * bounds->beta[i]);
    }
    return (float)(sqrt(squares * (double)hidden) + fabs(shift));
}

/* The same over all outputs of a matrix that reads the LayerNorm. */
static float matrix_bound(struct cuda_bounds *bounds, enum bert_part kernel, enum bert_part bias, int64_t layer) {
    const struct bert_weight *weight = bert_checkpoint_weight(bounds->checkpoint, kernel, layer);
    float largest = 0;
    read_vector(bounds, bias, layer, bounds->bias);
    for (int64_t row = 0; row < weight->outputs; row += ROWS_AT_A_TIME) {
        int64_t count = rows_left(weight, row);
        bert_weight_read(weight, BERT_OUT_IN, row, count, bounds->rows);
        for (int64_t i = 0; i < count; i++)
            largest = fmaxf(largest, output_bound(bounds, bounds->rows + i * weight->inputs, bounds->bias[row + i]));
    }
    return largest;
}

float cuda_bounds_input(struct cuda_bounds *bounds, int64_t layer) {
    read_input_norm(bounds, layer);
    return norm_bound(bounds);
}

float cuda_bounds_values(struct cuda_bounds *bounds, int64_t layer) {
    read_input_norm(bounds, layer);
    return matrix_bound(bounds, BERT_VALUE_KERNEL, BERT_VALUE_BIAS, layer);
}

float cuda_bounds_attention(struct cuda_bounds *bounds, int64_t layer) {
    read_attention_norm(bounds, layer);
    return norm_bound(bounds);
}

float cuda_bounds_intermediate(struct cuda_bounds *bounds, int64_t layer) {
    read_attention_norm(bounds, layer);
    return matrix_bound(bounds, BERT_INTERMEDIATE_KERNEL, BERT_INTERMEDIATE_BIAS, layer);
}
