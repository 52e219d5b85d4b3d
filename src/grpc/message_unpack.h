/* message_unpack.h: what a compressed message unpacks to, within its limit. Thread: any. */
#ifndef INFERD_GRPC_MESSAGE_UNPACK_H
#define INFERD_GRPC_MESSAGE_UNPACK_H

#include "base/inflate.h"
#include "base/status.h"
#include "grpc/metadata.h"

/* Replaces a packed message by what it unpacks to; an empty one stays empty. Errors, which leave the message empty:
 * INTERNAL when it is broken, RESOURCE_EXHAUSTED when it would have more than max_bytes or memory is short, UNAVAILABLE
 * when the gate was closed. */
struct status message_unpack(enum grpc_encoding encoding, size_t max_bytes, struct inflate_gate gate,
                             struct buf *message) STATUS_MUST_CHECK;

#endif
