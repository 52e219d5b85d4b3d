/* v1_http_body.c: TRTIS v1 over HTTP/1.1: the tensors' bytes are the body, their description is protobuf text in the
 * headers NV-InferRequest and NV-InferResponse, and NV-Status tells what became of a call. See client_body.h. */
#include "client/http_head.h"
#include "client/remote_status.h"
#include "client/v1_body.h"
#include "codec/pb_text.h"
#include "codec/pb_text_write.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an HTTP message");
}

/* ---- requests ---- */

/* The key, which begins with a slash, stands in the path as it is. */
static void write_memory_query(const struct client_query *query, struct buf *out) {
    bool add = query->kind == QUERY_MEMORY_REGISTER;
    buf_append_text(out, add ? "POST /api/sharedmemorycontrol/register/" : "POST /api/sharedmemorycontrol/unregister/");
    http_head_segment(out, query->region);
    if (add)
        buf_printf(out, "/%.*s/0/%llu", SLICE_ARGS(query->key), (unsigned long long)query->byte_size);
}

static struct status write_query(const struct client_query *query, const char *authority, struct client_call *call) {
    struct buf *out = &call->request;
    STATUS_TRY(v1_body_check_query(query));
    if (client_query_is_order(query->kind)) {
        write_memory_query(query, out);
    } else if (query->kind == QUERY_SERVER_READY) {
        buf_append_text(out, "GET /api/health/ready");
    } else {
        buf_append_text(out, query->model.size > 0 ? "GET /api/status/" : "GET /api/status");
        http_head_segment(out, query->model);
        buf_append_text(out, "?format=binary");
    }
    http_head_common(call, authority);
    buf_append_text(out, client_query_is_order(query->kind) ? "Content-Length: 0\r\n\r\n" : "\r\n");
    return buf_failed(out) ? out_of_memory() : status_ok();
}

static struct status write_infer(const struct infer_request_spec *request, const char *authority, struct arena *arena,
                                 struct client_call *call) {
    struct buf *out = &call->request;
    struct pb_v1_infer_request_header header;
    size_t size = 0, sent = request->input_regions == NULL ? request->input_count : 0;
    int64_t version;
    STATUS_TRY(v1_body_version(request->version, &version));
    STATUS_TRY(v1_body_describe(request, arena, &header));
    for (size_t i = 0; i < sent; i++) {
        if (__builtin_add_overflow(size, request->inputs[i].data.size, &size))
            return status_error(STATUS_TOO_LARGE, "the tensors of a request are too large");
    }
    buf_append_text(out, "POST /api/infer/");
    http_head_segment(out, request->model);
    if (version >= 0)
        buf_printf(out, "/%lld", (long long)version);
    buf_append_text(out, "?format=binary");
    http_head_common(call, authority);
    buf_append_text(out, "NV-InferRequest: ");
    STATUS_TRY(pb_text_write(&pb_v1_infer_request_header_type, &header, PB_TEXT_ONE_LINE, out));
    buf_printf(out, "\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", size);
    buf_reserve(out, size);
    for (size_t i = 0; i < sent; i++)
        buf_append_slice(out, request->inputs[i].data);
    return buf_failed(out) ? out_of_memory() : status_ok();
}

/* ---- answers ---- */

static struct status read_text(const struct pb_message *type, const struct buf *text, const char *header,
                               struct arena *arena, void *ret) {
    struct status status = pb_text_parse(type, buf_slice(text), header, arena, ret, NULL);
    if (status.code == STATUS_INVALID_ARGUMENT)
        status.code = STATUS_DATA_LOSS;
    return status_is_ok(&status) ? status : status_prefix(status, "the server's answer");
}

/* NV-Status decides; without it the answer did not come from a handler of the protocol. */
static struct status check_answer(const struct client_call *call, struct arena *arena) {
    struct pb_v1_request_status outcome;
    if (!status_is_ok(&call->status))
        return call->status;
    STATUS_TRY(http_head_check(call));
    if (call->v1_status.size == 0 && call->http_status != 200)
        return remote_status_http(call->http_status, buf_slice(&call->answer));
    if (call->v1_status.size == 0)
        return status_error(STATUS_DATA_LOSS, "the server's answer has no NV-Status (does it speak TRTIS v1?)");
    STATUS_TRY(read_text(&pb_v1_request_status_type, &call->v1_status, "NV-Status", arena, &outcome));
    STATUS_TRY(v1_body_outcome(&outcome));
    if (call->http_status != 200)
        return status_error(STATUS_DATA_LOSS, "the server says HTTP status %d, and SUCCESS in NV-Status",
                            call->http_status);
    return status_ok();
}

