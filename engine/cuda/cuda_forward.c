#include "engine/cuda/cuda_forward.h"

#include <string.h>

#include "engine/cuda/cuda_status.h"

enum { DIRECT_TOKENS = 512 };

struct cuda_gemm_call cuda_forward_gemm(const struct cuda_forward *forward, enum cuda_gemm gemm, int64_t layer) {
    const struct cuda_room *room = forward->room;
    const struct cuda_layer *of = &forward->weights->layers[layer];
    const void *x = cuda_layer_is_fp8(of) ? room->x_bytes : room->x;
    struct cuda_gemm_call call = {.gemm = gemm, .matrix = cuda_gemm_matrix(of, gemm), .tokens = forward->plan.tokens};
    switch (gemm) {
    case CUDA_QUERY_KEY_VALUE:
        call.rows = x;
        call.to = room->query_key_value;
        break;
    case CUDA_ATTENTION_OUTPUT:
        call.rows = room->context;
        call.residual = room->x;
        call.to = room->y;
        break;
    case CUDA_INTERMEDIATE:
        call.rows = x;
        call.to = room->intermediate;
        break;
    case CUDA_OUTPUT:
    case CUDA_GEMM_COUNT:
    default:
        call.rows = room->intermediate;
        call.residual = room->x;
        call.to = room->y;
        break;
    }
    return call;
}

static struct status multiply(const struct cuda_forward *forward, enum cuda_gemm gemm, int64_t layer) {
    const struct cuda_gemm_call call = cuda_forward_gemm(forward, gemm, layer);
    return cuda_gemm_run(forward->gemms, &call, forward->stream);
}

/* `reader`: the layer that multiplies what is normalised, in fp8 or not. */
static struct cuda_norm norm_of(const struct cuda_forward *forward, const float *gamma, const float *beta,
                                const struct cuda_layer *reader, float byte_scale) {
    const struct bert_config *config = &forward->weights->config;
    return (struct cuda_norm){
        .gamma = gamma,
        .beta = beta,
        .epsilon = (float)config->layer_norm_eps,
        .tokens = forward->plan.tokens,
        .columns = (int)config->hidden_size,
        .to = {.numbers = forward->room->x,
               .bytes = cuda_layer_is_fp8(reader) ? forward->room->x_bytes : NULL,
               .byte_scale = byte_scale},
    };
}

/* `memory`: where the batch is staged. */
static struct cuda_embed embed_of(const struct cuda_forward *forward, char *memory) {
    const struct cuda_weights *weights = forward->weights;
    const struct cuda_staged staged = cuda_room_staged(memory, &forward->plan);
    return (struct cuda_embed){
        .words = weights->words,
        .positions = weights->positions,
        .types = weights->types,
        .token_ids = staged.token_ids,
        .position_ids = staged.position_ids,
        .segment_ids = staged.segment_ids,
        .norm = norm_of(forward, weights->gamma, weights->beta, weights->layers, weights->layers[0].input_scale),
    };
}

static struct cuda_attention attention_of(const struct cuda_forward *forward, int64_t layer, char *memory) {
    const struct cuda_weights *weights = forward->weights;
    const struct bert_config *config = &weights->config;
    const struct cuda_layer *of = &weights->layers[layer];
    const bool is_fp8 = cuda_layer_is_fp8(of);
    return (struct cuda_attention){
        .query_key_value = forward->room->query_key_value,
        .numbers = is_fp8 ? NULL : forward->room->context,
        .bytes = is_fp8 ? forward->room->context : NULL,
        .byte_scale = of->context_scale,
        .tiles = cuda_room_staged(memory, &forward->plan).tiles,
        .tile_count = forward->plan.tile_count,
        .head_count = (int)config->head_count,
        .head_size = (int)(config->hidden_size / config->head_count),
    };
}

/* Spans of few tokens are written to the host's memory, which takes less time than a copy. */
static float *spans_of(const struct cuda_forward *forward) {
    return forward->plan.tokens <= DIRECT_TOKENS ? forward->room->host_spans : forward->room->spans;
}

/* The last LayerNorm gives results, and nothing that a layer reads. */
static struct cuda_row_target results_of(const struct cuda_forward *forward) {
    const struct cuda_weights *weights = forward->weights;
    struct cuda_row_target to = {.floats = forward->with_hidden ? forward->room->hidden : NULL};
    if (forward->with_spans) {
        to.span = weights->span;
        to.span_bias[0] = weights->span_bias[0];
        to.span_bias[1] = weights->span_bias[1];
        to.starts = spans_of(forward);
        to.ends = spans_of(forward) + forward->plan.tokens;
    }
    return to;
}

static struct status bring(const struct cuda_forward *forward) {
    struct cuda_room *room = forward->room;
    const size_t size = cuda_room_staged(room->staged, &forward->plan).size;
    CUDA_TRY(cudaMemcpyAsync(room->staged, room->host_staged, size, cudaMemcpyHostToDevice, forward->stream));
    return status_ok();
}

/* ---- kernel by kernel ---- */

static struct status embed(const struct cuda_forward *forward) {
    const struct cuda_embed call = embed_of(forward, forward->room->staged);
    CUDA_TRY(cuda_embed(forward->weights->number, &call, forward->stream));
    return status_ok();
}

