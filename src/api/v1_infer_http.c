/* v1_infer_http.c: POST /api/infer/<model>[/<version>]: the header NV-InferRequest describes the tensors whose bytes
 * are the body; the answer's body is the outputs' bytes and behind them the InferResponseHeader, which NV-InferResponse
 * tells too. */
#include "api/handlers.h"
#include "api/infer_start.h"
#include "api/v1_http.h"
#include "api/v1_infer.h"
#include "api/v1_service.h"
#include "codec/pb_text.h"
#include "codec/pb_text_write.h"

struct v1_infer_http {
    struct infer_call call;                   /* first member */
    struct pb_v1_infer_request_header header; /* of the request */
    enum v1_format format;                    /* of the header behind the answer's tensors */
    size_t field_size; /* the answer ends in so many bytes that are the value of NV-InferResponse */
};

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
}

/* ---- answer ---- */

/* Classes stand in the body's header alone: the line of a header field has a bound in old clients, of about 100 KB, and
 * they read classes from the body. */
static struct status write_header_field(const struct pb_v1_infer_response_header *header, struct arena *arena,
                                        struct buf *out) {
    struct pb_v1_infer_response_header shorter = *header;
    shorter.output.items = arena_calloc(arena, header->output.count, sizeof *shorter.output.items);
    if (!shorter.output.items)
        return no_memory();
    for (size_t i = 0; i < header->output.count; i++) {
        shorter.output.items[i] = header->output.items[i];
        shorter.output.items[i].batch_classes.count = 0;
    }
    return pb_text_write(&pb_v1_infer_response_header_type, &shorter, PB_TEXT_ONE_LINE, out);
}

static struct status encode(struct infer_call *call, const struct infer_response *response, struct buf *out) {
    struct v1_infer_http *http = (struct v1_infer_http *)call;
    struct pb_v1_infer_response_header header;
    struct slice *raw;
    STATUS_TRY(v1_infer_describe(call->request, response, &header, &raw));
    for (size_t i = 0; i < header.output.count; i++)
        buf_append_slice(out, raw[i]);
    if (http->format == V1_FORMAT_BINARY)
        STATUS_TRY(pb_encode(&pb_v1_infer_response_header_type, &header, out));
    else
        STATUS_TRY(pb_text_write(&pb_v1_infer_response_header_type, &header, PB_TEXT_LINES, out));
    size_t body_size = out->size;
    STATUS_TRY(write_header_field(&header, response->arena, out));
    http->field_size = out->size - body_size;
    return status_ok();
}

/* A failure is told with the client's id, which has to be there also where it is 0. */
static void answer_failure(struct http_call *call, uint64_t id, const struct status *error) {
    struct arena *arena = http_exchange_arena(call->exchange);
    struct pb_v1_request_status *status;
    struct status made = v1_make_status(call->context, error, arena, &status);
    const char *text = id ? arena_printf(arena, "id: %llu", (unsigned long long)id) : "";
    if (!status_is_ok(&made) || !text) {
        http_exchange_reset(call->exchange);
        return;
    }
    const struct http_header header = {SLICE_LITERAL("NV-InferResponse"), slice_of(text)};
    v1_http_answer(call, status, &header, 1, NULL, NULL);
}

static void send(struct infer_call *call, struct infer_answer *answer) {
    struct v1_infer_http *http = (struct v1_infer_http *)call;
    struct http_call *to = call->exchange;
    struct pb_v1_request_status *status;
    const struct status good = status_ok();
    if (!status_is_ok(&answer->status)) {
        answer_failure(to, http->header.id, &answer->status);
        return;
    }
    struct status made = v1_make_status(to->context, &good, http_exchange_arena(to->exchange), &status);
    if (!status_is_ok(&made)) {
        http_exchange_reset(to->exchange);
        return;
    }
    answer->bytes.size -= http->field_size;
    const struct http_header header = {SLICE_LITERAL("NV-InferResponse"),
                                       {answer->bytes.data + answer->bytes.size, http->field_size}};
    v1_http_answer(to, status, &header, 1, "application/octet-stream", &answer->bytes);
}

/* ---- request ---- */

/* "<model>" or "<model>/<version>". */
static bool read_path(struct slice path, struct slice *ret_model, int64_t *ret_version) {
    struct slice version;
    *ret_version = -1;
    if (!slice_split(path, '/', ret_model, &version))
        return ret_model->size > 0;
    return ret_model->size > 0 && version.size > 0 && version.data[0] >= '0' && version.data[0] <= '9' &&
           slice_to_i64(version, ret_version);
}

/* Cuts the body into the inputs, in their order; all of it must be used. */
static struct status take_inputs(struct infer_request *request, const size_t *sizes, struct slice body) {
    for (size_t i = 0; i < request->input_count; i++) {
        if (sizes[i] > body.size)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "input '%.*s': expected %zu bytes of the body, where %zu are left",
                                SLICE_ARGS(request->inputs[i].name), sizes[i], body.size);
        request->inputs[i].data = (struct slice){body.data, sizes[i]};
        body = (struct slice){body.data + sizes[i], body.size - sizes[i]};
    }
    if (body.size > 0)
        return status_error(STATUS_INVALID_ARGUMENT, "unexpected additional input data: %zu bytes behind the inputs",
                            body.size);
    return status_ok();
}

static struct status decode(struct infer_call *call) {
    size_t *sizes;
    STATUS_TRY(v1_infer_decode(call->context, &((struct v1_infer_http *)call)->header, call->request, &sizes));
    return take_inputs(call->request, sizes, buf_slice(&call->body));
}

static void refuse(struct infer_call *call, const struct status *error) {
    answer_failure(call->exchange, ((struct v1_infer_http *)call)->header.id, error);
}

static const struct infer_call_ops v1_infer_http_ops = {
    .protocol = "v1-http", .front = TRACE_HTTP, .decode = decode, .refuse = refuse, .encode = encode, .send = send};

void v1_infer_http(struct http_call *http) {
    struct slice model, text;
    int64_t version;
    struct status status = http_call_check_plain(http);
    if (!status_is_ok(&status)) { /* before there is an inference, as for calls of other kinds */
        http_call_answer_error(http, &status);
        return;
    }
    size_t size = http_exchange_body(http->exchange).size;
    if (!read_path(http->name, &model, &version) ||
        !http_request_header(http_exchange_request(http->exchange), "nv-inferrequest", &text)) {
        v1_http_refuse(http->exchange);
        return;
    }
    struct v1_infer_http *call = infer_call_create(&v1_infer_http_ops, sizeof *call, http->context, http, size);
    if (!call) {
        status = no_memory();
        answer_failure(http, 0, &status);
        return;
    }
    status = infer_start_take(&call->call, model, version);
    if (!status_is_ok(&status)) {
        answer_failure(http, 0, &status);
        return;
    }
    call->format = v1_http_format(http);
    status = pb_text_parse(&pb_v1_infer_request_header_type, text, "NV-InferRequest", call->call.request->arena,
                           &call->header, NULL);
    if (status_is_ok(&status))
        infer_start(&call->call, 0); /* the tensors are the body as it is */
    else
        v1_http_refuse(http->exchange);
}
