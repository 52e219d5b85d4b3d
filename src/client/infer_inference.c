/* infer_inference.c: inferences as calls of the client: the request is checked and written, the answer taken apart. */
#include "base/clock.h"
#include "client/client_tensor.h"
#include "client/grpc_message.h"
#include "client/infer_client_priv.h"

/* An answer of a stream that is not the last. */
static void take_partial(struct client_call *base) {
    struct infer_call *call = base->owner;
    uint64_t now_ns = clock_monotonic_ns();
    buf_append(&call->responses, &now_ns, sizeof now_ns);
    if (call->on_partial != NULL) {
        call->on_partial(call->user);
        call->client->told_partial = true;
    }
}

/* on_answer of an inference: every tensor is checked before anyone sees it. */
static struct status read_inference(struct infer_call *call) {
    arena_reset(call->arena); /* the request's scratch */
    STATUS_TRY(call->client->body->read_infer(&call->base, call->arena, &call->answer));
    bool checked = !call->base.outputs_in_memory && !call->client->body->untyped;
    for (size_t i = 0; i < call->answer.output_count && checked; i++) {
        struct status status = client_tensor_check(&call->answer.outputs[i]);
        if (!status_is_ok(&status)) {
            status.code = STATUS_DATA_LOSS;
            return status_prefix(status, "the server's answer");
        }
    }
    return status_ok();
}

static void deliver_inference(struct infer_call *call) {
    struct infer_result result = {.status = call->base.status, .timing = call->base.timing};
    if (status_is_ok(&result.status)) {
        if (!call->base.final_is_empty)
            buf_append(&call->responses, &call->base.timing.end_ns, sizeof call->base.timing.end_ns);
        result.response_ns = (const uint64_t *)(const void *)call->responses.data;
        result.response_count = call->responses.size / sizeof *result.response_ns;
        result.outputs = call->answer.outputs;
        result.output_count = call->answer.output_count;
        result.model_version = call->answer.model_version;
        result.id = call->answer.id;
    }
    call->callback(call->user, &result);
}

static struct status check_request(const struct infer_request_spec *request) {
    if (request->model.size == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "a request without a model name");
    for (size_t i = 0; i < request->input_count; i++)
        STATUS_TRY(client_tensor_check(&request->inputs[i]));
    return status_ok();
}

struct status infer_client_infer(struct infer_client *client, const struct infer_request_spec *request,
                                 infer_callback_f *callback, void *user) {
    uint64_t start_ns = clock_monotonic_ns();
    if (client->closing)
        return status_error(STATUS_CANCELLED, "the client is being closed");
    STATUS_TRY(check_request(request));
    struct infer_call *call = infer_client_call_new(client);
    if (call == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a request");
    call->base.timing.start_ns = start_ns;
    call->callback = callback;
    call->on_partial = request->on_partial;
    call->user = user;
    call->on_answer = read_inference;
    call->on_done = deliver_inference;
    call->base.outputs_in_memory = request->output_regions != NULL;
    call->base.batched = request->batched;
    call->base.json_inputs = client->options.json_inputs;
    call->base.json_outputs = client->options.json_outputs;
    struct infer_request_spec spec = *request;
    char number[SLICE_U64_DIGITS];
    if (client->options.stream) {
        call->base.on_stream = true;
        call->base.stream_number = ++client->stream_number;
        call->base.on_partial = take_partial;
        spec.id = slice_from_u64(call->base.stream_number, number);
    }
    call->base.encoding = grpc_message_encoding_name(client->options.encoding);
    struct status status = client->body->write_infer(&spec, client->target.authority, call->arena, &call->base);
    if (status_is_ok(&status))
        status = grpc_message_pack(&call->base.request, client->options.encoding);
    if (!status_is_ok(&status)) {
        infer_client_call_recycle(call);
        return status;
    }
    infer_client_call_start(call);
    return status;
}
