#include "client/grpc_message.h"

#include <zlib.h>

enum { MESSAGE_PREFIX = 5, WINDOW_BITS = 15, GZIP_FORM = 16 };

static void set_prefix(char prefix[static MESSAGE_PREFIX], bool packed, size_t size) {
    prefix[0] = packed ? 1 : 0;
    for (int i = 0; i < 4; i++)
        prefix[1 + i] = (char)(size >> (24 - 8 * i) & 0xff);
}

struct status grpc_message_write(const struct pb_message *type, const void *message, struct buf *out) {
    size_t size = pb_encoded_size(type, message);
    if (size > UINT32_MAX)
        return status_error(STATUS_TOO_LARGE, "a gRPC request of %zu bytes: at most 4 GiB can be sent", size);
    char prefix[MESSAGE_PREFIX];
    set_prefix(prefix, false, size);
    buf_append(out, prefix, sizeof prefix);
    return pb_encode(type, message, out);
}

const char *grpc_message_encoding_name(enum infer_encoding encoding) {
    return encoding == INFER_ENCODING_GZIP ? "gzip" : encoding == INFER_ENCODING_DEFLATE ? "deflate" : NULL;
}

/* All of `from` into the room behind the prefix, which is large enough. */
static bool pack(struct slice from, int window_bits, struct buf *to, size_t room) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)from.data, .avail_in = (uInt)from.size};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    stream.next_out = (Bytef *)to->data + to->size;
    stream.avail_out = (uInt)room;
    bool good = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    to->size += room - stream.avail_out;
    deflateEnd(&stream);
    return good;
}

struct status grpc_message_pack(struct buf *message, enum infer_encoding encoding) {
    char prefix[MESSAGE_PREFIX] = {0};
    if (encoding == INFER_ENCODING_NONE)
        return status_ok();
    struct slice from = {message->data + MESSAGE_PREFIX, message->size - MESSAGE_PREFIX};
    if (from.size > INT32_MAX)
        return status_error(STATUS_TOO_LARGE, "a gRPC request of %zu bytes: at most 2 GiB can be compressed",
                            from.size);
    size_t room = compressBound((uLong)from.size) + 64; /* gzip's head and tail are larger than zlib's */
    struct buf packed = BUF_EMPTY;
    buf_append(&packed, prefix, sizeof prefix);
    bool good = buf_reserve(&packed, room) != NULL &&
                pack(from, WINDOW_BITS + (encoding == INFER_ENCODING_GZIP ? GZIP_FORM : 0), &packed, room);
    if (!good) {
        buf_free(&packed);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a compressed request");
    }
    set_prefix(packed.data, true, packed.size - MESSAGE_PREFIX);
    buf_free(message);
    *message = packed;
    return status_ok();
}

struct slice grpc_message_of(const struct client_call *call) {
    return (struct slice){call->answer.data + MESSAGE_PREFIX, call->answer.size - MESSAGE_PREFIX};
}

struct status grpc_message_read(struct slice bytes, struct arena *arena, const struct pb_message *type, void *ret) {
    struct status status = pb_decode(type, bytes, arena, ret);
    if (status.code == STATUS_INVALID_ARGUMENT)
        status.code = STATUS_DATA_LOSS;
    return status_is_ok(&status) ? status : status_prefix(status, "the server's answer");
}
