/* random_checkpoint.h: the numbers of an untrained model, for benchmarks of shapes: the same ones for a seed,
 * everywhere.
 *
 * Each number is a function of seed, tensor and position, so tensors of any size are made piece by piece and in any
 * order.
 */
#ifndef INFERD_CHECKPOINT_RANDOM_CHECKPOINT_H
#define INFERD_CHECKPOINT_RANDOM_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* The key of one tensor's numbers. */
uint64_t random_checkpoint_key(uint64_t seed, struct slice tensor_name);
/* Numbers first .. first + count - 1 of that tensor: bell-shaped, mean 0, standard deviation 0.02 (BERT's
 * initializer_range), none beyond +-0.07. */
void random_checkpoint_fill(uint64_t key, uint64_t first, size_t count, float *ret);

#endif
