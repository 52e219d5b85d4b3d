/* v2_infer_http.c: POST /v2/models/M[/versions/V]/infer: body -> infer_request; infer_response -> body. */
#include <inttypes.h>

#include "api/handlers.h"
#include "api/infer_json.h"
#include "api/infer_start.h"
#include "api/load_report.h"
#include "api/raw_request.h"
#include "base/clock.h"
#include "http/http_text.h"

struct http_infer {
    struct infer_call call;
    enum body_coding body_coding; /* of the request */
    bool has_header_length;       /* Inference-Header-Content-Length, */
    uint64_t header_length;       /* and its value */
    bool all_binary;              /* for requests that name no outputs */
    enum body_coding coding;      /* of the answer */
    size_t json_size;             /* of the answer, when bytes follow the JSON; else 0 */
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

/* ---- request ---- */

static struct status decode_raw(struct infer_call *call) {
    struct infer_request *request = call->request;
    struct model *model;
    STATUS_TRY(
        inference_server_acquire_model(call->context->server, request->model_name, request->model_version, &model));
    struct status status = raw_request_decode(model_config_of(model), buf_slice(&call->body), request);
    model_release(model);
    return status;
}

/* The answer to a Content-Encoding that is not taken names those that are. */
static void refuse_coding(struct http_call *http, const struct status *error) {
    const struct http_header header = {SLICE_LITERAL("Accept-Encoding"), SLICE_LITERAL("gzip, deflate")};
    http_answer_error(http->exchange, error, &header, 1);
}

/* Of struct infer_call_ops. */
static struct status decode(struct infer_call *call) {
    struct http_infer *infer = (struct http_infer *)call;
    if (infer->body_coding != BODY_IDENTITY) {
        STATUS_TRY(body_inflate(infer->body_coding, call->context->max_body_bytes, infer_call_inflate_gate(call),
                                &call->body));
        infer_call_set_body_size(call, call->body.size);
    }
    size_t json_size = call->body.size;
    if (infer->has_header_length) {
        if (infer->header_length > json_size)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "Inference-Header-Content-Length: expected a number in 0..%zu (the size of the body), "
                                "got '%" PRIu64 "'",
                                json_size, infer->header_length);
        json_size = (size_t)infer->header_length;
    }
    if (infer->has_header_length && json_size == 0) {
        infer->all_binary = true;
        return decode_raw(call);
    }
    struct slice json = {call->body.data, json_size}, binary = {NULL, 0};
    if (json_size < call->body.size)
        binary = (struct slice){call->body.data + json_size, call->body.size - json_size};
    STATUS_TRY(infer_call_reserve_json(call, json));
    return infer_json_decode(json, binary, infer->has_header_length, clock_monotonic_ns(), call->request,
                             &infer->all_binary);
}

static void refuse(struct infer_call *call, const struct status *error) {
    http_call_answer_error(call->exchange, error);
}

static const struct infer_call_ops http_infer_ops = {
    .protocol = "v2-http", .front = TRACE_HTTP, .decode = decode, .refuse = refuse, .encode = encode, .send = send};

/* What the head says, for the decoding. */
static struct status read_head(struct http_call *http, struct http_infer *infer) {
    const struct http_request *head = http_exchange_request(http->exchange);
    struct slice value;
    STATUS_TRY(http_join_values(head, SLICE_LITERAL("accept-encoding"), http_exchange_arena(http->exchange), &value));
    infer->coding = body_coding_choose(value);
    STATUS_TRY(http_request_sole_header(head, "inference-header-content-length", &value));
    infer->has_header_length = value.data != NULL;
    if (infer->has_header_length && !slice_to_u64(slice_trim(value), &infer->header_length))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "Inference-Header-Content-Length: expected a number in 0..%zu (the size of the body), "
                            "got '%.*s'",
                            infer->call.body.size, SLICE_ARGS(value));
    return status_ok();
}

/* Binary tensors behind the JSON cost nothing. */
static size_t weight_of(const struct http_infer *infer) {
    size_t size = infer->call.body.size;
    if (infer->body_coding != BODY_IDENTITY)
        return size * INFER_WEIGHT_OF_PACKED;
    return infer->has_header_length && infer->header_length < size ? (size_t)infer->header_length : size;
}

void v2_infer_http(struct http_call *http) {
    enum body_coding coding = BODY_IDENTITY;
    struct status status = http_call_coding(http, &coding);
    if (!status_is_ok(&status)) {
        refuse_coding(http, &status);
        return;
    }
    size_t size = http_exchange_body(http->exchange).size;
    struct http_infer *infer = infer_call_create(&http_infer_ops, sizeof *infer, http->context, http, size);
    if (!infer) {
        status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
        http_call_answer_error(http, &status);
        return;
    }
    infer->body_coding = coding;
    status = infer_start_take(&infer->call, http->model, http->version);
    if (status_is_ok(&status))
        status = read_head(http, infer);
    if (status_is_ok(&status))
        infer_start(&infer->call, weight_of(infer));
    else
        http_call_answer_error(http, &status);
}
