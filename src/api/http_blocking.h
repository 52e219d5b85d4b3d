/* http_blocking.h: HTTP handlers whose work may take long (blocking_call.h). */
#ifndef INFERD_API_HTTP_BLOCKING_H
#define INFERD_API_HTTP_BLOCKING_H

#include "api/blocking_call.h"
#include "api/http_call.h"

struct http_blocking;
/* Does the call: from call.body and the path to call.answer. Worker thread. */
typedef struct status http_work_f(struct http_blocking *blocking);

struct http_blocking {
    struct blocking_call call; /* first */
    http_work_f *work;
    const char *content_type; /* of a good answer; NULL: it has no body */
    struct slice model, name; /* of the path, as in struct http_call; memory of call.arena */
    int64_t version;
};

/* Lets `work` do the call on a worker's thread, and answers with 200 and what it has written, or with its error. */
void http_blocking_start(struct http_call *http, http_work_f *work, const char *content_type);

#endif
