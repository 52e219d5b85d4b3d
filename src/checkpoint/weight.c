#include "checkpoint/weight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/half.h"

static int compare_names(struct slice a, struct slice b) {
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int order_by_name(const void *a, const void *b) {
    return compare_names(((const struct weight *)a)->name, ((const struct weight *)b)->name);
}

const struct weight *weight_sort(struct weight *items, size_t count) {
    if (count > 0)
        qsort(items, count, sizeof *items, order_by_name);
    for (size_t i = 1; i < count; i++)
        if (slice_equal(items[i - 1].name, items[i].name))
            return &items[i];
    return NULL;
}

const struct weight *weight_find(const struct weight_set *set, struct slice name) {
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(name, set->items[middle].name);
        if (order == 0)
            return &set->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

size_t weight_type_size(enum weight_type type) {
    static const size_t sizes[] = {[WEIGHT_F32] = 4, [WEIGHT_F16] = 2, [WEIGHT_BF16] = 2, [WEIGHT_OTHER] = 0};
    return sizes[type];
}

bool weight_element_count(const int64_t *dims, int rank, int64_t *ret) {
    int64_t count = 1;
    bool empty = false; /* with a 0 among them, the others must still not overflow */
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        empty = empty || dims[i] == 0;
        if (dims[i] > 0 && __builtin_mul_overflow(count, dims[i], &count))
            return false;
    }
    *ret = empty ? 0 : count;
    return true;
}

void weight_shape_text(const int64_t *dims, int rank, char text[WEIGHT_SHAPE_TEXT_SIZE]) {
    size_t used = 0;
    for (int i = 0; i < rank && used < WEIGHT_SHAPE_TEXT_SIZE; i++)
        used +=
            (size_t)snprintf(text + used, WEIGHT_SHAPE_TEXT_SIZE - used, "%s%lld", i ? ", " : "[", (long long)dims[i]);
    if (used < WEIGHT_SHAPE_TEXT_SIZE)
        snprintf(text + used, WEIGHT_SHAPE_TEXT_SIZE - used, "%s", rank ? "]" : "[]");
}

void weight_to_float(enum weight_type type, const char *from, size_t count, float *ret) {
    switch (type) {
    case WEIGHT_F32:
        memcpy(ret, from, count * sizeof *ret);
        break;
    case WEIGHT_F16:
        half_to_floats(from, count, ret);
        break;
    case WEIGHT_BF16:
        bfloat16_to_floats(from, count, ret);
        break;
    case WEIGHT_OTHER: /* refused when the checkpoint was read */
        break;
    }
}
