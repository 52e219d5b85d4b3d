/* port_front.h: what the exchanges of a port are given to: gRPC or plain HTTP, by the content type; both come by the
 * same handler. */
#ifndef INFERD_TOOLS_SERVE_PORT_FRONT_H
#define INFERD_TOOLS_SERVE_PORT_FRONT_H

#include "api/context.h"
#include "grpc/call.h"

/* What the handlers of a port are given on one loop. */
struct port_front {
    struct api_context context;
    struct grpc_service service;
    size_t service_count; /* 0 where gRPC is not served */
    struct http_handler handler;
};

/* `context` is the pattern, to which the loop is added. The front stays where it is for as long as sessions have its
 * handler. */
void port_front_init(struct port_front *front, const struct api_context *context, struct api_loop *loop,
                     const struct http_limits *limits);

#endif
