#include "engine/model/forward.h"

#include <string.h>

#include "engine/thread_pool.h"

/* ---- pieces of a row block ---- */

static void gemm(const struct forward *forward, struct kernel_gemm call) {
    forward->kernels->gemm[call.b->format](&call);
}

/* x as the next GEMM reads it: itself in float, else the block's copy. */
static struct kernel_rows next_input(const struct kernel_rows *x, const struct worker_room *room) {
    return room->input.format == KERNEL_F32 ? *x : room->input;
}

static void normalise(const struct forward *forward, const struct kernel_rows *x, size_t rows, const float *gamma,
                      const float *beta, struct worker_room *room) {
    struct kernel_norm norm = {
        .x = x->data,
        .x_stride = x->stride,
        .gamma = gamma,
        .beta = beta,
        .rows = rows,
        .columns = (size_t)forward->weights->config.hidden_size,
        .epsilon = (float)forward->weights->config.layer_norm_eps,
    };
    if (room->input.format != KERNEL_F32)
        norm.copy = room->input;
    forward->kernels->layer_norm(&norm);
}

static void project(const struct forward *forward, int64_t layer, const struct kernel_rows *x, size_t first,
                    size_t rows, const struct worker_room *room) {
    const struct layer_weights *weights = &forward->weights->layers[layer];
    gemm(forward, (struct kernel_gemm){
                      .a = next_input(x, room),
                      .b = &weights->query_key_value,
                      .c = kernel_rows_from(&forward->room->query_key_value, first),
                      .rows = rows,
                      .next = weights->attention.panels,
                  });
}

static void feed_forward(const struct forward *forward, const struct layer_weights *layer, const struct kernel_rows *x,
                         size_t rows, struct worker_room *room) {
    const struct bert_config *config = &forward->weights->config;
    const bool is_last = forward->layer + 1 == config->layer_count;
    struct kernel_rows input = room->intermediate;
    gemm(forward, (struct kernel_gemm){
                      .a = next_input(x, room),
                      .b = &layer->intermediate,
                      .c = room->intermediate,
                      .rows = rows,
                      .epilogue = config->activation == BERT_GELU_ERF ? KERNEL_GELU_ERF : KERNEL_GELU_TANH,
                      .next = layer->output.panels,
                  });
    if (layer->output.format == KERNEL_INT8) {
        forward->kernels->quantise(&input, &room->quantised, rows, (size_t)config->intermediate_size);
        input = room->quantised;
    }
    gemm(forward, (struct kernel_gemm){
                      .a = input,
                      .b = &layer->output,
                      .c = *x,
                      .rows = rows,
                      .epilogue = KERNEL_ADD,
                      .next = is_last ? NULL : layer[1].query_key_value.panels,
                  });
}

/* ---- rows ---- */

static void embed_row(const struct forward *forward, size_t token, float *x) {
    const struct model_weights *weights = forward->weights;
    size_t columns = (size_t)weights->config.hidden_size;
    const int32_t *segments = forward->batch->segment_ids;
    const float *position = weights->positions + (size_t)forward->positions[token] * columns;
    const float *type = weights->types + (segments ? (size_t)segments[token] : 0) * columns;
    model_weights_word(weights, forward->batch->token_ids[token], x);
    for (size_t i = 0; i < columns; i++)
        x[i] += position[i] + type[i];
}

void forward_embed(struct forward *forward, size_t first, size_t count, struct worker_room *room) {
    struct kernel_rows x = kernel_rows_from(&forward->room->x, first);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count)
            model_weights_fetch_word(forward->weights, forward->batch->token_ids[first + i + 1]);
        embed_row(forward, first + i, kernel_row(&x, i));
    }
    normalise(forward, &x, count, forward->weights->gamma, forward->weights->beta, room);
    project(forward, 0, &x, first, count, room);
}

/* The last layer's rows are results. */
static void finish(const struct forward *forward, const struct kernel_rows *x, size_t first, size_t count) {
    const struct bert_results *results = forward->results;
    const struct model_weights *weights = forward->weights;
    size_t columns = (size_t)weights->config.hidden_size;
    if (results->starts)
        forward->kernels->span(x->data, x->stride, count, columns, weights->span, weights->span_bias,
                               results->starts + first, results->ends + first);
    for (size_t i = 0; results->hidden && i < count; i++)
        memcpy(results->hidden + (first + i) * columns, kernel_row(x, i), columns * sizeof(float));
}

void forward_layer(struct forward *forward, size_t first, size_t count, struct worker_room *room) {
    const struct layer_weights *layer = &forward->weights->layers[forward->layer];
    struct kernel_rows x = kernel_rows_from(&forward->room->x, first);
    struct kernel_rows context = kernel_rows_from(&forward->room->context, first);
    if (layer->attention.format == KERNEL_INT8) {
        forward->kernels->quantise(&context, &room->input, count, (size_t)forward->weights->config.hidden_size);
        context = room->input;
    }
    gemm(forward, (struct kernel_gemm){
                      .a = context,
                      .b = &layer->attention,
                      .c = x,
                      .rows = count,
                      .epilogue = KERNEL_ADD,
                      .next = layer->intermediate.panels,
                  });
    normalise(forward, &x, count, layer->attention_gamma, layer->attention_beta, room);
    feed_forward(forward, layer, &x, count, room);
    normalise(forward, &x, count, layer->output_gamma, layer->output_beta, room);
    if (forward->layer + 1 < forward->weights->config.layer_count)
        project(forward, forward->layer + 1, &x, first, count, room);
    else
        finish(forward, &x, first, count);
}

