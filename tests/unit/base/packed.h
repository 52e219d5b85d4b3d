/* Compressed data, for tests. */
#ifndef INFERD_TEST_BASE_PACKED_H
#define INFERD_TEST_BASE_PACKED_H

#include <zlib.h>

#include "base/buf.h"

/* window_bits 15: zlib ("deflate"), 31: gzip. */
static inline struct buf pack(struct slice text, int window_bits) {
    struct buf packed = BUF_EMPTY;
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text.data, .avail_in = (uInt)text.size};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, (uLong)text.size);
    z.next_out = (Bytef *)buf_reserve(&packed, bound);
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed.size = z.total_out;
    deflateEnd(&z);
    return packed;
}

/* The most that so few bytes can be: nothing but zeros. */
static inline struct buf pack_zeros(size_t size, int window_bits) {
    char *zeros = calloc(1, size + 1);
    assert_non_null(zeros);
    struct buf packed = pack((struct slice){zeros, size}, window_bits);
    free(zeros);
    return packed;
}

#endif
