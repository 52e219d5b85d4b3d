/* v1_http.c: the calls of v1_service.h over HTTP: what gRPC has in a request message stands in the path, and the
 * request_status in NV-Status. Bodies of health and model control stay empty: old clients print what they get. */
#include "api/v1_http.h"

#include "api/handlers.h"
#include "api/v1_service.h"
#include "codec/pb_json.h"
#include "codec/pb_text_write.h"

/* ---- answers ---- */

bool v1_http_owns_path(struct slice path) {
    return slice_starts_with(path, SLICE_LITERAL("/api/"));
}

void v1_http_refuse(struct http_exchange *exchange) {
    http_respond(exchange, 400, NULL, 0, NULL);
}

void v1_http_refuse_method(struct http_exchange *exchange, const char *allow) {
    const struct http_header header = {SLICE_LITERAL("Allow"), slice_of(allow)};
    http_respond(exchange, 405, &header, 1, NULL);
}

enum v1_format v1_http_format(const struct http_call *call) {
    struct slice rest = http_exchange_request(call->exchange)->query, parameter;
    while (rest.size > 0) {
        slice_split(rest, '&', &parameter, &rest);
        if (slice_equal_text(parameter, "format=binary"))
            return V1_FORMAT_BINARY;
        if (slice_equal_text(parameter, "format=json"))
            return V1_FORMAT_JSON;
    }
    return V1_FORMAT_TEXT;
}

enum v1_format v1_http_text_or_binary(const struct http_call *call) {
    return v1_http_format(call) == V1_FORMAT_BINARY ? V1_FORMAT_BINARY : V1_FORMAT_TEXT;
}

void v1_http_answer(struct http_call *call, const struct pb_v1_request_status *status,
                    const struct http_header *headers, size_t header_count, const char *content_type,
                    struct buf *body) {
    enum { OWN_HEADERS = 2, HEADERS_MAX = 4 };
    struct http_header all[HEADERS_MAX];
    size_t count = 0;
    struct buf text = BUF_EMPTY, none = BUF_EMPTY;
    bool good = status->code == PB_V1_SUCCESS;
    struct status written = pb_text_write(&pb_v1_request_status_type, status, PB_TEXT_ONE_LINE, &text);
    if (!status_is_ok(&written)) {
        buf_free(&text);
        http_exchange_reset(call->exchange); /* an answer without its status is none */
        return;
    }
    all[count++] = (struct http_header){SLICE_LITERAL("NV-Status"), buf_slice(&text)};
    if (good && content_type)
        all[count++] = (struct http_header){SLICE_LITERAL("Content-Type"), slice_of(content_type)};
    for (size_t i = 0; i < header_count && count < HEADERS_MAX; i++)
        all[count++] = headers[i];
    http_respond(call->exchange, good ? 200 : 400, all, count, good ? body : &none);
    buf_free(&text);
}

/* The message in the form that the client asked for. */
static struct status write_message(enum v1_format format, const struct pb_message *type, const void *message,
                                   struct buf *out) {
    switch (format) {
    case V1_FORMAT_BINARY:
        return pb_encode(type, message, out);
    case V1_FORMAT_JSON:
        return pb_to_canonical_json(type, message, out);
    case V1_FORMAT_TEXT:
        break;
    }
    return pb_text_write(type, message, PB_TEXT_LINES, out);
}

static const char *content_type_of(enum v1_format format) {
    switch (format) {
    case V1_FORMAT_BINARY:
        return "application/octet-stream";
    case V1_FORMAT_JSON:
        return "application/json";
    case V1_FORMAT_TEXT:
        break;
    }
    return "text/plain";
}

void v1_http_answer_message(struct http_call *call, const struct pb_v1_request_status *status, enum v1_format format,
                            const struct pb_message *type, const void *message) {
    struct buf body = BUF_EMPTY;
    struct status written = status ? status_ok() : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the answer");
    if (status_is_ok(&written) && message)
        written = write_message(format, type, message, &body);
    if (status_is_ok(&written))
        v1_http_answer(call, status, NULL, 0, message ? content_type_of(format) : NULL, &body);
    else
        http_exchange_reset(call->exchange);
    buf_free(&body);
}

/* The calls fail by themselves only for want of memory: then there is no request_status. */
static const struct pb_v1_request_status *told(const struct status *status,
                                               const struct pb_v1_request_status *request_status) {
    return status_is_ok(status) ? request_status : NULL;
}

/* ---- calls ---- */

static void answer_health(struct http_call *call, struct slice mode) {
    const struct pb_v1_health_request request = {.mode = mode};
    struct pb_v1_health_response response = {0};
    struct arena *arena = http_exchange_arena(call->exchange);
    struct status status = v1_call_health(call->context, &request, arena, &response, NULL);
    if (status_is_ok(&status) && response.request_status->code == PB_V1_SUCCESS && !response.health) {
        status = status_error(STATUS_UNAVAILABLE, "not %.*s", SLICE_ARGS(mode));
        status = v1_make_status(call->context, &status, arena, &response.request_status);
    }
    v1_http_answer_message(call, told(&status, response.request_status), V1_FORMAT_TEXT, NULL, NULL);
}

void v1_http_health_live(struct http_call *call) {
    answer_health(call, SLICE_LITERAL("live"));
}

void v1_http_health_ready(struct http_call *call) {
    answer_health(call, SLICE_LITERAL("ready"));
}

void v1_http_status(struct http_call *call) {
    const struct pb_v1_status_request request = {.model_name = call->name};
    struct pb_v1_status_response response = {0};
    const struct http_request *head = http_exchange_request(call->exchange);
    struct slice accept;
    enum v1_format format = v1_http_format(call);
    if (head->query.size == 0 && http_request_header(head, "accept", &accept) &&
        slice_equal_text(accept, "application/json"))
        format = V1_FORMAT_JSON;
    struct status status =
        v1_call_status(call->context, &request, http_exchange_arena(call->exchange), &response, NULL);
    v1_http_answer_message(call, told(&status, response.request_status), format, &pb_v1_server_status_type,
                           response.server_status);
}

void v1_http_profile(struct http_call *call) {
    const struct pb_v1_profile_request request = {0};
    struct pb_v1_profile_response response = {0};
    struct status status =
        v1_call_profile(call->context, &request, http_exchange_arena(call->exchange), &response, NULL);
    v1_http_answer_message(call, told(&status, response.request_status), V1_FORMAT_TEXT, NULL, NULL);
}

void v1_http_submit(struct http_call *http, struct blocking_call *call, struct status status) {
    if (status_is_ok(&status))
        status = blocking_call_submit(call);
    if (status_is_ok(&status))
        return;
    struct pb_v1_request_status *failure = NULL;
    struct status made = v1_make_status(http->context, &status, http_exchange_arena(http->exchange), &failure);
    v1_http_answer_message(http, status_is_ok(&made) ? failure : NULL, V1_FORMAT_TEXT, NULL, NULL);
}