/* ---- attention ---- */

/* Columns of rows: part of the heads' side-by-side numbers. */
static struct kernel_rows columns_from(const struct kernel_rows *rows, size_t column) {
    struct kernel_rows part = *rows;
    part.data = (char *)rows->data + column * (rows->format == KERNEL_BF16 ? sizeof(uint16_t) : sizeof(float));
    return part;
}

struct head {
    struct kernel_rows queries, context; /* [L][D] */
    struct kernel_matrix keys, values;
    size_t length, width; /* L, D */
};

static void attend(const struct forward *forward, const struct head *head, size_t first, struct worker_room *room) {
    size_t rows = head->length - first < QUERY_BLOCK ? head->length - first : QUERY_BLOCK;
    struct kernel_rows queries = kernel_rows_from(&head->queries, first);
    if (head->keys.format == KERNEL_INT8) {
        forward->kernels->quantise(&queries, &room->queries, rows, head->width);
        queries = room->queries;
    }
    gemm(forward, (struct kernel_gemm){
                      .a = queries,
                      .b = &head->keys,
                      .c = room->scores,
                      .rows = rows,
                  });
    const struct kernel_softmax softmax = {
        .scores = room->scores.data,
        .scores_stride = room->scores.stride,
        .weights = room->weights,
        .inverse_sums = room->inverse_sums,
        .rows = rows,
        .columns = head->length,
    };
    forward->kernels->softmax(&softmax);
    gemm(forward, (struct kernel_gemm){
                      .a = room->weights,
                      .b = &head->values,
                      .c = kernel_rows_from(&head->context, first),
                      .rows = rows,
                      .epilogue = KERNEL_SCALE,
                      .row_scale = room->inverse_sums,
                  });
}

void forward_attention(struct forward *forward, size_t sequence, size_t head_index, struct worker_room *room) {
    const struct bert_config *config = &forward->weights->config;
    const uint32_t *offsets = forward->batch->offsets;
    size_t hidden = (size_t)config->hidden_size, width = hidden / (size_t)config->head_count;
    size_t length = offsets[sequence + 1] - offsets[sequence], column = head_index * width;
    struct kernel_rows projected = kernel_rows_from(&forward->room->query_key_value, offsets[sequence]);
    struct kernel_rows context = kernel_rows_from(&forward->room->context, offsets[sequence]);
    enum kernel_format format = room->queries.format, weights = room->weights.format;
    const struct kernel_pack keys = {
        .from = columns_from(&projected, hidden + column),
        .rows = length,
        .columns = width,
        .panels = room->keys,
        .column_scale = room->key_scales,
        .column_sum = room->key_sums,
    };
    const struct kernel_pack values = {
        .from = columns_from(&projected, 2 * hidden + column),
        .rows = length,
        .columns = width,
        .panels = room->values,
        .column_scale = weights == KERNEL_INT8 ? room->value_scales : NULL,
    };
    forward->kernels->pack_outputs(&keys);
    forward->kernels->pack_inputs(&values);
    const struct head head = {
        .queries = columns_from(&projected, column),
        .context = columns_from(&context, column),
        .keys = {.panels = room->keys,
                 .words = kernel_word_count(format, width),
                 .columns = length,
                 .format = format,
                 .column_scale = keys.column_scale,
                 .column_sum = keys.column_sum},
        .values = {.panels = room->values,
                   .words = kernel_word_count(weights, length),
                   .columns = width,
                   .format = weights,
                   .column_scale = values.column_scale},
        .length = length,
        .width = width,
    };
    for (size_t first = 0; first < length; first += QUERY_BLOCK)
        attend(forward, &head, first, room);
}

/* ---- the batch ---- */

static size_t block_count(const struct forward *forward) {
    return (forward->tokens + forward->block_rows - 1) / forward->block_rows;
}

static size_t block_size(const struct forward *forward, size_t block) {
    size_t left = forward->tokens - block * forward->block_rows;
    return left < forward->block_rows ? left : forward->block_rows;
}

static void embed_item(void *job, size_t item, int worker) {
    struct forward *forward = job;
    forward_embed(forward, item * forward->block_rows, block_size(forward, item), &forward->room->workers[worker]);
}

static void layer_item(void *job, size_t item, int worker) {
    struct forward *forward = job;
    forward_layer(forward, item * forward->block_rows, block_size(forward, item), &forward->room->workers[worker]);
}

static void attention_item(void *job, size_t item, int worker) {
    struct forward *forward = job;
    size_t heads = (size_t)forward->weights->config.head_count;
    forward_attention(forward, item / heads, item % heads, &forward->room->workers[worker]);
}

size_t forward_block_rows(size_t tokens, size_t threads) {
    size_t rounds = (tokens + threads * ROW_BLOCK - 1) / (threads * ROW_BLOCK), blocks = rounds * threads;
    return (tokens + blocks - 1) / blocks;
}

void forward_run(struct forward *forward, struct bert_pool *pool) {
    size_t heads = (size_t)forward->weights->config.head_count;
    forward->block_rows = forward_block_rows(forward->tokens, (size_t)bert_pool_threads(pool));
    thread_pool_run(pool, embed_item, forward, block_count(forward));
    for (forward->layer = 0; forward->layer < forward->weights->config.layer_count; forward->layer++) {
        thread_pool_run(pool, attention_item, forward, forward->batch->sequence_count * heads);
        thread_pool_run(pool, layer_item, forward, block_count(forward));
    }
}
