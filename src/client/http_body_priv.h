/* http_body_priv.h: what the two halves of KServe v2 over HTTP/1.1 share: questions (http_body.c) and inferences
 * (http_infer.c). */
#ifndef INFERD_CLIENT_HTTP_BODY_PRIV_H
#define INFERD_CLIENT_HTTP_BODY_PRIV_H

#include <yyjson.h>

#include "client/client_body.h"

struct status http_body_out_of_memory(void);
/* DATA_LOSS: the answer is not as `expected`. */
struct status http_body_malformed(const char *expected);
/* Appends "/v2/models/NAME/versions/VERSION" as far as they are given. */
void http_body_model_path(struct buf *out, struct slice model, struct slice version);
/* Whether the server has answered, and well. */
struct status http_body_check(const struct client_call *call);
/* A copy of a JSON string (empty for NULL); false when memory is short. */
bool http_body_copy_string(struct arena *arena, yyjson_val *value, struct slice *ret);

/* As in client_body.h. */
struct status http_body_write_infer(const struct infer_request_spec *request, const char *authority,
                                    struct arena *arena, struct client_call *call);
struct status http_body_read_infer(const struct client_call *call, struct arena *arena,
                                   struct client_infer_answer *ret);

#endif
