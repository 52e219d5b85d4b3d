/* http_call.h: one HTTP request as a handler of routes.c sees it, and the ways to answer it.
 *
 * Owner: the exchange's arena. Thread: the exchange's loop. */
#ifndef INFERD_API_HTTP_CALL_H
#define INFERD_API_HTTP_CALL_H

#include "api/body_coding.h"
#include "api/context.h"
#include "http/exchange.h"

struct blocking_call;
struct infer_call;
struct route;

struct http_call {
    struct http_exchange *exchange;
    const struct api_context *context;
    const struct route *route;
    struct slice model;             /* {model} of the path, percent-decoded; empty where the route has none */
    struct slice name;              /* {name} of the path, likewise: a memory region, a repository */
    int64_t version;                /* {version}; -1 where the path has none */
    struct infer_call *infer;       /* the inference under way, if this is one */
    struct blocking_call *blocking; /* likewise the work on another thread */
};

/* Answers with a body (taken over; NULL for none) of the given content type. */
void http_call_answer(struct http_call *call, int status, const char *content_type, struct buf *body);
/* Answers 200 with JSON. */
void http_call_answer_json(struct http_call *call, struct buf *body);
/* Answers with {"error": message} and the status that the error maps to. */
void http_call_answer_error(struct http_call *call, const struct status *error);
/* The same before there is a call, and with up to two further headers. */
void http_answer_error(struct http_exchange *exchange, const struct status *error, const struct http_header *headers,
                       size_t header_count);

/* How the body is coded, by its Content-Encoding. INVALID_ARGUMENT: the header is there several times; UNSUPPORTED: no
 * coding that is known. */
struct status http_call_coding(const struct http_call *call, enum body_coding *ret) STATUS_MUST_CHECK;
/* For calls whose bodies are plain: UNSUPPORTED when this one says that it is coded. */
struct status http_call_check_plain(const struct http_call *call) STATUS_MUST_CHECK;

#endif
