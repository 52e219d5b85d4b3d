/* reflection.h: gRPC server reflection: what services there are, and the .proto files that declare them, so that tools
 * such as grpcurl need none of their own. grpc.reflection.v1 and v1alpha have the same messages and share this.
 *
 * Each request of the stream is answered at once, in order; what cannot be answered gets an error response and does not
 * end the stream. While the client does not take its answers no more requests are read.
 * Source: gRPC Server Reflection Protocol. Thread: the exchange's loop. */
#ifndef INFERD_API_REFLECTION_H
#define INFERD_API_REFLECTION_H

#include "grpc/call.h"

/* Bytes of a request, which names a file or a symbol and comes back in its answer, and of answers that wait for the
 * client before no more requests are taken. */
enum { REFLECTION_REQUEST_MAX = 64 << 10, REFLECTION_WAITING_MAX = 256 << 10 };

void reflection_on_message(struct grpc_call *call, struct slice message);
void reflection_on_half_close(struct grpc_call *call);
void reflection_on_drain(struct grpc_call *call);

#endif
