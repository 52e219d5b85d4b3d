#include "codec/shape_text.h"

#include <inttypes.h>
#include <stdio.h>

void shape_text(const int64_t *shape, int rank, char *text, size_t size) {
    size_t used = 0;
    for (int i = 0; i < rank && used < size; i++) {
        int n = snprintf(text + used, size - used, "%c%" PRId64, i ? ',' : '[', shape[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size)
        snprintf(text + used, size - used, rank > 0 ? "]" : "[]");
}
