#include "grpc/message_unpack.h"

#include <zlib.h>

enum { STEP_FIRST = 16 << 10, STEP_MAX = 1 << 20, WINDOW_ZLIB = 15, WINDOW_GZIP = 15 + 16 };

/* As much again as there is, within bounds, and not beyond what is left. */
static size_t step_of(size_t done, size_t left) {
    size_t step = done < STEP_FIRST ? STEP_FIRST : done;
    if (step > STEP_MAX)
        step = STEP_MAX;
    return step < left ? step : left;
}

/* Inflates into `out`, at most max bytes. */
static struct status inflate_into(z_stream *z, size_t max, struct message_gate gate, struct buf *out) {
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        /* One byte beyond the limit tells a message that is too large from one that just fits. */
        size_t room = step_of(out->size, max - out->size) + 1;
        if (gate.take && !gate.take(gate.user, room))
            return status_error(STATUS_UNAVAILABLE, "no room for what a message unpacks to");
        if (!buf_reserve(out, room))
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a message");
        z->next_out = (Bytef *)out->data + out->size;
        z->avail_out = (uInt)room;
        result = inflate(z, Z_NO_FLUSH);
        out->size += room - z->avail_out;
        if (out->size > max)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "received message larger than max (%zu when decompressed)",
                                max);
        bool ended_early = z->avail_in == 0 && z->avail_out > 0;
        if (result != Z_STREAM_END && (result != Z_OK || ended_early))
            return status_error(STATUS_INTERNAL, "a compressed message is broken");
    }
    if (z->avail_in > 0)
        return status_error(STATUS_INTERNAL, "a compressed message has %u bytes behind its end", z->avail_in);
    return status_ok();
}

struct status message_unpack(enum grpc_encoding encoding, size_t max_bytes, struct message_gate gate,
                             struct buf *message) {
    struct buf packed = *message, unpacked = BUF_EMPTY;
    z_stream z = {.next_in = (Bytef *)packed.data, .avail_in = (uInt)packed.size};
    if (packed.size == 0)
        return status_ok(); /* zlib's own clients leave an empty message empty */
    *message = BUF_EMPTY;
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to unpack a message");
    if (inflateInit2(&z, encoding == GRPC_ENCODING_GZIP ? WINDOW_GZIP : WINDOW_ZLIB) == Z_OK) {
        status = inflate_into(&z, max_bytes, gate, &unpacked);
        inflateEnd(&z);
    }
    buf_free(&packed);
    if (status_is_ok(&status))
        *message = unpacked;
    else
        buf_free(&unpacked);
    return status;
}
