#include "engine/cuda/cuda_weights.h"

#include <math.h>
#include <stdlib.h>

#include "engine/cuda/cuda_bounds.h"
#include "engine/cuda/cuda_status.h"
#include "engine/kernels/bfloat16.h"
#include "engine/model/layer_parts.h"

enum { ALIGN = 256, FLOATS_AT_A_TIME = 1 << 20 };

static const float FP16_LARGEST = 65504.0f;

/* The block is walked twice: to add up what is needed (no memory yet), then to fill it. */
struct maker {
    const struct bert_checkpoint *checkpoint;
    struct cuda_weights *weights;
    char *block; /* NULL on the first walk */
    size_t used;
    float *host, *staged; /* [floats], here and on the device */
    size_t floats;        /* a row of any weight at least */
    struct cuda_bounds *bounds;
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

static bool is_filling(const struct maker *maker) {
    return maker->block && status_is_ok(&maker->status);
}

/* ---- from the file to the device, some rows at a time ---- */

/* What becomes of the floats of a weight. */
struct conversion {
    void *to; /* on the device */
    enum { AS_FLOATS, AS_NUMBERS, AS_BYTES } form;
    float factor;
};

static struct status convert(const struct maker *maker, const struct conversion *how, size_t at, size_t count) {
    static const size_t sizes[] = {sizeof(float), 2, 1};
    char *to = (char *)how->to + at * sizes[how->form];
    if (how->form == AS_FLOATS) {
        CUDA_TRY(cudaMemcpy(to, maker->host, count * sizeof(float), cudaMemcpyHostToDevice));
        return status_ok();
    }
    const struct cuda_convert call = {
        .from = maker->staged, .to = to, .count = count, .factor = how->factor, .to_bytes = how->form == AS_BYTES};
    CUDA_TRY(cudaMemcpy(maker->staged, maker->host, count * sizeof(float), cudaMemcpyHostToDevice));
    CUDA_TRY(cuda_convert(maker->weights->number, &call, NULL));
    return status_ok();
}

static struct status upload(const struct maker *maker, const struct bert_weight *weight, const struct conversion *how) {
    int64_t at_a_time = (int64_t)maker->floats / weight->inputs;
    for (int64_t row = 0; row < weight->outputs; row += at_a_time) {
        int64_t count = weight->outputs - row < at_a_time ? weight->outputs - row : at_a_time;
        bert_weight_read(weight, BERT_OUT_IN, row, count, maker->host);
        STATUS_TRY(convert(maker, how, (size_t)(row * weight->inputs), (size_t)(count * weight->inputs)));
    }
    return status_ok();
}

static bool fits(enum cuda_number number, float largest) {
    return number == CUDA_FP16 ? largest <= FP16_LARGEST : isfinite(bfloat16_widen(bfloat16_round(largest)));
}

static void fill(struct maker *maker, const struct bert_weight *weight, const struct conversion *how) {
    const enum cuda_number number = maker->weights->number;
    if (!is_filling(maker))
        return;
    if (how->form == AS_NUMBERS && !fits(number, weight->largest * how->factor))
        maker->status =
            status_error(STATUS_INVALID_ARGUMENT, "tensor \"%.*s\" holds %g, which is too large to compute in %s",
                         SLICE_ARGS(weight->name), (double)weight->largest, number == CUDA_FP16 ? "fp16" : "bf16");
    else
        maker->status = upload(maker, weight, how);
}

/* All of a table or vector as floats. */
static const float *take_floats(struct maker *maker, enum bert_part part, int64_t layer) {
    const struct bert_weight *weight = weight_of(maker, part, layer);
    char *to = take(maker, (size_t)(weight->outputs * weight->inputs) * sizeof(float));
    fill(maker, weight, &(struct conversion){to, AS_FLOATS, 1});
    return (const float *)(void *)to;
}

/* ---- matrices ---- */

/* The factor that brings the largest weight of the kernels to fp8's largest number. */
static float weights_scale(const struct maker *maker, int64_t layer, const struct part_pair *pairs, size_t count) {
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, pairs[i].factor * cuda_bounds_largest(maker->bounds, pairs[i].kernel, layer));
    return cuda_bounds_scale(largest);
}

