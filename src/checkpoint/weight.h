/* weight.h: a tensor inside a checkpoint file: a view of its bytes, and the way from any stored number format to float.
 *
 * Both checkpoint readers (safetensors.h, tensor_bundle.h) give sets of these; bert_checkpoint.h picks from them.
 * Owner: a view borrows from the reader that made it. Thread: immutable, any thread may read.
 */
#ifndef INFERD_CHECKPOINT_WEIGHT_H
#define INFERD_CHECKPOINT_WEIGHT_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoint files are little endian and are read in place");

/* Formats that a weight may be stored in; all else (integers, strings, ...) is WEIGHT_OTHER. */
enum weight_type { WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16, WEIGHT_OTHER };

enum { WEIGHT_RANK_MAX = 8, WEIGHT_SHAPE_TEXT_SIZE = 192 };

struct weight {
    struct slice name;
    enum weight_type type;
    const char *type_name; /* as the file calls it: "F16", "DT_INT64"; constant text */
    int rank;
    int64_t dims[WEIGHT_RANK_MAX]; /* each >= 0 */
    struct slice bytes;            /* row major, little endian, aligned for nothing */
};

/* Sorted by name (bytewise), each name once. */
struct weight_set {
    const struct weight *items;
    size_t count;
};

/* Puts tensors into a set's order. Returns one whose name another has too, or NULL. */
const struct weight *weight_sort(struct weight *items, size_t count);

/* NULL when the set has no such name. */
const struct weight *weight_find(const struct weight_set *set, struct slice name);

/* Bytes that one number takes; 0 for WEIGHT_OTHER. */
size_t weight_type_size(enum weight_type type);

/* The number of elements of a shape. False when a dimension is negative or the product passes INT64_MAX. */
bool weight_element_count(const int64_t *dims, int rank, int64_t *ret);

/* "[2, 384]" into text. */
void weight_shape_text(const int64_t *dims, int rank, char text[WEIGHT_SHAPE_TEXT_SIZE]);

/* Converts `count` stored numbers at `from` (aligned for nothing) to float, exactly. Not for WEIGHT_OTHER. */
void weight_to_float(enum weight_type type, const char *from, size_t count, float *ret);

#endif
