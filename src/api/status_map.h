/* status_map.h: the one table between our error kinds and the numbers of the wires.
 *
 * Source: KServe v2 and the reference server's mapping; gRPC's status codes document; TRTIS v1's
 * request_status.proto. */
#ifndef INFERD_API_STATUS_MAP_H
#define INFERD_API_STATUS_MAP_H

#include "base/status.h"
#include "grpc/call.h"

/* The HTTP status for an error kind: 200 for OK. */
int status_map_http(enum status_code code);
/* The gRPC status for an error kind. */
enum grpc_code status_map_grpc(enum status_code code);
/* How long a client is asked to wait before it tries again (Retry-After, grpc-retry-pushback-ms); 0: that would not
 * help.
 */
uint32_t status_map_retry_ms(enum status_code code);
/* The code of TRTIS v1's RequestStatus for an error kind: enum pb_v1_request_status_code. */
int32_t status_map_v1(enum status_code code);

#endif
