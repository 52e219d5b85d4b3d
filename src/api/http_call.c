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

void http_answer_error(struct http_exchange *exchange, const struct status *error, const struct http_header *headers,
                       size_t header_count) {
    char seconds[SLICE_U64_DIGITS];
    uint32_t retry_ms = status_map_retry_ms(error->code);
    struct http_header all[4] = {{SLICE_LITERAL("Content-Type"), SLICE_LITERAL("application/json")},
                                 {SLICE_LITERAL("Retry-After"), slice_from_u64(retry_ms / 1000, seconds)}};
    size_t count = retry_ms > 0 ? 2 : 1;
    for (size_t i = 0; i < header_count && count < sizeof all / sizeof all[0]; i++)
        all[count++] = headers[i];
    struct buf body = BUF_EMPTY;
    buf_append_text(&body, "{\"error\":");
    json_append_string(&body, slice_of(error->message));
    buf_append_char(&body, '}');
    if (buf_failed(&body))
        buf_free(&body); /* the status alone has to do */
    http_respond(exchange, status_map_http(error->code), all, count, &body);
}

void http_call_answer_error(struct http_call *call, const struct status *error) {
    http_answer_error(call->exchange, error, NULL, 0);
}

static struct status content_encoding(const struct http_call *call, struct slice *ret) {
    return http_request_sole_header(http_exchange_request(call->exchange), "content-encoding", ret);
}

struct status http_call_coding(const struct http_call *call, enum body_coding *ret) {
    struct slice value;
    STATUS_TRY(content_encoding(call, &value));
    return body_coding_parse(value, ret);
}

struct status http_call_check_plain(const struct http_call *call) {
    struct slice value;
    STATUS_TRY(content_encoding(call, &value));
    value = slice_trim(value);
    if (value.size == 0 || slice_equal_nocase(value, SLICE_LITERAL("identity")))
        return status_ok();
    return status_error(STATUS_UNSUPPORTED, "Content-Encoding: expected identity, or none, got '%.*s'",
                        SLICE_ARGS(value));
}
