#include "engine/model/heads.h"

#include <math.h>
#include <string.h>

/* The mean over a sequence's rows, added up row by row. */
static void take_mean(const struct kernel_rows *x, uint32_t begin, uint32_t end, size_t columns, float *mean) {
    memset(mean, 0, columns * sizeof *mean);
    for (uint32_t at = begin; at < end; at++) {
        const float *row = kernel_row(x, at);
        for (size_t i = 0; i < columns; i++)
            mean[i] += row[i];
    }
    for (size_t i = 0; i < columns; i++)
        mean[i] /= (float)(end - begin);
}

static void copy_rows(const struct kernel_rows *from, size_t rows, size_t columns, float *to) {
    for (size_t row = 0; row < rows; row++)
        memcpy(to + row * columns, kernel_row(from, row), columns * sizeof *to);
}

/* Pooler and classifier for sequences first .. first + count - 1, as many as there is room for. */
static void pool(const struct forward *forward, size_t first, size_t count) {
    const struct model_weights *weights = forward->weights;
    const struct bert_results *results = forward->results;
    const struct head_room *room = &forward->room->heads;
    size_t columns = (size_t)weights->config.hidden_size, labels = (size_t)weights->config.label_count;
    for (size_t i = 0; i < count; i++)
        memcpy(kernel_row(&room->firsts, i), kernel_row(&forward->room->x, forward->batch->offsets[first + i]),
               columns * sizeof(float));
    const struct kernel_gemm pooler = {.a = room->firsts, .b = &weights->pooler, .c = room->pooled, .rows = count};
    forward->kernels->gemm[KERNEL_F32](&pooler);
    for (size_t i = 0; i < count; i++) {
        float *row = kernel_row(&room->pooled, i);
        for (size_t k = 0; k < columns; k++)
            row[k] = tanhf(row[k]);
    }
    if (results->pooled)
        copy_rows(&room->pooled, count, columns, results->pooled + first * columns);
    if (!results->labels)
        return;
    const struct kernel_gemm classifier = {
        .a = room->pooled, .b = &weights->classifier, .c = room->labels, .rows = count};
    forward->kernels->gemm[KERNEL_F32](&classifier);
    copy_rows(&room->labels, count, labels, results->labels + first * labels);
}

void heads_run(const struct forward *forward) {
    const struct bert_results *results = forward->results;
    const struct bert_batch *batch = forward->batch;
    size_t columns = (size_t)forward->weights->config.hidden_size, sequences = batch->sequence_count;
    for (size_t i = 0; i < sequences; i++) {
        uint32_t begin = batch->offsets[i], end = batch->offsets[i + 1];
        if (results->first)
            memcpy(results->first + i * columns, kernel_row(&forward->room->x, begin), columns * sizeof(float));
        if (results->mean)
            take_mean(&forward->room->x, begin, end, columns, results->mean + i * columns);
    }
    if (!results->pooled && !results->labels)
        return;
    for (size_t first = 0; first < sequences; first += ROW_BLOCK)
        pool(forward, first, sequences - first < ROW_BLOCK ? sequences - first : ROW_BLOCK);
}
