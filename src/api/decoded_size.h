/* decoded_size.h: the bound of what a request may take once it is decoded. Thread: none of its own. */
#ifndef INFERD_API_DECODED_SIZE_H
#define INFERD_API_DECODED_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* Honest requests of any form need less than so many times their bytes: the widest growth is that of one-byte varints
 * into 64-bit integers, in arrays with room to spare. And a little for the small ones. */
enum { DECODED_SIZE_FACTOR = 16, DECODED_SIZE_BASE = 1 << 20 };

static inline size_t decoded_size_max(size_t body_size) {
    size_t limit;
    if (__builtin_mul_overflow(body_size, DECODED_SIZE_FACTOR, &limit) ||
        __builtin_add_overflow(limit, DECODED_SIZE_BASE, &limit))
        return SIZE_MAX;
    return limit;
}

#endif
