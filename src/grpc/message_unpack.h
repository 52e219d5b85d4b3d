/* message_unpack.h: what a compressed message unpacks to, within its limit. Thread: any. */
#ifndef INFERD_GRPC_MESSAGE_UNPACK_H
#define INFERD_GRPC_MESSAGE_UNPACK_H

#include "base/buf.h"
#include "base/status.h"
#include "grpc/metadata.h"

enum { MESSAGE_UNPACK_FACTOR = 1032 /* most bytes that deflate makes of one */ };

/* Asked before each step, of at most 1 MiB, whether it may take so many bytes more. */
struct message_gate {
    bool (*take)(void *user, size_t bytes); /* NULL: it always may */
    void *user;
};

/* Replaces a packed message, of at most UINT32_MAX bytes, by what it unpacks to; an empty one stays empty. Errors,
 * which leave the message empty: INTERNAL when it is broken, RESOURCE_EXHAUSTED when it would have more than max_bytes
 * or memory is short, UNAVAILABLE when the gate was closed. */
struct status message_unpack(enum grpc_encoding encoding, size_t max_bytes, struct message_gate gate,
                             struct buf *message) STATUS_MUST_CHECK;

#endif
