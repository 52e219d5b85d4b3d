/* v1_http.h: what the HTTP handlers of TRTIS v1 share: its formats, and answers that tell how it went in NV-Status.
 *
 * Thread: the exchange's loop. Source: src/servers/http_server.cc of the inference server, release 1.11. */
#ifndef INFERD_API_V1_HTTP_H
#define INFERD_API_V1_HTTP_H

#include "api/blocking_call.h"
#include "api/http_call.h"
#include "codec/trtis_v1_messages.h"

enum v1_format { V1_FORMAT_TEXT, V1_FORMAT_BINARY, V1_FORMAT_JSON };

/* From `?format=`; text when it is not given or another. */
enum v1_format v1_http_format(const struct http_call *call);
/* The same for calls that know no JSON. */
enum v1_format v1_http_text_or_binary(const struct http_call *call);
/* Answers 200 with the body, or 400 without one, as the status's code tells; NV-Status has the status. `headers` are
 * further ones. content_type may be NULL. The body is taken over and may be NULL. */
void v1_http_answer(struct http_call *call, const struct pb_v1_request_status *status,
                    const struct http_header *headers, size_t header_count, const char *content_type, struct buf *body);
/* The same with a message as the body (NULL: an empty one). status NULL: memory was short, and the exchange is reset.
 */
void v1_http_answer_message(struct http_call *call, const struct pb_v1_request_status *status, enum v1_format format,
                            const struct pb_message *type, const void *message);
/* Hands a call to the workers; what is wrong with that, or with `status`, is told as any failure. */
void v1_http_submit(struct http_call *http, struct blocking_call *call, struct status status);
/* What v1 answers to a path that it does not have: 400 and nothing else. */
void v1_http_refuse(struct http_exchange *exchange);
/* To a method that a path does not have: 405 and the methods that it has, "GET, POST". */
void v1_http_refuse_method(struct http_exchange *exchange, const char *allow);
/* Whether the path is v1's. */
bool v1_http_owns_path(struct slice path);

#endif
