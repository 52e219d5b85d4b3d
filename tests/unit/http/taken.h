/* taken.h: takes what a session has to send, as a connection does whose transport gathers. */
#ifndef INFERD_TEST_HTTP_TAKEN_H
#define INFERD_TEST_HTTP_TAKEN_H

#include "base/session.h"

/* Appends the bytes, in order, that are not written yet. */
static inline void append_output(struct buf *to, const struct output *out) {
    struct iovec parts[OUTPUT_PARTS_MAX];
    size_t count = output_parts(out, parts);
    for (size_t i = 0; i < count; i++)
        buf_append(to, parts[i].iov_base, parts[i].iov_len);
    to->failed |= buf_failed(&out->copied);
}

/* Appends what it has to say, up to about `target` bytes. */
static inline struct status take_from(struct session *session, size_t target, struct buf *to) {
    struct output out = {.gathers = true};
    struct status status = session->ops->output(session, &out, target);
    append_output(to, &out);
    output_free(&out);
    return status;
}

#endif
