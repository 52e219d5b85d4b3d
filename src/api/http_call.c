#include "api/http_call.h"

#include "api/status_map.h"
#include "codec/json_write.h"

void http_call_answer(struct http_call *call, int status, const char *content_type, struct buf *body) {
    const struct http_header header = {SLICE_LITERAL("Content-Type"), slice_of(content_type)};
    http_respond(call->exchange, status, &header, content_type ? 1 : 0, body);
}

void http_call_answer_json(struct http_call *call, struct buf *body) {
    http_call_answer(call, 200, "application/json", body);
}

void http_answer_error_text(struct http_exchange *exchange, int status, struct slice message,
                            const struct http_header *headers, size_t header_count) {
    struct http_header all[4] = {{SLICE_LITERAL("Content-Type"), SLICE_LITERAL("application/json")},
                                 {SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")}};
    size_t count = status == 503 ? 2 : 1;
    for (size_t i = 0; i < header_count && count < sizeof all / sizeof all[0]; i++)
        all[count++] = headers[i];
    struct buf body = BUF_EMPTY;
    buf_append_text(&body, "{\"error\":");
    json_append_string(&body, message);
    buf_append_char(&body, '}');
    if (buf_failed(&body))
        buf_free(&body); /* the status alone has to do */
    http_respond(exchange, status, all, count, &body);
}

void http_call_answer_error(struct http_call *call, const struct status *error) {
    http_answer_error_text(call->exchange, status_map_http(error->code), slice_of(error->message), NULL, 0);
}