static const struct cuda_scales *take_scales(struct maker *maker, const struct cuda_scales *scales) {
    char *to = take(maker, sizeof *scales);
    if (is_filling(maker))
        maker->status = cuda_status(cudaMemcpy(to, scales, sizeof *scales, cudaMemcpyHostToDevice), "cudaMemcpy");
    return (const struct cuda_scales *)(void *)to;
}

/* One matrix of the outputs of `count` kernels, one behind the other; all have the same shape. fp8: `rows_scale` and
 * `to_scale` are those of the activations that it reads and gives. */
static struct cuda_matrix take_matrix(struct maker *maker, int64_t layer, const struct part_pair *pairs, size_t count,
                                      float rows_scale, float to_scale) {
    const struct bert_weight *kernel = weight_of(maker, pairs[0].kernel, layer);
    const bool is_fp8 = layer >= maker->weights->fp8_from;
    const size_t inputs = (size_t)kernel->inputs, outputs = (size_t)kernel->outputs, size = is_fp8 ? 1 : 2;
    struct cuda_matrix matrix = {.outputs = (int)(outputs * count), .inputs = (int)inputs};
    char *weights = take(maker, outputs * count * inputs * size), *bias = take(maker, outputs * count * 2);
    float scale = is_fp8 && maker->block ? weights_scale(maker, layer, pairs, count) : 1;
    for (size_t i = 0; i < count && is_filling(maker); i++) {
        const struct conversion rows = {weights + i * outputs * inputs * size, is_fp8 ? AS_BYTES : AS_NUMBERS,
                                        pairs[i].factor * scale};
        const struct conversion vector = {bias + i * outputs * 2, AS_NUMBERS, pairs[i].factor};
        fill(maker, weight_of(maker, pairs[i].kernel, layer), &rows);
        fill(maker, weight_of(maker, pairs[i].bias, layer), &vector);
    }
    if (is_fp8)
        matrix.scales = take_scales(maker, &(struct cuda_scales){1 / scale, 1 / rows_scale, to_scale});
    matrix.weights = weights;
    matrix.bias = bias;
    return matrix;
}

/* ---- the walk ---- */

/* The scales of activations, from the numbers that they can have at most. */
struct layer_scales {
    float input, context, attention, intermediate;
};

static struct layer_scales scales_of(const struct maker *maker, int64_t layer) {
    struct cuda_bounds *bounds = maker->bounds;
    if (layer < maker->weights->fp8_from || !maker->block)
        return (struct layer_scales){1, 1, 1, 1};
    return (struct layer_scales){
        .input = cuda_bounds_scale(cuda_bounds_input(bounds, layer)),
        .context = cuda_bounds_scale(cuda_bounds_values(bounds, layer)),
        .attention = cuda_bounds_scale(cuda_bounds_attention(bounds, layer)),
        .intermediate = cuda_bounds_scale(cuda_bounds_intermediate(bounds, layer)),
    };
}

static struct cuda_layer take_layer(struct maker *maker, int64_t layer) {
    const struct layer_parts parts = layer_parts_of(&maker->weights->config);
    const struct layer_scales scales = scales_of(maker, layer);
    return (struct cuda_layer){
        .query_key_value = take_matrix(maker, layer, parts.query_key_value, LAYER_PROJECTIONS, scales.input, 1),
        .attention = take_matrix(maker, layer, &parts.attention, 1, scales.context, 1),
        .intermediate = take_matrix(maker, layer, &parts.intermediate, 1, scales.attention, scales.intermediate),
        .output = take_matrix(maker, layer, &parts.output, 1, scales.intermediate, 1),
        .attention_gamma = take_floats(maker, BERT_ATTENTION_GAMMA, layer),
        .attention_beta = take_floats(maker, BERT_ATTENTION_BETA, layer),
        .output_gamma = take_floats(maker, BERT_OUTPUT_GAMMA, layer),
        .output_beta = take_floats(maker, BERT_OUTPUT_BETA, layer),
        .input_scale = scales.input,
        .context_scale = scales.context,
        .attention_scale = scales.attention,
    };
}

