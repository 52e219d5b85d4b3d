/* v2_stream_grpc.c: ModelStreamInfer: ModelInferRequest in, ModelStreamInferResponse out. */
#include "api/grpc_front.h"
#include "api/infer_stream.h"
#include "api/v2_infer_grpc.h"
#include "codec/pb_wire.h"

static struct status decode(const struct api_context *context, struct slice message, struct infer_request *request,
                            bool *ret_empty_final) {
    (void)context;
    return v2_infer_grpc_decode(message, request, ret_empty_final);
}

enum { INFER_RESPONSE = 2 }; /* the number of the message's last member */

/* The message but for the bytes of its tail. */
static struct status encode_in_front(const struct pb_model_infer_response *inner, size_t tail, struct buf *out) {
    size_t size = pb_encoded_size(&pb_model_infer_response_type, inner);
    pb_write_bytes_head(out, INFER_RESPONSE, size + pb_bytes_field_size(V2_RAW_OUTPUT_CONTENTS, tail));
    STATUS_TRY(pb_encode(&pb_model_infer_response_type, inner, out));
    pb_write_bytes_head(out, V2_RAW_OUTPUT_CONTENTS, tail);
    return status_ok();
}

static struct infer_parameter is_final(bool final) {
    return (struct infer_parameter){
        .name = SLICE_LITERAL("triton_final_response"), .kind = PARAMETER_BOOL, .value.boolean = final};
}

/* A response says whether its request has more of them. */
static struct status encode(const struct api_context *context, const struct infer_request *request,
                            const struct infer_response *response, struct buf *out, struct slice *ret_tail) {
    (void)context;
    const struct infer_parameter final = is_final(response->final);
    struct pb_model_infer_response inner;
    STATUS_TRY(v2_infer_grpc_fill(request, response, 1, &inner));
    v2_infer_grpc_add_parameter(&inner, &final);
    if (ret_tail)
        *ret_tail = v2_infer_grpc_take_tail(&inner);
    if (ret_tail && ret_tail->size > 0)
        return encode_in_front(&inner, ret_tail->size, out);
    const struct pb_model_stream_infer_response message = {.infer_response = &inner};
    return pb_encode(&pb_model_stream_infer_response_type, &message, out);
}

/* As with Triton, an error of a request that was submitted names its model and says that no more comes; what is
 * refused before that has its id alone. */
static struct status encode_error(const struct api_context *context, const struct infer_request *request,
                                  const struct status *error, struct buf *out) {
    (void)context;
    const struct infer_parameter final = is_final(true);
    struct pb_infer_parameter value = {0};
    struct pb_model_infer_response_parameters_entry entry = {.value = &value};
    struct pb_model_infer_response inner = {.id = request->id};
    if (request->on_release) {
        inner.model_name = request->model_name;
        inner.parameters.items = &entry;
        v2_infer_grpc_add_parameter(&inner, &final);
    }
    const struct pb_model_stream_infer_response message = {.error_message = slice_of(error->message),
                                                           .infer_response = &inner};
    return pb_encode(&pb_model_stream_infer_response_type, &message, out);
}

static const struct infer_stream_ops v2_stream_ops = {
    .protocol = "v2-stream", .decode = decode, .encode = encode, .encode_error = encode_error};

void v2_stream_grpc_on_message(struct grpc_call *grpc, struct slice message) {
    infer_stream_on_message(&v2_stream_ops, grpc, message);
}
