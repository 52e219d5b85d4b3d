/* v2_infer_http.c: POST /v2/models/M[/versions/V]/infer: body -> infer_request; infer_response -> body. */
#include <inttypes.h>
#include <stdio.h>

#include "api/body_coding.h"
#include "api/handlers.h"
#include "api/infer_json.h"
#include "api/infer_start.h"
#include "api/load_report.h"
#include "api/raw_request.h"
#include "base/clock.h"

struct http_infer {
    struct infer_call call;
    bool all_binary;         /* for requests that name no outputs */
    enum body_coding coding; /* of the answer */
    size_t json_size;        /* of the answer, when bytes follow the JSON; else 0 */
};

static struct status encode(struct infer_call *call, const struct infer_response *response, struct buf *out) {
    struct http_infer *infer = (struct http_infer *)call;
    struct slice *tail = infer->coding == BODY_IDENTITY ? &call->tail : NULL;
    STATUS_TRY(infer_json_encode(call->request, response, infer->all_binary, out, &infer->json_size, tail));
    return body_deflate(infer->coding, out);
}

static void send(struct infer_call *call, struct infer_answer *answer) {
    struct http_infer *infer = (struct http_infer *)call;
    struct http_call *http = call->exchange;
    if (!status_is_ok(&answer->status)) {
        http_call_answer_error(http, &answer->status);
        return;
    }
    struct http_header headers[4];
    size_t count = 0;
    char digits[SLICE_U64_DIGITS];
    struct slice type =
        infer->json_size ? SLICE_LITERAL("application/octet-stream") : SLICE_LITERAL("application/json");
    headers[count++] = (struct http_header){SLICE_LITERAL("Content-Type"), type};
    if (infer->json_size) {
        headers[count++] = (struct http_header){SLICE_LITERAL("Inference-Header-Content-Length"),
                                                slice_from_u64(infer->json_size, digits)};
    }
    if (infer->coding != BODY_IDENTITY)
        headers[count++] =
            (struct http_header){SLICE_LITERAL("Content-Encoding"), slice_of(body_coding_name(infer->coding))};
    if (load_report_header(http->context, http->exchange, &headers[count]))
        count++;
    http_respond_with_tail(http->exchange, 200, headers, count, &answer->bytes, infer_call_tail(call));
}

static const struct infer_call_ops http_infer_ops = {.protocol = "v2-http", .encode = encode, .send = send};

/* The value of Inference-Header-Content-Length; *ret_given tells whether it is there. */
static struct status read_header_length(const struct http_request *request, size_t body_size, bool *ret_given,
                                        size_t *ret) {
    struct slice value;
    uint64_t length;
    *ret_given = http_request_header(request, "inference-header-content-length", &value);
    *ret = body_size;
    if (!*ret_given)
        return status_ok();
    if (!slice_to_u64(slice_trim(value), &length) || length > body_size)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "Inference-Header-Content-Length: expected a number in 0..%zu (the size of the body), got '%.*s'",
            body_size, SLICE_ARGS(value));
    *ret = (size_t)length;
    return status_ok();
}

static struct status decode_raw(struct infer_call *call) {
    struct infer_request *request = call->request;
    struct model *model;
    STATUS_TRY(
        inference_server_acquire_model(call->context->server, request->model_name, request->model_version, &model));
    struct status status = raw_request_decode(model_config_of(model), buf_slice(&call->body), request);
    model_release(model);
    return status;
}

/* The answer to a Content-Encoding that is not known names those that are. */
static void refuse_coding(struct http_call *http, const struct status *error) {
    const struct http_header header = {SLICE_LITERAL("Accept-Encoding"), SLICE_LITERAL("gzip, deflate")};
    http_answer_error_text(http->exchange, 501, slice_of(error->message), &header, 1);
}

/* Takes the body out of the exchange in its plain form. */
static struct status take_body(struct http_call *http, enum body_coding coding, struct buf *ret) {
    *ret = http_exchange_take_body(http->exchange);
    if (coding == BODY_IDENTITY)
        return status_ok();
    STATUS_TRY(body_inflate(coding, http->context->max_body_bytes, ret));
    if (!http_exchange_hold(http->exchange, ret->size))
        return status_error(
            STATUS_UNAVAILABLE,
            "no room for the %zu bytes of the body decompressed: all requests and answers together hold as many "
            "bytes as they may; try again later",
            ret->size);
    return status_ok();
}

/* The call for a body, which it takes over when all is well. */
static struct status create_call(struct http_call *http, struct buf *body, struct http_infer **ret) {
    *ret = infer_call_create(&http_infer_ops, sizeof **ret, http->context, http, body->size);
    if (!*ret)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
    (*ret)->call.body = *body;
    *body = BUF_EMPTY;
    http->infer = &(*ret)->call;
    return status_ok();
}

/* From the head of the exchange and the body to a filled request. */
static struct status decode(struct http_call *http, struct http_infer *infer) {
    struct infer_call *call = &infer->call;
    struct infer_request *request = call->request;
    const struct http_request *head = http_exchange_request(http->exchange);
    struct slice accept;
    if (http_request_header(head, "accept-encoding", &accept))
        infer->coding = body_coding_choose(accept);
    request->model_name = arena_copy(request->arena, http->model);
    if (!request->model_name.data)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
    request->model_version = http->version;
    request->times.received = http_exchange_received_ns(http->exchange);
    bool given;
    size_t json_size;
    STATUS_TRY(read_header_length(head, call->body.size, &given, &json_size));
    if (given && json_size == 0) {
        infer->all_binary = true;
        return decode_raw(call);
    }
    struct slice json = {call->body.data, json_size}, binary = {NULL, 0};
    if (json_size < call->body.size)
        binary = (struct slice){call->body.data + json_size, call->body.size - json_size};
    return infer_json_decode(json, binary, given, clock_monotonic_ns(), request, &infer->all_binary);
}

void v2_infer_http(struct http_call *http) {
    enum body_coding coding = BODY_IDENTITY;
    struct slice content_encoding = {NULL, 0};
    (void)http_request_header(http_exchange_request(http->exchange), "content-encoding", &content_encoding);
    struct status status = body_coding_parse(content_encoding, &coding);
    if (!status_is_ok(&status)) {
        refuse_coding(http, &status);
        return;
    }
    struct http_infer *infer = NULL;
    struct buf body = BUF_EMPTY;
    status = take_body(http, coding, &body);
    if (status_is_ok(&status))
        status = create_call(http, &body, &infer);
    if (infer) {
        struct status decoded = decode(http, infer);
        status = infer_start(&infer->call, http->exchange, TRACE_HTTP, &decoded);
    }
    if (!status_is_ok(&status))
        http_call_answer_error(http, &status);
    else if (infer->call.deadline_ns)
        http_exchange_set_deadline(http->exchange, infer->call.deadline_ns);
    buf_free(&body);
}
