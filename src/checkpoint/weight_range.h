/* weight_range.h: how large the numbers of a stored tensor are, and whether all of them are numbers.
 *
 * One pass over the bytes as they are stored, several numbers at a time: a checkpoint is looked through about as fast
 * as memory is read. Thread: any. Source: IEEE 754-2019, section 3.4: without its sign, a number's bits as an integer
 * are the larger the larger the number is, and those of infinity and NaN are above all finite ones.
 */
#ifndef INFERD_CHECKPOINT_WEIGHT_RANGE_H
#define INFERD_CHECKPOINT_WEIGHT_RANGE_H

#include "checkpoint/weight.h"

/* The largest magnitude of `count` stored numbers at `from` (aligned for nothing); infinity when one of them is
 * infinite or NaN, 0 for no numbers. Not for WEIGHT_OTHER. */
float weight_largest(enum weight_type type, const char *from, size_t count);

/* The position of the first number that is infinite or NaN; `count` when there is none. Not for WEIGHT_OTHER. */
size_t weight_first_not_finite(enum weight_type type, const char *from, size_t count);

#endif
