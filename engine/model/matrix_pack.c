#include "engine/model/matrix_pack.h"

#include <math.h>

#include "engine/kernels/bfloat16.h"

struct matrix_sizes matrix_pack_sizes(enum kernel_format format, size_t outputs, size_t inputs) {
    size_t vector = kernel_panel_count(outputs) * KERNEL_PANEL * sizeof(float);
    return (struct matrix_sizes){
        .panels = kernel_panels_size(outputs, kernel_word_count(format, inputs)),
        .vector = vector,
        .scales = format == KERNEL_INT8 ? vector : 0,
    };
}

/* What one word of a column holds: up to 4 numbers from `weights`. */
static uint32_t word_of(enum kernel_format format, const float *weights, size_t count, float factor, float *sum) {
    uint32_t word = 0;
    float number = weights[0] * factor;
    if (format == KERNEL_F32)
        memcpy(&word, &number, sizeof word);
    for (size_t i = 0; format == KERNEL_BF16 && i < count && i < 2; i++)
        word |= (uint32_t)bfloat16_round(weights[i] * factor) << (16 * i);
    for (size_t i = 0; format == KERNEL_INT8 && i < count && i < 4; i++) {
        float whole = fmaxf(fminf(rintf(weights[i] * factor), 127), -127);
        *sum += whole;
        word |= (uint32_t)(uint8_t)(int8_t)whole << (8 * i);
    }
    return word;
}

static float largest(const float *weights, size_t count) {
    float most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(weights[i]));
    return most;
}

void matrix_pack_output(const struct matrix_room *room, enum kernel_format format, size_t output, const float *weights,
                        size_t inputs, float factor) {
    size_t words = kernel_word_count(format, inputs), per_word = format == KERNEL_INT8   ? 4
                                                                 : format == KERNEL_BF16 ? 2
                                                                                         : 1;
    uint32_t *column = room->panels + output / KERNEL_PANEL * words * KERNEL_PANEL + output % KERNEL_PANEL;
    float sum = 0;
    if (format == KERNEL_INT8) {
        float most = largest(weights, inputs);
        room->column_scale[output] = factor * most / 127;
        factor = most > 0 ? 127 / most : 0;
    }
    for (size_t k = 0; k < words; k++)
        column[k * KERNEL_PANEL] = word_of(format, weights + k * per_word, inputs - k * per_word, factor, &sum);
    if (format == KERNEL_INT8)
        room->column_sum[output] = sum;
}
