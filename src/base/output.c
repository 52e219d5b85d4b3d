#include "base/output.h"

#include <stdlib.h>

/* Nothing goes behind a copy that failed: what is written must not have a hole. */
static bool may_lend(struct output *out, size_t size) {
    if (!out->gathers || size < OUTPUT_LENT_MIN || out->count == OUTPUT_PIECES_MAX || buf_failed(&out->copied))
        return false;
    if (!out->pieces)
        out->pieces = malloc(OUTPUT_PIECES_MAX * sizeof *out->pieces);
    return out->pieces;
}

void output_lend(struct output *out, struct slice bytes, struct output_owner *owner) {
    if (!owner || !may_lend(out, bytes.size)) {
        buf_append_slice(&out->copied, bytes);
        return;
    }
    owner->references++;
    out->pieces[out->count++] = (struct output_piece){bytes, out->copied.size, owner};
    out->lent += bytes.size;
}

static size_t add_part(struct iovec *parts, size_t count, struct slice bytes) {
    parts[count] = (struct iovec){(void *)(uintptr_t)bytes.data, bytes.size};
    return count + 1;
}

/* The copied bytes from one place to another, if there are any. */
static size_t add_copied(const struct output *out, struct iovec *parts, size_t count, size_t from, size_t to) {
    return from < to ? add_part(parts, count, (struct slice){out->copied.data + from, to - from}) : count;
}

size_t output_parts(const struct output *out, struct iovec *parts) {
    size_t count = 0, at = out->written;
    for (size_t i = out->first; i < out->count; i++) {
        const struct output_piece *piece = &out->pieces[i];
        count = add_copied(out, parts, count, at, piece->at);
        count = add_part(parts, count, piece->bytes);
        at = piece->at;
    }
    return add_copied(out, parts, count, at, out->copied.size);
}

static size_t at_most(size_t size, size_t bound) {
    return size < bound ? size : bound;
}

/* Passes up to n bytes of the first piece that is left, and lets go of it when it is written. */
static size_t pass_piece(struct output *out, size_t n) {
    struct output_piece *piece = &out->pieces[out->first];
    n = at_most(n, piece->bytes.size);
    piece->bytes.data += n;
    piece->bytes.size -= n;
    out->lent -= n;
    if (piece->bytes.size == 0) {
        out->first++;
        output_owner_unref(piece->owner);
    }
    return n;
}

void output_pass_parts(struct output *out, size_t n) {
    while (out->first < out->count && n > 0) {
        size_t before = at_most(n, out->pieces[out->first].at - out->written);
        out->written += before;
        n -= before;
        if (n > 0)
            n -= pass_piece(out, n);
    }
    out->written += n;
    if (output_size(out) == 0)
        out->copied.size = out->written = out->first = out->count = 0;
}

void output_drop_lent(struct output *out) {
    while (out->first < out->count)
        output_owner_unref(out->pieces[out->first++].owner);
    free(out->pieces);
    out->pieces = NULL;
    out->first = out->count = out->lent = 0;
}

void output_free(struct output *out) {
    output_drop_lent(out);
    buf_free(&out->copied);
    out->written = 0;
}
