/* fuzz_output.h: writes what a session has handed out, as a connection does. */
#ifndef INFERD_FUZZ_FUZZ_OUTPUT_H
#define INFERD_FUZZ_FUZZ_OUTPUT_H

#include "base/output.h"

/* To the end of `to`; in two writes, the first of which ends anywhere. */
static inline void fuzz_write_output(struct output *out, struct buf *to) {
    struct iovec parts[OUTPUT_PARTS_MAX];
    for (size_t first = output_size(out) * 5 / 7; output_size(out) > 0; first = output_size(out)) {
        size_t count = output_parts(out, parts), left = first > 0 ? first : output_size(out), n = left;
        for (size_t i = 0; i < count && left > 0; i++) {
            size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
            buf_append(to, parts[i].iov_base, size);
            left -= size;
        }
        output_pass(out, n);
    }
}

#endif
