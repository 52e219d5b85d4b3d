/* remote_status.h: what a server says went wrong, as a status of ours: codes of gRPC, of HTTP and of TRTIS v1, and
 * their messages. */
#ifndef INFERD_CLIENT_REMOTE_STATUS_H
#define INFERD_CLIENT_REMOTE_STATUS_H

#include "base/slice.h"
#include "base/status.h"

enum { GRPC_STATUS_OK = 0, GRPC_STATUS_MAX = 16 };

/* A grpc-status (0..16; anything else is UNKNOWN) with its grpc-message, which is percent-decoded. */
struct status remote_status_grpc(int code, struct slice grpc_message);
/* A response whose HTTP status is not 200: the message is that of a body {"error": "..."}; of any other body (a proxy's
 * page, say) the first line is shown. */
struct status remote_status_http(int code, struct slice body);
/* A RequestStatus of TRTIS v1 that is not SUCCESS (1); codes that are none are UNKNOWN. */
struct status remote_status_v1(int code, struct slice message);
/* Our code for an HTTP status. */
enum status_code remote_status_http_code(int code);

#endif
