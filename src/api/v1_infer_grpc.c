/* v1_infer_grpc.c: Infer and StreamInfer of nvidia.inferenceserver.GRPCService: InferRequest -> infer_request;
 * infer_response -> InferResponse. Failures are told in request_status, with the gRPC status OK, or old clients lose
 * what is said. */
#include "api/grpc_front.h"
#include "api/infer_start.h"
#include "api/infer_stream.h"
#include "api/v1_infer.h"
#include "api/v1_service.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
}

/* ---- messages ---- */

/* One entry for each input that has bytes here; a surplus is ignored. */
static struct status take_inputs(struct infer_request *request, const size_t *sizes,
                                 const struct pb_v1_infer_request *message) {
    size_t next = 0;
    for (size_t i = 0; i < request->input_count; i++) {
        struct tensor *input = &request->inputs[i];
        if (input->part.region.size > 0)
            continue;
        if (next == message->raw_input.count)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "raw_input: expected an entry for each input that is not in shared memory, got %zu and "
                                "none for '%.*s'",
                                next, SLICE_ARGS(input->name));
        input->data = message->raw_input.items[next++];
        if (input->data.size != sizes[i])
            return status_error(STATUS_INVALID_ARGUMENT, "input '%.*s': expected %zu bytes of raw_input, got %zu",
                                SLICE_ARGS(input->name), sizes[i], input->data.size);
    }
    return status_ok();
}

static struct status decode(const struct api_context *context, struct slice bytes, struct infer_request *request,
                            bool *ret_empty_final) {
    struct pb_v1_infer_request *message = arena_alloc(request->arena, sizeof *message);
    static const struct pb_v1_infer_request_header empty;
    size_t *sizes;
    *ret_empty_final = false;
    if (!message)
        return no_memory();
    STATUS_TRY(pb_decode(&pb_v1_infer_request_type, bytes, request->arena, message));
    request->model_name = message->model_name;
    if (message->model_version < -1)
        return status_error(STATUS_INVALID_ARGUMENT, "model_version: expected -1 for the latest or a version, got %lld",
                            (long long)message->model_version);
    request->model_version = message->model_version;
    STATUS_TRY(v1_infer_decode(context, message->meta_data ? message->meta_data : &empty, request, &sizes));
    return take_inputs(request, sizes, message);
}

static struct status encode_response(const struct api_context *context, const struct infer_request *request,
                                     const struct infer_response *response, struct buf *out) {
    struct pb_v1_infer_response_header header;
    struct pb_v1_infer_response message = {.meta_data = &header};
    const struct status good = status_ok();
    STATUS_TRY(v1_infer_describe(request, response, &header, &message.raw_output.items));
    message.raw_output.count = header.output.count;
    STATUS_TRY(v1_make_status(context, &good, response->arena, &message.request_status));
    return pb_encode(&pb_v1_infer_response_type, &message, out);
}

/* The id lets the client find out which request has failed; without it one of a stream waits for ever. */
static struct status encode_error(const struct api_context *context, const struct infer_request *request,
                                  const struct status *error, struct buf *out) {
    struct pb_v1_infer_response_header header = {.id = v1_infer_id(request)};
    struct pb_v1_infer_response message = {.meta_data = &header};
    struct arena *arena = arena_create(0);
    struct status status = arena ? v1_make_status(context, error, arena, &message.request_status) : no_memory();
    if (status_is_ok(&status))
        status = pb_encode(&pb_v1_infer_response_type, &message, out);
    arena_destroy(arena);
    return status;
}

/* ---- Infer ---- */

static struct status encode_call(struct infer_call *call, const struct infer_response *response, struct buf *out) {
    return encode_response(call->context, call->request, response, out);
}

/* The call's own deadline ends the call, as it would at the client; everything else is told in the message. */
static void encode_call_error(struct infer_call *call, const struct status *error, struct buf *out) {
    if (error->code == STATUS_DEADLINE_EXCEEDED)
        return;
    struct status status = encode_error(call->context, call->request, error, out);
    if (!status_is_ok(&status))
        out->failed = true;
}

static void send(struct infer_call *call, struct infer_answer *answer) {
    struct grpc_call *grpc = call->exchange;
    if (buf_failed(&answer->bytes) || (!status_is_ok(&answer->status) && answer->bytes.size == 0)) {
        grpc_front_fail(grpc, &answer->status);
        return;
    }
    grpc_call_send(grpc, &answer->bytes);
    grpc_call_finish(grpc, GRPC_OK, "");
}

static struct status decode_call(struct infer_call *call) {
    bool unused;
    return decode(call->context, call->message, call->request, &unused);
}

static void refuse(struct infer_call *call, const struct status *error) {
    struct grpc_call *grpc = call->exchange;
    if (!infer_call_refuse(call, error))
        grpc_front_fail(grpc, error);
}

static const struct infer_call_ops infer_ops = {.protocol = "v1-grpc",
                                                .front = TRACE_GRPC,
                                                .decode = decode_call,
                                                .refuse = refuse,
                                                .encode = encode_call,
                                                .encode_error = encode_call_error,
                                                .send = send};

void v1_infer_grpc_on_message(struct grpc_call *grpc, struct slice message) {
    infer_start_message(&infer_ops, grpc, message);
}

/* ---- StreamInfer ---- */

static struct status encode_message(const struct api_context *context, const struct infer_request *request,
                                    const struct infer_response *response, struct buf *out, struct slice *ret_tail) {
    (void)ret_tail; /* written like the rest */
    return encode_response(context, request, response, out);
}

static const struct infer_stream_ops stream_ops = {
    .protocol = "v1-stream", .decode = decode, .encode = encode_message, .encode_error = encode_error};

void v1_stream_grpc_on_message(struct grpc_call *grpc, struct slice message) {
    infer_stream_on_message(&stream_ops, grpc, message);
}
