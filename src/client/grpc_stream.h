/* grpc_stream.h: many inferences on one ModelStreamInfer or StreamInfer call, as the part of grpc_wire.c that knows
 * about it.
 *
 * Requests go out one behind the other as messages of one HTTP/2 stream; each answer names the request that it is for
 * by its id, which the client has chosen. A request of a decoupled model has any number of answers, the last is marked.
 * Source: the grpc_service.proto of Triton, and of the inference server 1.11. */
#ifndef INFERD_CLIENT_GRPC_STREAM_H
#define INFERD_CLIENT_GRPC_STREAM_H

#include "client/client_wire.h"

struct grpc_stream {
    struct client_call call;  /* stands for the HTTP/2 stream: headers and status; stream_id 0: none is open */
    struct call_link sending; /* inferences whose message has not wholly left */
    struct buf in;            /* of a message that is not complete yet; owned */
    bool deferred;            /* nghttp2 waits to be told of more to send */
};

void grpc_stream_init(struct grpc_stream *stream);
void grpc_stream_free(struct grpc_stream *stream);
/* No stream is open any more; what is in `sending` is the caller's. */
void grpc_stream_reset(struct grpc_stream *stream);
/* Copies bytes to be sent. Sets *ret_sent to a call whose message is complete with them, for the caller to move on. */
size_t grpc_stream_fill(struct grpc_stream *stream, unsigned char *to, size_t room, struct client_call **ret_sent);

/* One answer, taken apart as far as to see whose it is; all of it points into the message. */
struct grpc_stream_answer {
    bool named; /* it says which request's it is: */
    uint64_t number;
    struct slice error;    /* text; empty for a good one */
    struct slice response; /* what an answer to a call of its own would be */
    bool empty;            /* it has no outputs */
    bool final;
};

/* The call that is shared, and its answers. read: DATA_LOSS for what is no such answer. */
struct grpc_stream_form {
    const char *path;
    struct status (*read)(struct slice message, struct grpc_stream_answer *ret);
};
extern const struct grpc_stream_form grpc_stream_v2; /* ModelStreamInfer */
extern const struct grpc_stream_form grpc_stream_v1; /* StreamInfer: one answer a request, which also tells failures */

/* Appends what came; while *ret_message is set, call again with no bytes for the next message, which points into the
 * stream until then. Errors: RESOURCE_EXHAUSTED over the limit or out of memory; DATA_LOSS when it is compressed. */
struct status grpc_stream_take(struct grpc_stream *stream, const void *data, size_t n, size_t limit,
                               struct slice *ret_message) STATUS_MUST_CHECK;

#endif
