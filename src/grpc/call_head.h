/* call_head.h: what the head of a call says, and the refusals of heads that are no call of ours. Thread: the loop of
 * the exchange. */
#ifndef INFERD_GRPC_CALL_HEAD_H
#define INFERD_GRPC_CALL_HEAD_H

#include "grpc/call.h"
#include "grpc/metadata.h"

struct call_head {
    const struct grpc_service *service;
    const struct grpc_method *method;
    enum grpc_encoding encoding;
    uint64_t deadline_ns; /* 0: none */
};

/* Finds the method, asks its service whether the client may call it (for a path that none has, the first service), and
 * reads the rest. False: the client has been answered. */
bool call_head_read(const struct grpc_service *services, size_t service_count, struct http_exchange *exchange,
                    struct call_head *ret);

#endif