static struct status attend(const struct cuda_forward *forward, int64_t layer) {
    const struct cuda_attention call = attention_of(forward, layer, forward->room->staged);
    CUDA_TRY(cuda_attention(forward->weights->number, &call, forward->stream));
    return status_ok();
}

static struct status normalise(const struct cuda_forward *forward, const struct cuda_norm *norm) {
    const struct cuda_norm_rows call = {.rows = forward->room->y, .norm = *norm};
    CUDA_TRY(cuda_norm_rows(forward->weights->number, &call, forward->stream));
    return status_ok();
}

static struct status finish(const struct cuda_forward *forward, const struct cuda_layer *layer) {
    struct cuda_norm norm = norm_of(forward, layer->output_gamma, layer->output_beta, layer, 1);
    norm.to = results_of(forward);
    return normalise(forward, &norm);
}

static struct status run_layer(const struct cuda_forward *forward, int64_t index) {
    const struct cuda_weights *weights = forward->weights;
    const struct cuda_layer *layer = &weights->layers[index];
    const bool is_last = index + 1 == weights->config.layer_count;
    const struct cuda_norm attention =
        norm_of(forward, layer->attention_gamma, layer->attention_beta, layer, layer->attention_scale);
    STATUS_TRY(multiply(forward, CUDA_QUERY_KEY_VALUE, index));
    STATUS_TRY(attend(forward, index));
    STATUS_TRY(multiply(forward, CUDA_ATTENTION_OUTPUT, index));
    STATUS_TRY(normalise(forward, &attention));
    STATUS_TRY(multiply(forward, CUDA_INTERMEDIATE, index));
    STATUS_TRY(multiply(forward, CUDA_OUTPUT, index));
    if (is_last)
        return finish(forward, layer);
    const struct cuda_norm output =
        norm_of(forward, layer->output_gamma, layer->output_beta, layer + 1, layer[1].input_scale);
    return normalise(forward, &output);
}

struct status cuda_forward_run(const struct cuda_forward *forward) {
    const struct cuda_room *room = forward->room;
    STATUS_TRY(bring(forward));
    STATUS_TRY(embed(forward));
    for (int64_t layer = 0; layer < forward->weights->config.layer_count; layer++)
        STATUS_TRY(run_layer(forward, layer));
    if (forward->with_spans && spans_of(forward) != room->host_spans)
        CUDA_TRY(cudaMemcpyAsync(room->host_spans, room->spans, 2 * (size_t)forward->plan.tokens * sizeof(float),
                                 cudaMemcpyDeviceToHost, forward->stream));
    return status_ok();
}

/* ---- in one kernel ---- */

struct status cuda_forward_persistent_blocks(const struct cuda_weights *weights, unsigned *ret) {
    const struct bert_config *config = &weights->config;
    *ret = 0;
    if (cuda_weights_have_fp8(weights) || config->layer_count > CUDA_PERSISTENT_LAYERS ||
        config->hidden_size > CUDA_PERSISTENT_HIDDEN)
        return status_ok();
    CUDA_TRY(cuda_persistent_blocks(weights->number, (int)(config->hidden_size / config->head_count), ret));
    return status_ok();
}

static struct cuda_persistent_layer layer_of(const struct cuda_layer *layer) {
    struct cuda_persistent_layer ret = {.attention_gamma = layer->attention_gamma,
                                        .attention_beta = layer->attention_beta,
                                        .output_gamma = layer->output_gamma,
                                        .output_beta = layer->output_beta};
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++) {
        const struct cuda_matrix *matrix = cuda_gemm_matrix(layer, (enum cuda_gemm)gemm);
        ret.products[gemm] = (struct cuda_product){matrix->weights, matrix->bias, matrix->outputs, matrix->inputs};
    }
    return ret;
}

/* It reads what it is given from the host's memory, which takes less time than a copy. */
struct status cuda_forward_run_persistent(const struct cuda_forward *forward, unsigned blocks) {
    const struct cuda_weights *weights = forward->weights;
    const struct cuda_room *room = forward->room;
    struct cuda_persistent call = {
        .embed = embed_of(forward, room->host_staged),
        .attention = attention_of(forward, 0, room->host_staged),
        .results = results_of(forward),
        .x = room->x,
        .query_key_value = room->query_key_value,
        .intermediate = room->intermediate,
        .sums = room->sums,
        .meeting = room->meeting,
        .is_done = room->host_is_done,
        .layer_count = (int)weights->config.layer_count,
    };
    for (int i = 0; i < call.layer_count; i++)
        call.layers[i] = layer_of(&weights->layers[i]);
    if (forward->cuts)
        memcpy(call.cuts, forward->cuts, sizeof call.cuts);
    *room->host_is_done = 0;
    CUDA_TRY(cuda_persistent(weights->number, &call, blocks, forward->stream));
    return status_ok();
}

struct status cuda_forward_persistent_end(const struct cuda_room *room) {
    return *room->host_is_done
               ? status_ok()
               : status_error(STATUS_UNAVAILABLE, "the blocks of one kernel waited for each other in vain");
}
