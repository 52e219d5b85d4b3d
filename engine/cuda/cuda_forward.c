#include "engine/cuda/cuda_forward.h"

#include "engine/cuda/cuda_status.h"

enum { DIRECT_TOKENS = 512 };

struct cuda_gemm_call cuda_forward_gemm(const struct cuda_forward *forward, enum cuda_gemm gemm, int64_t layer) {
    const struct cuda_room *room = forward->room;
    const void *x = forward->weights->is_fp8 ? room->x_bytes : room->x;
    struct cuda_gemm_call call = {.gemm = gemm,
                                  .matrix = cuda_gemm_matrix(&forward->weights->layers[layer], gemm),
                                  .tokens = forward->plan.tokens};
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

static struct cuda_norm norm_of(const struct cuda_forward *forward, const float *gamma, const float *beta,
                                float byte_scale) {
    const struct bert_config *config = &forward->weights->config;
    return (struct cuda_norm){
        .gamma = gamma,
        .beta = beta,
        .epsilon = (float)config->layer_norm_eps,
        .tokens = forward->plan.tokens,
        .columns = (int)config->hidden_size,
        .to = {.numbers = forward->room->x, .bytes = forward->room->x_bytes, .byte_scale = byte_scale},
    };
}

static struct status embed(const struct cuda_forward *forward) {
    const struct cuda_weights *weights = forward->weights;
    const struct cuda_staged staged = cuda_room_staged(forward->room->staged, &forward->plan);
    const struct cuda_embed call = {
        .words = weights->words,
        .positions = weights->positions,
        .types = weights->types,
        .token_ids = staged.token_ids,
        .position_ids = staged.position_ids,
        .segment_ids = staged.segment_ids,
        .norm = norm_of(forward, weights->gamma, weights->beta, weights->layers[0].input_scale),
    };
    CUDA_TRY(cuda_embed(weights->number, &call, forward->stream));
    return status_ok();
}

static struct status attend(const struct cuda_forward *forward, int64_t layer) {
    const struct cuda_weights *weights = forward->weights;
    const struct bert_config *config = &weights->config;
    const struct cuda_attention call = {
        .query_key_value = forward->room->query_key_value,
        .numbers = weights->is_fp8 ? NULL : forward->room->context,
        .bytes = weights->is_fp8 ? forward->room->context : NULL,
        .byte_scale = weights->layers[layer].context_scale,
        .tiles = cuda_room_staged(forward->room->staged, &forward->plan).tiles,
        .tile_count = forward->plan.tile_count,
        .head_count = (int)config->head_count,
        .head_size = (int)(config->hidden_size / config->head_count),
    };
    CUDA_TRY(cuda_attention(weights->number, &call, forward->stream));
    return status_ok();
}

static struct status normalise(const struct cuda_forward *forward, const struct cuda_norm *norm) {
    const struct cuda_norm_rows call = {.rows = forward->room->y, .norm = *norm};
    CUDA_TRY(cuda_norm_rows(forward->weights->number, &call, forward->stream));
    return status_ok();
}

/* Those of few tokens are written to the host's memory, which takes less time than a copy. */
static float *spans_of(const struct cuda_forward *forward) {
    return forward->plan.tokens <= DIRECT_TOKENS ? forward->room->host_spans : forward->room->spans;
}

/* The last LayerNorm gives results, and nothing that a layer reads. */
static struct status finish(const struct cuda_forward *forward, const struct cuda_layer *layer) {
    const struct cuda_weights *weights = forward->weights;
    struct cuda_norm norm = norm_of(forward, layer->output_gamma, layer->output_beta, 1);
    norm.to = (struct cuda_row_target){.floats = forward->with_hidden ? forward->room->hidden : NULL};
    if (forward->with_spans) {
        norm.to.span = weights->span;
        norm.to.span_bias[0] = weights->span_bias[0];
        norm.to.span_bias[1] = weights->span_bias[1];
        norm.to.starts = spans_of(forward);
        norm.to.ends = spans_of(forward) + forward->plan.tokens;
    }
    return normalise(forward, &norm);
}

static struct status run_layer(const struct cuda_forward *forward, int64_t index) {
    const struct cuda_weights *weights = forward->weights;
    const struct cuda_layer *layer = &weights->layers[index];
    const bool is_last = index + 1 == weights->config.layer_count;
    const struct cuda_norm attention =
        norm_of(forward, layer->attention_gamma, layer->attention_beta, layer->attention_scale);
    STATUS_TRY(multiply(forward, CUDA_QUERY_KEY_VALUE, index));
    STATUS_TRY(attend(forward, index));
    STATUS_TRY(multiply(forward, CUDA_ATTENTION_OUTPUT, index));
    STATUS_TRY(normalise(forward, &attention));
    STATUS_TRY(multiply(forward, CUDA_INTERMEDIATE, index));
    STATUS_TRY(multiply(forward, CUDA_OUTPUT, index));
    if (is_last)
        return finish(forward, layer);
    const struct cuda_norm output = norm_of(forward, layer->output_gamma, layer->output_beta, layer[1].input_scale);
    return normalise(forward, &output);
}

struct status cuda_forward_run(const struct cuda_forward *forward) {
    struct cuda_room *room = forward->room;
    const size_t size = cuda_room_staged(room->staged, &forward->plan).size;
    CUDA_TRY(cudaMemcpyAsync(room->staged, room->host_staged, size, cudaMemcpyHostToDevice, forward->stream));
    STATUS_TRY(embed(forward));
    for (int64_t layer = 0; layer < forward->weights->config.layer_count; layer++)
        STATUS_TRY(run_layer(forward, layer));
    if (forward->with_spans && spans_of(forward) != room->host_spans)
        CUDA_TRY(cudaMemcpyAsync(room->host_spans, room->spans, 2 * (size_t)forward->plan.tokens * sizeof(float),
                                 cudaMemcpyDeviceToHost, forward->stream));
    return status_ok();
}
