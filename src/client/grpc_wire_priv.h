/* grpc_wire_priv.h: what grpc_wire.c (the connection, calls with a stream of their own) and grpc_wire_stream.c (calls
 * that share one) know of each other. */
#ifndef INFERD_CLIENT_GRPC_WIRE_PRIV_H
#define INFERD_CLIENT_GRPC_WIRE_PRIV_H

#include <nghttp2/nghttp2.h>

#include "client/grpc_stream.h"

enum { GRPC_MESSAGE_PREFIX = 5, FRAME_HEAD = 9 /* of HTTP/2 */, GRPC_PROBLEM_MAX = 240 };

struct grpc_wire {
    struct client_wire base;
    nghttp2_session *session;
    const char *authority;
    size_t max_answer_bytes;
    struct call_link sending; /* calls whose request is not wholly in output() yet */
    struct call_link emitted; /* wholly there, but perhaps not written */
    struct call_link waiting; /* written; the answer is awaited */
    const struct grpc_stream_form *form;
    struct grpc_stream stream;      /* of the calls that are messages of one */
    struct buf *out;                /* of the output() that runs; borrowed */
    bool any_input;                 /* the first bytes have been looked at */
    bool failed;                    /* no further use of the session */
    bool going_away;                /* a GOAWAY came; `problem` is about it */
    char problem[GRPC_PROBLEM_MAX]; /* what ended, or will end, the connection; "" */
};

/* Takes the call off the wire and reports it. */
void grpc_wire_complete(struct grpc_wire *wire, struct client_call *call, struct status status);
/* Opens an HTTP/2 stream for the call, or for the shared stream; `call` becomes its user data. */
struct status grpc_wire_submit(struct grpc_wire *wire, struct client_call *call, const char *path,
                               nghttp2_data_source_read_callback read) STATUS_MUST_CHECK;

/* ---- grpc_wire_stream.c ---- */

/* Opens the stream where none is. Sending is up to the caller's lists and grpc_wire_stream_wake. */
struct status grpc_wire_stream_open(struct grpc_wire *wire, const struct client_call *first) STATUS_MUST_CHECK;
/* There is a call in the stream's `sending`. */
void grpc_wire_stream_wake(struct grpc_wire *wire);
/* Bytes of the stream. */
void grpc_wire_stream_take(struct grpc_wire *wire, const uint8_t *data, size_t n);
/* The server has ended it: completes its calls by what the trailers say. */
void grpc_wire_stream_finish(struct grpc_wire *wire);
/* It is gone: completes its calls with `status`. */
void grpc_wire_stream_end(struct grpc_wire *wire, struct status status);
/* A call, already unlinked, is of no interest any more. */
void grpc_wire_stream_drop(struct grpc_wire *wire, const struct client_call *call);

#endif