/* Cuts the body into the outputs; behind them stands the header once more, which is never empty. */
static struct status cut_body(const struct client_call *call, const struct pb_v1_infer_response_header *header,
                              struct slice *raw) {
    struct slice body = buf_slice(&call->answer);
    for (size_t i = 0; i < header->output.count; i++) {
        const struct pb_v1_infer_response_header_output *output = &header->output.items[i];
        uint64_t size = output->raw != NULL && !call->outputs_in_memory ? output->raw->batch_byte_size : 0;
        if (size > body.size)
            return status_error(STATUS_DATA_LOSS,
                                "output '%.*s' says %llu bytes of data, but %zu are left in the answer",
                                SLICE_ARGS(output->name), (unsigned long long)size, body.size);
        raw[i] = (struct slice){body.data, (size_t)size};
        body = (struct slice){body.data + size, body.size - (size_t)size};
    }
    if (body.size == 0)
        return status_error(STATUS_DATA_LOSS, "the server's answer ends with its tensors, without the header");
    return status_ok();
}

static struct status read_infer(const struct client_call *call, struct arena *arena, struct client_infer_answer *ret) {
    struct pb_v1_infer_response_header header;
    *ret = (struct client_infer_answer){0};
    STATUS_TRY(check_answer(call, arena));
    if (call->v1_header.size == 0)
        return status_error(STATUS_DATA_LOSS, "the server's answer has no NV-InferResponse");
    STATUS_TRY(read_text(&pb_v1_infer_response_header_type, &call->v1_header, "NV-InferResponse", arena, &header));
    if (header.output.count > INFER_ANSWER_TENSORS_MAX)
        return status_error(STATUS_DATA_LOSS, "the server's answer has %zu outputs", header.output.count);
    struct slice *raw = arena_calloc(arena, header.output.count, sizeof *raw);
    if (raw == NULL)
        return out_of_memory();
    STATUS_TRY(cut_body(call, &header, raw));
    return v1_body_read(call, &header, raw, arena, ret);
}

static struct status read_status(const struct client_call *call, struct slice body, struct arena *arena,
                                 struct pb_v1_server_status *ret) {
    STATUS_TRY(check_answer(call, arena));
    struct status status = pb_decode(&pb_v1_server_status_type, body, arena, ret);
    if (status.code == STATUS_INVALID_ARGUMENT)
        status.code = STATUS_DATA_LOSS;
    return status_is_ok(&status) ? status : status_prefix(status, "the server's answer");
}

static struct status read_ready(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                bool *ret) {
    struct pb_v1_server_status server;
    if (!status_is_ok(&call->status))
        return call->status;
    bool foreign = call->v1_status.size == 0 && call->answer.size > 0; /* a text of who does not speak v1 */
    if (query->kind == QUERY_SERVER_READY && (call->http_status == 200 || (call->http_status == 400 && !foreign))) {
        *ret = call->http_status == 200;
        return status_ok();
    }
    if (query->kind != QUERY_MODEL_READY) {
        *ret = true;
        return check_answer(call, arena);
    }
    struct status status = read_status(call, buf_slice(&call->answer), arena, &server);
    *ret = status_is_ok(&status) && v1_body_model_ready(&server, query->model, query->version);
    bool said_no = call->http_status == 400 && call->v1_status.size > 0; /* it does not know the model, or ends */
    return said_no ? status_ok() : status;
}

/* Only a config is asked for so. */
static struct status read_message(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                  const struct pb_message *type, void *ret) {
    (void)type;
    struct slice copy = arena_copy(arena, buf_slice(&call->answer)); /* the message's strings outlive the call */
    struct pb_v1_server_status server;
    if (copy.data == NULL && call->answer.size > 0)
        return out_of_memory();
    STATUS_TRY(read_status(call, copy, arena, &server));
    return v1_body_config(&server, query->model, ret);
}

static struct status read_statistics(const struct client_call *call, struct arena *arena, struct infer_statistics **ret,
                                     size_t *ret_count) {
    struct pb_v1_server_status server;
    STATUS_TRY(read_status(call, buf_slice(&call->answer), arena, &server));
    return v1_body_statistics(&server, arena, ret, ret_count);
}

const struct client_body_ops v1_http_body_ops = {
    .write_query = write_query,
    .write_infer = write_infer,
    .read_infer = read_infer,
    .read_ready = read_ready,
    .read_message = read_message,
    .read_statistics = read_statistics,
    .untyped = true,
};
