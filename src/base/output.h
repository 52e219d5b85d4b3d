/* output.h: what a session has for its connection to write: bytes that are copied in and, in their order between them,
 * pieces of memory that somebody else owns, which are written from where they lie.
 *
 * Whoever appends to `copied` appends to the end of the output. Thread: one owner at a time; owners of lent memory
 * belong to the same thread. */
#ifndef INFERD_BASE_OUTPUT_H
#define INFERD_BASE_OUTPUT_H

#include <sys/uio.h>

#include "base/buf.h"

enum {
    OUTPUT_LENT_MIN = 8 << 10,   /* bytes; below, a copy costs less than a part of its own */
    OUTPUT_LENT_MAX = 256 << 10, /* bytes lent at one time */
    OUTPUT_PIECES_MAX = 64,      /* in so many pieces; what comes behind them is copied */
    OUTPUT_PARTS_MAX = 2 * OUTPUT_PIECES_MAX + 1
};

/* Of memory that is lent: embedded in what knows how to let go of it. */
struct output_owner {
    size_t references;
    void (*release)(struct output_owner *owner); /* the last reference is gone */
};

struct output_piece {
    struct slice bytes; /* not written yet */
    size_t at;          /* bytes of `copied` that go before it */
    struct output_owner *owner;
};

struct output {
    struct buf copied;
    size_t written;              /* of those */
    struct output_piece *pieces; /* room for OUTPUT_PIECES_MAX; NULL while there were none */
    size_t first, count;         /* pieces before `first` are written */
    size_t lent;                 /* bytes of the others */
    bool gathers;                /* set by who writes: many parts cost one write; without it everything is copied */
};

static inline void output_owner_unref(struct output_owner *owner) {
    if (--owner->references == 0)
        owner->release(owner);
}

/* Bytes that are not written yet. */
static inline size_t output_size(const struct output *out) {
    return out->copied.size - out->written + out->lent;
}

/* How many more bytes a session may append, which is full (0) when it has copied `target` bytes or lent as many as may
 * be. */
static inline size_t output_room(const struct output *out, size_t target) {
    if (out->copied.size >= target || out->lent >= OUTPUT_LENT_MAX)
        return 0;
    size_t copied = target - out->copied.size, lent = OUTPUT_LENT_MAX - out->lent;
    return copied < lent || out->lent == 0 ? copied : lent;
}

/* Appends bytes of memory that `owner` keeps (with a reference more until they are written) or, where that is not worth
 * while or owner is NULL, a copy of them. Memory that is short shows in `copied`. */
void output_lend(struct output *out, struct slice bytes, struct output_owner *owner);
/* The parts that are to be written, in order: up to OUTPUT_PARTS_MAX. Returns how many. */
size_t output_parts(const struct output *out, struct iovec *parts);
/* The first n bytes of them are written. When that was all, the output is as if it were new, but for its memory. */
void output_pass_parts(struct output *out, size_t n);
/* The same for where there often is one part, written at once. */
static inline void output_pass(struct output *out, size_t n) {
    if (out->count == 0 && n == out->copied.size)
        out->copied.size = out->written = 0;
    else
        output_pass_parts(out, n);
}
/* Lets go of all that is lent, written or not, and of the memory for that; what is copied stays. For the end. */
void output_drop_lent(struct output *out);
void output_free(struct output *out);

#endif
