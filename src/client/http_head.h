/* http_head.h: what the heads of all HTTP requests have, for http_body.c and v1_http_body.c. */
#ifndef INFERD_CLIENT_HTTP_HEAD_H
#define INFERD_CLIENT_HTTP_HEAD_H

#include "client/client_wire.h"

/* Percent-encodes all but RFC 3986's unreserved characters, so that a name stays one path segment. */
void http_head_segment(struct buf *out, struct slice text);
/* The rest of the request line and the headers that every request has, the client's own among them. */
void http_head_common(struct client_call *call, const char *authority);
/* Whether the answer to a call with status OK can be read: DATA_LOSS for a body that is encoded. */
struct status http_head_check(const struct client_call *call) STATUS_MUST_CHECK;

#endif
