#include "client/grpc_message.h"

enum { MESSAGE_PREFIX = 5 };

struct status grpc_message_write(const struct pb_message *type, const void *message, struct buf *out) {
    size_t size = pb_encoded_size(type, message);
    if (size > UINT32_MAX)
        return status_error(STATUS_TOO_LARGE, "a gRPC request of %zu bytes: at most 4 GiB can be sent", size);
    const char prefix[MESSAGE_PREFIX] = {0, (char)(size >> 24 & 0xff), (char)(size >> 16 & 0xff),
                                         (char)(size >> 8 & 0xff), (char)(size & 0xff)};
    buf_append(out, prefix, sizeof prefix);
    return pb_encode(type, message, out);
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
