/* grpc_message.h: a message of gRPC behind its 5-byte prefix, for grpc_body.c and v1_grpc_body.c. */
#ifndef INFERD_CLIENT_GRPC_MESSAGE_H
#define INFERD_CLIENT_GRPC_MESSAGE_H

#include "client/client_wire.h"
#include "codec/pb.h"

/* Appends the message with its prefix: not compressed, length big-endian. Errors: TOO_LARGE, RESOURCE_EXHAUSTED. */
struct status grpc_message_write(const struct pb_message *type, const void *message, struct buf *out) STATUS_MUST_CHECK;
/* Compresses the message behind its prefix, for good. Errors: TOO_LARGE, RESOURCE_EXHAUSTED. Source: gRPC over HTTP/2,
 * Compressed-Flag; "deflate" has the form of zlib. */
struct status grpc_message_pack(struct buf *message, enum infer_encoding encoding) STATUS_MUST_CHECK;
/* For grpc-encoding; NULL: none. */
const char *grpc_message_encoding_name(enum infer_encoding encoding);
/* The bytes of the message that has answered a call with status OK; grpc_wire.c has checked its prefix. */
struct slice grpc_message_of(const struct client_call *call);
/* Decodes the bytes of an answer, into which the message then points. DATA_LOSS for what is no such message. */
struct status grpc_message_read(struct slice bytes, struct arena *arena, const struct pb_message *type,
                                void *ret) STATUS_MUST_CHECK;

#endif
