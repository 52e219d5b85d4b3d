/* operands.h: random rows and matrices for the tests of kernels. */
#ifndef INFERD_TESTS_ENGINE_OPERANDS_H
#define INFERD_TESTS_ENGINE_OPERANDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kernels/bfloat16.h"
#include "engine/kernels/kernels.h"
#include "engine/model/block_memory.h"
#include "engine/model/matrix_pack.h"

/* A small generator of its own, so that every run sees the same numbers. */
struct random {
    uint64_t state;
};
static inline uint32_t random_bits(struct random *random) {
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->state >> 33);
}
static inline float random_float(struct random *random, float scale) {
    return ((float)(random_bits(random) % 20001) / 10000 - 1) * scale;
}
static inline float *random_floats(struct random *random, size_t count, float scale) {
    float *floats = calloc(count + 64, sizeof *floats);
    assert_non_null(floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = random_float(random, scale);
    return floats;
}

static inline struct kernel_rows rows_create(enum kernel_format format, size_t rows, size_t columns) {
    struct kernel_rows made = {.format = format, .stride = block_stride(kernel_word_count(format, columns) * 4)};
    made.data = aligned_alloc(64, made.stride * rows);
    made.quant = calloc(rows, sizeof *made.quant);
    assert_non_null(made.data);
    assert_non_null(made.quant);
    memset(made.data, 0, made.stride * rows);
    return made;
}
static inline void rows_free(struct kernel_rows *rows) {
    free(rows->data);
    free(rows->quant);
}
static inline float rows_number(const struct kernel_rows *rows, size_t row, size_t column) {
    const char *at = kernel_row(rows, row);
    if (rows->format == KERNEL_INT8)
        return rows->quant[row].scale * ((float)((const uint8_t *)at)[column] - rows->quant[row].zero);
    return rows->format == KERNEL_BF16 ? bfloat16_widen(((const uint16_t *)(const void *)at)[column])
                                       : ((const float *)(const void *)at)[column];
}
static inline struct kernel_rows rows_random(struct random *random, enum kernel_format format, size_t rows,
                                             size_t columns, float scale) {
    struct kernel_rows made = rows_create(format, rows, columns);
    for (size_t row = 0; row < rows; row++) {
        char *at = kernel_row(&made, row);
        made.quant[row] = (struct kernel_quant){scale / 128, (float)(random_bits(random) % 256)};
        for (size_t i = 0; i < columns; i++) {
            if (format == KERNEL_INT8)
                at[i] = (char)random_bits(random);
            else if (format == KERNEL_BF16)
                ((uint16_t *)(void *)at)[i] = bfloat16_round(random_float(random, scale));
            else
                ((float *)(void *)at)[i] = random_float(random, scale);
        }
    }
    return made;
}

struct matrix {
    struct kernel_matrix matrix;
    struct matrix_room room;
};
static inline struct matrix matrix_random(struct random *random, enum kernel_format format, size_t outputs,
                                          size_t inputs) {
    struct matrix_sizes sizes = matrix_pack_sizes(format, outputs, inputs);
    struct matrix made = {.room = {.panels = aligned_alloc(64, sizes.panels)}};
    made.room.bias = random_floats(random, sizes.vector / sizeof(float), 1);
    made.room.column_scale = random_floats(random, sizes.vector / sizeof(float), 1);
    made.room.column_sum = random_floats(random, sizes.vector / sizeof(float), 1);
    memset(made.room.panels, 0, sizes.panels);
    for (size_t output = 0; output < outputs; output++) {
        float *weights = random_floats(random, inputs, 0.1f);
        matrix_pack_output(&made.room, format, output, weights, inputs, 1);
        free(weights);
    }
    made.matrix = (struct kernel_matrix){
        made.room.panels,    kernel_word_count(format, inputs), outputs, format, made.room.bias, made.room.column_scale,
        made.room.column_sum};
    return made;
}
static inline void matrix_free(struct matrix *matrix) {
    free(matrix->room.panels);
    free(matrix->room.bias);
    free(matrix->room.column_scale);
    free(matrix->room.column_sum);
}

#endif
