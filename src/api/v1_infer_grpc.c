/* v1_infer_grpc.c: Infer of nvidia.inferenceserver.GRPCService: InferRequest -> infer_request; infer_response ->
 * InferResponse. Failures are told in request_status, with the gRPC status OK, or old clients lose what is said. */
#include "api/call_log.h"
#include "api/grpc_front.h"
#include "api/infer_head.h"
#include "api/v1_infer.h"
#include "api/v1_service.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
}

/* ---- answer ---- */

static struct status write_response(const struct api_context *context, const struct status *outcome,
                                    struct arena *arena, struct pb_v1_infer_response *response, struct buf *out) {
    STATUS_TRY(v1_make_status(context, outcome, arena, &response->request_status));
    return pb_encode(&pb_v1_infer_response_type, response, out);
}

static struct status encode(struct infer_call *call, const struct infer_response *response, struct buf *out) {
    struct pb_v1_infer_response_header header;
    struct pb_v1_infer_response message = {.meta_data = &header};
    const struct status good = status_ok();
    STATUS_TRY(v1_infer_describe((struct v1_infer *)call, response, &header, &message.raw_output.items));
    message.raw_output.count = header.output.count;
    return write_response(call->context, &good, response->arena, &message, out);
}

/* The id lets the client find out which request has failed. */
static void answer_failure(struct grpc_call *grpc, uint64_t id, const struct status *error) {
    struct pb_v1_infer_response_header header = {.id = id};
    struct pb_v1_infer_response message = {.meta_data = &header};
    struct buf answer = BUF_EMPTY;
    struct status status = write_response(grpc_call_user(grpc), error, grpc_call_arena(grpc), &message, &answer);
    if (status_is_ok(&status)) {
        grpc_call_send(grpc, &answer);
        grpc_call_finish(grpc, GRPC_OK, "");
    } else {
        grpc_front_fail(grpc, &status);
    }
    buf_free(&answer);
}

static void send(struct infer_call *call, struct infer_answer *answer) {
    struct grpc_call *grpc = call->exchange;
    if (!status_is_ok(&answer->status)) {
        answer_failure(grpc, ((struct v1_infer *)call)->id, &answer->status);
        return;
    }
    grpc_call_send(grpc, &answer->bytes);
    grpc_call_finish(grpc, GRPC_OK, "");
}

static const struct infer_call_ops v1_infer_grpc_ops = {.encode = encode, .send = send};

/* ---- request ---- */

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

static struct status decode(struct v1_infer *infer, struct slice bytes) {
    struct infer_request *request = infer->call.request;
    struct pb_v1_infer_request *message = arena_alloc(request->arena, sizeof *message);
    static const struct pb_v1_infer_request_header empty;
    size_t *sizes;
    if (!message)
        return no_memory();
    STATUS_TRY(pb_decode(&pb_v1_infer_request_type, bytes, request->arena, message));
    request->model_name = message->model_name;
    if (message->model_version < -1)
        return status_error(STATUS_INVALID_ARGUMENT, "model_version: expected -1 for the latest or a version, got %lld",
                            (long long)message->model_version);
    request->model_version = message->model_version;
    STATUS_TRY(v1_infer_decode(infer, message->meta_data ? message->meta_data : &empty, &sizes));
    return take_inputs(request, sizes, message);
}

void v1_infer_grpc_on_message(struct grpc_call *grpc, struct slice message) {
    const struct api_context *context = grpc_call_user(grpc);
    struct v1_infer *infer = infer_call_create(&v1_infer_grpc_ops, sizeof *infer, context, grpc, message.size);
    struct status status = infer ? status_ok() : no_memory();
    if (infer) {
        grpc_call_set_context(grpc, infer);
        infer->call.body = grpc_call_take_message(grpc, &message);
        infer->call.request->deadline_ns = grpc_call_deadline_ns(grpc);
        infer->call.request->times.received = http_exchange_received_ns(grpc_call_exchange(grpc));
        status = decode(infer, message);
        call_log_note(context->log, grpc_call_exchange(grpc), infer->call.request);
    }
    if (status_is_ok(&status))
        status = infer_head_apply(&infer->call, grpc_call_exchange(grpc), TRACE_GRPC);
    if (status_is_ok(&status))
        status = infer_call_submit(&infer->call);
    if (!status_is_ok(&status)) {
        call_log_failure(context->log, infer ? infer->call.request : NULL, &status);
        answer_failure(grpc, infer ? infer->id : 0, &status);
    } else if (infer->call.deadline_ns != grpc_call_deadline_ns(grpc)) {
        grpc_call_wake_at(grpc, infer->call.deadline_ns);
    }
}
