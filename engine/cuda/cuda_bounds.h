/* cuda_bounds.h: how large the numbers of a BERT can become, whatever it is given; from its weights alone
 * (cuda_weights.h says how). Thread: one at a time. */
#ifndef INFERD_ENGINE_CUDA_CUDA_BOUNDS_H
#define INFERD_ENGINE_CUDA_CUDA_BOUNDS_H

#include "checkpoint/bert_checkpoint.h"

struct cuda_bounds;

/* The checkpoint is borrowed. RESOURCE_EXHAUSTED. */
struct status cuda_bounds_create(const struct bert_checkpoint *checkpoint, struct cuda_bounds **ret) STATUS_MUST_CHECK;
void cuda_bounds_destroy(struct cuda_bounds *bounds); /* accepts NULL */

/* The largest magnitude among a weight's numbers. */
float cuda_bounds_largest(struct cuda_bounds *bounds, enum bert_part part, int64_t layer);
/* Of what layer `layer` reads, of its attention's values, of what follows its attention's LayerNorm, and of what GELU
 * gives. */
float cuda_bounds_input(struct cuda_bounds *bounds, int64_t layer);
float cuda_bounds_values(struct cuda_bounds *bounds, int64_t layer);
float cuda_bounds_attention(struct cuda_bounds *bounds, int64_t layer);
float cuda_bounds_intermediate(struct cuda_bounds *bounds, int64_t layer);

/* What numbers up to `largest` are multiplied by to fill the range of fp8, E4M3. */
float cuda_bounds_scale(float largest);

#endif
