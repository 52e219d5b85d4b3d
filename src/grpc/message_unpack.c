#include "grpc/message_unpack.h"

static struct status status_of(const struct inflate_outcome *outcome, size_t size, size_t max_bytes) {
    switch (outcome->end) {
    case INFLATE_WHOLE:
        break;
    case INFLATE_CUT_SHORT:
    case INFLATE_BROKEN:
        return status_error(STATUS_INTERNAL, "a compressed message is broken");
    case INFLATE_FOLLOWED:
        return status_error(STATUS_INTERNAL, "a compressed message has %zu bytes behind its end", size - outcome->read);
    case INFLATE_TOO_LARGE:
        return status_error(STATUS_RESOURCE_EXHAUSTED, "received message larger than max (%zu when decompressed)",
                            max_bytes);
    case INFLATE_NO_ROOM:
        return status_error(STATUS_UNAVAILABLE, "no room for what a message unpacks to");
    case INFLATE_NO_MEMORY:
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to unpack a message");
    }
    return status_ok();
}

struct status message_unpack(enum grpc_encoding encoding, size_t max_bytes, struct inflate_gate gate,
                             struct buf *message) {
    struct buf packed = *message;
    if (packed.size == 0)
        return status_ok(); /* zlib's own clients leave an empty message empty */
    size_t size = packed.size;
    enum inflate_form form = encoding == GRPC_ENCODING_GZIP ? INFLATE_GZIP_MEMBERS : INFLATE_ZLIB;
    *message = BUF_EMPTY;
    struct inflate_outcome outcome = inflate_data(form, buf_slice(&packed), max_bytes, gate, message);
    buf_free(&packed);
    return status_of(&outcome, size, max_bytes);
}
