#include "client/grpc_stream.h"

#include "codec/pb_wire.h"

enum { MESSAGE_PREFIX = 5, SKIP_DEPTH = 16 };

void grpc_stream_init(struct grpc_stream *stream) {
    *stream = (struct grpc_stream){.in = BUF_EMPTY};
    call_list_init(&stream->sending);
    call_list_init(&stream->call.on_wire);
    call_list_init(&stream->call.in_client);
}

void grpc_stream_reset(struct grpc_stream *stream) {
    buf_clear(&stream->in);
    stream->call = (struct client_call){.status = status_ok()};
    stream->deferred = false;
    call_list_init(&stream->call.on_wire);
    call_list_init(&stream->call.in_client);
}

void grpc_stream_free(struct grpc_stream *stream) {
    buf_free(&stream->in);
}

size_t grpc_stream_fill(struct grpc_stream *stream, unsigned char *to, size_t room, struct client_call **ret_sent) {
    *ret_sent = NULL;
    if (call_list_is_empty(&stream->sending))
        return 0;
    struct client_call *call = call_of_wire_link(stream->sending.next);
    size_t left = call->request.size - call->request_sent, n = left < room ? left : room;
    memcpy(to, call->request.data + call->request_sent, n);
    call->request_sent += n;
    if (n == left)
        *ret_sent = call;
    return n;
}

/* ---- answers ---- */

static uint64_t message_size(const char *prefix) {
    const unsigned char *p = (const unsigned char *)prefix;
    return (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
}

struct status grpc_stream_take(struct grpc_stream *stream, const void *data, size_t n, size_t limit,
                               struct slice *ret_message) {
    struct buf *in = &stream->in;
    if (n == 0) { /* the message before has been used */
        size_t used = MESSAGE_PREFIX + (size_t)message_size(in->data);
        buf_consume(in, used);
    }
    buf_append(in, data, n);
    ret_message->data = NULL;
    if (buf_failed(in))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answers of a stream");
    if (in->size < MESSAGE_PREFIX)
        return status_ok();
    if (in->data[0] != 0)
        return status_error(STATUS_DATA_LOSS, "an answer of a stream is compressed, which was not offered");
    uint64_t size = message_size(in->data);
    if (size > limit)
        return status_error(STATUS_RESOURCE_EXHAUSTED,
                            "an answer of a stream has %llu bytes, more than the limit of %zu",
                            (unsigned long long)size, limit);
    if (in->size - MESSAGE_PREFIX >= size)
        *ret_message = (struct slice){in->data + MESSAGE_PREFIX, (size_t)size};
    return status_ok();
}

/* The fields of a message that are byte strings, one after the other; false at the end or on an error. */
static bool next_bytes(struct pb_reader *reader, uint32_t *ret_number, struct slice *ret) {
    enum pb_wire_type wire;
    while (!pb_reader_done(reader) && reader->error == NULL) {
        if (!pb_read_tag(reader, ret_number, &wire))
            return false;
        if (wire == PB_WIRE_BYTES)
            return pb_read_bytes(reader, ret);
        if (!pb_skip(reader, *ret_number, wire, SKIP_DEPTH))
            return false;
    }
    return false;
}

/* Whether a parameter says that this is not the last answer: {"triton_final_response": {bool_param 1: false}}, where
 * false may be left out. */
static bool says_not_final(struct slice entry) {
    struct pb_reader reader = pb_reader_on(entry), value;
    struct slice bytes;
    uint32_t number;
    bool named = false;
    uint64_t flag = 0;
    while (next_bytes(&reader, &number, &bytes)) {
        if (number == 1)
            named = slice_equal_text(bytes, "triton_final_response");
        enum pb_wire_type wire;
        value = pb_reader_on(bytes);
        if (number == 2 && (!pb_read_tag(&value, &number, &wire) || number != 1 || wire != PB_WIRE_VARINT ||
                            !pb_read_varint(&value, &flag)))
            flag = 0;
    }
    return named && flag == 0;
}

static bool read_response(struct slice response, struct grpc_stream_answer *ret) {
    struct pb_reader reader = pb_reader_on(response);
    struct slice bytes;
    uint32_t number;
    ret->response = response;
    while (next_bytes(&reader, &number, &bytes)) {
        if (number == 3)
            ret->named = slice_to_u64(bytes, &ret->number);
        else if (number == 4 && says_not_final(bytes))
            ret->final = false;
        else if (number == 5)
            ret->empty = false;
    }
    return reader.error == NULL;
}

static struct status read_v2(struct slice message, struct grpc_stream_answer *ret) {
    struct pb_reader reader = pb_reader_on(message);
    struct slice bytes;
    uint32_t number;
    bool good = true;
    *ret = (struct grpc_stream_answer){.empty = true, .final = true};
    while (next_bytes(&reader, &number, &bytes)) {
        if (number == 1)
            ret->error = bytes;
        else if (number == 2)
            good = good && read_response(bytes, ret);
    }
    if (!good || reader.error != NULL)
        return status_error(STATUS_DATA_LOSS, "an answer of a stream is no ModelStreamInferResponse");
    return status_ok();
}

/* The id in an InferResponseHeader; false when it is malformed. */
static bool read_v1_id(struct slice header, struct grpc_stream_answer *ret) {
    struct pb_reader reader = pb_reader_on(header);
    enum pb_wire_type wire;
    uint32_t number;
    while (!pb_reader_done(&reader) && pb_read_tag(&reader, &number, &wire)) {
        bool id = number == 5 && wire == PB_WIRE_VARINT;
        bool good = id ? pb_read_varint(&reader, &ret->number) : pb_skip(&reader, number, wire, SKIP_DEPTH);
        if (!good)
            return false;
        ret->named = ret->named || id;
    }
    return reader.error == NULL;
}

static struct status read_v1(struct slice message, struct grpc_stream_answer *ret) {
    struct pb_reader reader = pb_reader_on(message);
    struct slice bytes;
    uint32_t number;
    bool good = true;
    *ret = (struct grpc_stream_answer){.response = message, .final = true};
    while (next_bytes(&reader, &number, &bytes)) {
        if (number == 2)
            good = good && read_v1_id(bytes, ret);
    }
    if (!good || reader.error != NULL)
        return status_error(STATUS_DATA_LOSS, "an answer of a stream is no InferResponse");
    return status_ok();
}

const struct grpc_stream_form grpc_stream_v2 = {"/inference.GRPCInferenceService/ModelStreamInfer", read_v2};
const struct grpc_stream_form grpc_stream_v1 = {"/nvidia.inferenceserver.GRPCService/StreamInfer", read_v1};
