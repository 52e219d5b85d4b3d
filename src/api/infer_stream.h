/* infer_stream.h: one gRPC call that carries many inferences: a message in is a request, a message out a response or an
 * error. What differs between protocols stands in struct infer_stream_ops.
 *
 * Order: requests of models that are not decoupled are answered in the order in which they came, whatever the order in
 * which they finish; responses of decoupled ones go out as they come, and neither waits for the other. An error ends
 * its request and not the stream, unless the client has asked for that by the metadata `triton_grpc_error: true`. When
 * the client half-closes, or the server is being stopped, what is pending is finished first. When it is lost, or the
 * deadline of the call passes, all of it is cancelled.
 *
 * Bounds: at most context->max_stream_requests are pending, and no message is taken while the client leaves much of
 * what it was sent unread; then it is made to wait. What requests and unread answers hold is booked
 * (http_exchange_hold).
 *
 * Thread: the loop of the call, but for the codec's functions. Owner: the call; requests whose client is lost may
 * outlive it. Source: Triton's streaming inference (gRPC, ModelStreamInfer). */
#ifndef INFERD_API_INFER_STREAM_H
#define INFERD_API_INFER_STREAM_H

#include "api/context.h"
#include "base/buf.h"
#include "core/infer_request.h"
#include "grpc/call.h"

/* Bytes of answers that the client has not taken, beyond which no more requests are taken. */
enum { INFER_STREAM_UNREAD_MAX = 1 << 20 };

struct infer_stream_ops {
    const char *protocol; /* as records name it */
    /* Fills the request from a message that lives as long. *ret_empty_final: its client wants to be told of the end
     * where that comes without a response. Any thread. */
    struct status (*decode)(const struct api_context *context, struct slice message, struct infer_request *request,
                            bool *ret_empty_final);
    /* Appends the message of a good response, but for a tail that may be told instead (infer_outputs_tail; NULL: not).
     * Any thread. */
    struct status (*encode)(const struct api_context *context, const struct infer_request *request,
                            const struct infer_response *response, struct buf *out, struct slice *ret_tail);
    /* Appends the message that tells of an error of the request. Any thread. */
    struct status (*encode_error)(const struct api_context *context, const struct infer_request *request,
                                  const struct status *error, struct buf *out);
};

/* Callbacks of a grpc_method whose calls are such streams. */
void infer_stream_on_message(const struct infer_stream_ops *ops, struct grpc_call *grpc, struct slice message);
void infer_stream_on_half_close(struct grpc_call *grpc);
void infer_stream_on_wake(struct grpc_call *grpc);
void infer_stream_on_drain(struct grpc_call *grpc);
void infer_stream_on_shutdown(struct grpc_call *grpc);
void infer_stream_leave(struct grpc_call *grpc); /* cancelled or closed */

#endif
