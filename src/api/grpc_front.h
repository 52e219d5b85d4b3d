/* grpc_front.h: the methods that gRPC clients may call, for the composition root to give to grpc_on_head.
 *
 * grpc_service.user is a const struct api_context. Thread: the exchange's loop. */
#ifndef INFERD_API_GRPC_FRONT_H
#define INFERD_API_GRPC_FRONT_H

#include "api/context.h"
#include "grpc/call.h"

/* Every method, as one service whose calls get `context` (borrowed). */
struct grpc_service grpc_front_service(const struct api_context *context, size_t max_message_bytes);

/* Ends a call with the status that an error maps to. */
void grpc_front_fail(struct grpc_call *call, const struct status *error);

/* ModelInfer (v2_infer_grpc.c). */
void v2_infer_grpc_on_message(struct grpc_call *call, struct slice message);
void v2_infer_grpc_expire(struct grpc_call *call); /* its deadline has passed */
void v2_infer_grpc_on_close(struct grpc_call *call);
void v2_infer_grpc_leave(struct grpc_call *call); /* cancelled */
/* TRTIS v1's Infer (v1_infer_grpc.c); it expires and is left as ModelInfer. */
void v1_infer_grpc_on_message(struct grpc_call *call, struct slice message);
/* TRTIS v1's StreamInfer, likewise as ModelStreamInfer. */
void v1_stream_grpc_on_message(struct grpc_call *call, struct slice message);

/* ModelStreamInfer (v2_stream_grpc.c; its other callbacks are infer_stream.h's). */
void v2_stream_grpc_on_message(struct grpc_call *call, struct slice message);

/* grpc.health.v1's Watch (health_watch.c). */
void health_watch_on_message(struct grpc_call *call, struct slice message);
void health_watch_on_drain(struct grpc_call *call);
void health_watch_on_shutdown(struct grpc_call *call);
void health_watch_leave(struct grpc_call *call); /* cancelled or closed */

#endif
