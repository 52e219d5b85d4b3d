/* matrix_pack.h: turns rows of floats into the panels that kernels multiply by. */
#ifndef INFERD_ENGINE_MODEL_MATRIX_PACK_H
#define INFERD_ENGINE_MODEL_MATRIX_PACK_H

#include "engine/kernels/kernels.h"

/* The parts of a matrix while it is made: what kernel_matrix shows as const. Zeroed memory, sized by matrix_pack_plan.
 */
struct matrix_room {
    uint32_t *panels;
    float *bias, *column_scale, *column_sum; /* the last two for KERNEL_INT8 alone */
};

/* Sizes of the parts in bytes; 0 for what the format has not. */
struct matrix_sizes {
    size_t panels, vector, scales;
};
struct matrix_sizes matrix_pack_sizes(enum kernel_format format, size_t outputs, size_t inputs);

/* One output: its `inputs` weights, each multiplied by `factor`, into column `output` of the panels. */
void matrix_pack_output(const struct matrix_room *room, enum kernel_format format, size_t output, const float *weights,
                        size_t inputs, float factor);

#endif
