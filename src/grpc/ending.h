/* ending.h: how a call ends: its status, as fields. Thread: the loop of the exchange. */
#ifndef INFERD_GRPC_ENDING_H
#define INFERD_GRPC_ENDING_H

#include "grpc/call.h"

enum {
    ENDING_FIELDS_MAX = 3,
    ENDING_BUSY_RETRY_MS = 1000 /* what a client is asked to wait when there is no room for its message */
};

struct ending {
    enum grpc_code code;
    const char *message;
    uint32_t retry_ms; /* 0: nothing is said of another try */
};

extern const struct http_header ending_content_type;
/* What the server can unpack. */
struct http_header ending_accept_encoding(void);
/* grpc-status, grpc-message and grpc-retry-pushback-ms, in arena memory; how many of the three. */
size_t ending_fields(struct http_exchange *exchange, const struct ending *ending,
                     struct http_header fields[static ENDING_FIELDS_MAX]);
/* The whole answer in one block of fields. http_status is 200 except for what is no call at all. */
void ending_answer(struct http_exchange *exchange, int http_status, const struct ending *ending);

#endif
