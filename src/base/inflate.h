/* inflate.h: what data of the gzip or the zlib form unpack to, step by step within a bound. Who calls it tells of its
 * ends in the words of his own clients.
 *
 * Source: RFC 1950, 1951 and 1952. Thread: any. */
#ifndef INFERD_BASE_INFLATE_H
#define INFERD_BASE_INFLATE_H

#include "base/buf.h"

enum inflate_form {
    INFLATE_ZLIB,
    INFLATE_GZIP,        /* one member */
    INFLATE_GZIP_MEMBERS /* one or more, one behind the other (RFC 1952, section 2.2) */
};

enum {
    INFLATE_FACTOR = 1032,     /* most bytes that deflate makes of one */
    INFLATE_STEP_MAX = 1 << 20 /* of one step, and a byte more */
};

/* Asked before each step whether it may take so many bytes more. */
struct inflate_gate {
    bool (*take)(void *user, size_t bytes); /* NULL: it always may */
    void *user;
};

enum inflate_end {
    INFLATE_WHOLE,
    INFLATE_CUT_SHORT, /* the data end early */
    INFLATE_BROKEN,
    INFLATE_FOLLOWED, /* by more than the form has */
    INFLATE_TOO_LARGE,
    INFLATE_NO_ROOM, /* the gate was closed */
    INFLATE_NO_MEMORY
};

struct inflate_outcome {
    enum inflate_end end;
    size_t read;        /* bytes of the data: where they are broken, or what more follows */
    const char *reason; /* why they are broken; static */
};

/* Appends to `ret`, which is empty, what the data unpack to: at most max_bytes, of memory that grows with what comes of
 * them. With any other end than INFLATE_WHOLE it is empty again. */
struct inflate_outcome inflate_data(enum inflate_form form, struct slice data, size_t max_bytes,
                                    struct inflate_gate gate, struct buf *ret);

#endif