/* Little work: always in float. */
static void take_heads(struct maker *maker, struct cuda_weights *weights) {
    if (bert_checkpoint_has(maker->checkpoint, BERT_HEAD_SPAN)) {
        weights->span = take_floats(maker, BERT_SPAN_KERNEL, 0);
        bert_weight_read(weight_of(maker, BERT_SPAN_BIAS, 0), BERT_OUT_IN, 0, 2, weights->span_bias);
    }
    if (bert_checkpoint_has(maker->checkpoint, BERT_HEAD_POOLER)) {
        weights->pooler.weights = take_floats(maker, BERT_POOLER_KERNEL, 0);
        weights->pooler.bias = take_floats(maker, BERT_POOLER_BIAS, 0);
    }
    if (bert_checkpoint_has(maker->checkpoint, BERT_HEAD_CLASSIFIER)) {
        weights->classifier.weights = take_floats(maker, BERT_CLASSIFIER_KERNEL, 0);
        weights->classifier.bias = take_floats(maker, BERT_CLASSIFIER_BIAS, 0);
    }
}

static void take_all(struct maker *maker) {
    struct cuda_weights *weights = maker->weights;
    maker->used = 0;
    weights->words = take_floats(maker, BERT_WORD_EMBEDDINGS, 0);
    weights->positions = take_floats(maker, BERT_POSITION_EMBEDDINGS, 0);
    weights->types = take_floats(maker, BERT_TYPE_EMBEDDINGS, 0);
    weights->gamma = take_floats(maker, BERT_EMBEDDINGS_GAMMA, 0);
    weights->beta = take_floats(maker, BERT_EMBEDDINGS_BETA, 0);
    for (int64_t i = 0; i < weights->config.layer_count; i++)
        weights->layers[i] = take_layer(maker, i);
    take_heads(maker, weights);
}

static size_t larger(int64_t a, size_t b) {
    return (size_t)a > b ? (size_t)a : b;
}

static struct status make(struct maker *maker) {
    struct cuda_weights *weights = maker->weights;
    const struct bert_config *config = &weights->config;
    weights->layers = calloc((size_t)config->layer_count, sizeof *weights->layers);
    maker->floats = larger(config->intermediate_size, larger(config->hidden_size, FLOATS_AT_A_TIME));
    maker->host = calloc(maker->floats, sizeof(float));
    if (!weights->layers || !maker->host)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %lld layers", (long long)config->layer_count);
    STATUS_TRY(cuda_bounds_create(maker->checkpoint, &maker->bounds));
    take_all(maker);
    weights->block_size = maker->used;
    CUDA_TRY(cudaMalloc((void **)&maker->staged, maker->floats * sizeof(float)));
    CUDA_TRY(cudaMalloc((void **)&weights->block, maker->used));
    maker->block = weights->block;
    take_all(maker);
    STATUS_TRY(maker->status);
    CUDA_TRY(cudaStreamSynchronize(NULL)); /* not the device: other sessions may record graphs now */
    return status_ok();
}

struct status cuda_weights_create(const struct bert_checkpoint *checkpoint, enum cuda_number number, int64_t fp8_from,
                                  struct cuda_weights *ret) {
    *ret = (struct cuda_weights){.config = *bert_checkpoint_config(checkpoint), .number = number, .fp8_from = fp8_from};
    struct maker maker = {.checkpoint = checkpoint, .weights = ret, .status = status_ok()};
    struct status status = make(&maker);
    if (!status_is_ok(&status))
        cuda_weights_free(ret);
    cudaFree(maker.staged);
    cuda_bounds_destroy(maker.bounds);
    free(maker.host);
    return status;
}

void cuda_weights_free(struct cuda_weights *weights) {
    cudaFree(weights->block);
    free(weights->layers);
    *weights = (struct cuda_weights){0};
}
