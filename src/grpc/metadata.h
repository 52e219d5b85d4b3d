/* metadata.h: the texts that gRPC puts into HTTP fields (PROTOCOL-HTTP2.md): content type, timeout, encodings,
 * messages. */
#ifndef INFERD_GRPC_METADATA_H
#define INFERD_GRPC_METADATA_H

#include "base/arena.h"
#include "base/slice.h"

/* "application/grpc" or "application/grpc+proto", also with parameters. */
bool grpc_is_content_type(struct slice value);

/* "100m" -> nanoseconds. False when it is not 1 to 8 digits and a unit of H, M, S, m, u, n. */
bool grpc_parse_timeout(struct slice value, uint64_t *ret_ns);

enum { GRPC_TIMEOUT_DIGITS_MAX = 8 }; /* of the number in grpc-timeout; the protocol's own bound */

enum grpc_encoding { GRPC_ENCODING_IDENTITY, GRPC_ENCODING_DEFLATE, GRPC_ENCODING_GZIP };
/* False for names that are not known. */
bool grpc_parse_encoding(struct slice value, enum grpc_encoding *ret);
/* For grpc-accept-encoding: all that grpc_parse_encoding knows. */
struct slice grpc_accepted_encodings(void);

/* grpc-message: bytes outside of visible ASCII and '%' become %XX. {NULL, 0} when memory is short. */
struct slice grpc_encode_message(struct arena *arena, struct slice message);

#endif
