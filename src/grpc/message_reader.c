#include "grpc/message_reader.h"

#include <string.h>
#include <zlib.h>

enum {
    FIRST_RESERVE = 2 << 20, /* memory for a message that has hardly begun */
    UNPACK_FIRST = 16 << 10,
    FLAG_COMPRESSED = 1
};

static struct status too_large(size_t size, size_t max) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "received message larger than max (%zu vs. %zu)", size, max);
}

static struct status parse_prefix(struct message_reader *reader) {
    const unsigned char *prefix = reader->prefix;
    if (prefix[0] > FLAG_COMPRESSED)
        return status_error(STATUS_INTERNAL, "a message begins with flag byte %u; only 0 and 1 are defined", prefix[0]);
    if (prefix[0] == FLAG_COMPRESSED && reader->encoding == GRPC_ENCODING_IDENTITY)
        return status_error(STATUS_INTERNAL,
                            "a message is flagged as compressed but grpc-encoding names no compression");
    reader->wanted = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | (size_t)prefix[4];
    return reader->wanted > reader->max_bytes ? too_large(reader->wanted, reader->max_bytes) : status_ok();
}

/* Appends to the message, with room for the rest of it but never for more than twice of what has come. */
static void append(struct message_reader *reader, const char *data, size_t n) {
    struct buf *message = &reader->message;
    if (message->capacity - message->size < n) {
        size_t room = message->size * 2 > FIRST_RESERVE ? message->size * 2 : FIRST_RESERVE;
        if (room > reader->wanted)
            room = reader->wanted;
        if (room > message->size + n)
            buf_reserve(message, room - message->size);
    }
    buf_append(message, data, n);
}

/* Inflates `packed` into `out`, at most max bytes. */
static struct status inflate_into(z_stream *z, size_t max, struct buf *out) {
    size_t step = UNPACK_FIRST;
    for (;;) {
        size_t room = max - out->size < step ? max - out->size : step;
        /* One byte beyond the limit tells a message that is too large from one that just fits. */
        if (!buf_reserve(out, room + 1))
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a message");
        z->next_out = (Bytef *)out->data + out->size;
        z->avail_out = (uInt)(room + 1);
        int result = inflate(z, Z_NO_FLUSH);
        out->size += room + 1 - z->avail_out;
        if (out->size > max)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "received message larger than max (%zu when decompressed)",
                                max);
        if (result == Z_STREAM_END)
            break;
        if (result != Z_OK || (z->avail_in == 0 && z->avail_out > 0))
            return status_error(STATUS_INTERNAL, "a compressed message is broken");
        step = out->size < (size_t)1 << 30 ? out->size : (size_t)1 << 30;
        if (step < UNPACK_FIRST)
            step = UNPACK_FIRST;
    }
    if (z->avail_in > 0)
        return status_error(STATUS_INTERNAL, "a compressed message has %u bytes behind its end", z->avail_in);
    return status_ok();
}

/* Replaces the message by what it unpacks to. */
static struct status unpack(struct message_reader *reader) {
    enum { WINDOW_ZLIB = 15, WINDOW_GZIP = 15 + 16 };
    struct buf unpacked = BUF_EMPTY;
    z_stream z = {.next_in = (Bytef *)reader->message.data, .avail_in = (uInt)reader->message.size};
    if (reader->message.size == 0)
        return status_ok(); /* zlib's own clients leave an empty message empty */
    if (inflateInit2(&z, reader->encoding == GRPC_ENCODING_GZIP ? WINDOW_GZIP : WINDOW_ZLIB) != Z_OK)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to unpack a message");
    struct status status = inflate_into(&z, reader->max_bytes, &unpacked);
    inflateEnd(&z);
    buf_free(&reader->message);
    reader->message = unpacked;
    return status;
}

struct status message_reader_take(struct message_reader *reader, const char *data, size_t n, size_t *ret_taken,
                                  bool *ret_complete) {
    size_t at = 0;
    while (reader->prefix_size < MESSAGE_PREFIX_BYTES && at < n) {
        reader->prefix[reader->prefix_size++] = (unsigned char)data[at++];
        if (reader->prefix_size == MESSAGE_PREFIX_BYTES)
            STATUS_TRY(parse_prefix(reader));
    }
    *ret_complete = false;
    *ret_taken = at;
    if (reader->prefix_size < MESSAGE_PREFIX_BYTES)
        return status_ok();
    size_t missing = reader->wanted - reader->message.size, piece = n - at < missing ? n - at : missing;
    append(reader, data + at, piece);
    if (buf_failed(&reader->message))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a message");
    *ret_taken = at + piece;
    if (piece < missing)
        return status_ok();
    *ret_complete = true;
    return reader->prefix[0] == FLAG_COMPRESSED ? unpack(reader) : status_ok();
}

void message_reader_next(struct message_reader *reader) {
    reader->prefix_size = 0;
    reader->wanted = 0;
    buf_clear(&reader->message);
}

bool message_reader_is_empty(const struct message_reader *reader) {
    return reader->prefix_size == 0;
}

void message_reader_free(struct message_reader *reader) {
    buf_free(&reader->message);
}
