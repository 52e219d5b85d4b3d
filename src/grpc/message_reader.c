#include "grpc/message_reader.h"

enum { FLAG_COMPRESSED = 1 };

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
    buf_reserve_promised(&reader->message, piece, reader->wanted);
    buf_append_placed(&reader->message, data + at, piece);
    if (buf_failed(&reader->message))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a message");
    *ret_taken = at + piece;
    *ret_complete = piece == missing;
    if (*ret_complete)
        reader->used = 0;
    return status_ok();
}

void message_reader_misplaced(struct message_reader *reader, const char *end) {
    size_t used = (size_t)(end - reader->message.data);
    if (used > reader->used)
        reader->used = used;
}

char *message_reader_place(struct message_reader *reader, size_t *ret_room) {
    return reader->prefix_size < MESSAGE_PREFIX_BYTES ? NULL : buf_place(&reader->message, reader->wanted, ret_room);
}

bool message_reader_is_packed(const struct message_reader *reader) {
    return reader->prefix[0] == FLAG_COMPRESSED;
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
