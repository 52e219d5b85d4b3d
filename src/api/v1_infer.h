/* v1_infer.h: inference as TRTIS v1 words it: InferRequestHeader -> infer_request, infer_response ->
 * InferResponseHeader; the same for HTTP, gRPC and streams, which differ in where the tensors' bytes stand.
 *
 * In v1 the batch size is a number of its own, tensors' dims are those of one batch entry, and datatypes are the model
 * config's. Thread: none of its own. */
#ifndef INFERD_API_V1_INFER_H
#define INFERD_API_V1_INFER_H

#include "api/context.h"
#include "codec/trtis_v1_messages.h"
#include "core/infer_request.h"

/* Fills the request, but for the bytes of inputs, from the header and the config of the model that request->model_name
 * names. (*ret_sizes)[i] is how many bytes input i has in the body: none where it is in shared memory. UNAVAILABLE for
 * models that are unknown or not ready, whatever the reason; INVALID_ARGUMENT for inputs that are unknown, have no
 * shape, or a batch_byte_size that does not fit it. */
struct status v1_infer_decode(const struct api_context *context, const struct pb_v1_infer_request_header *header,
                              struct infer_request *request, size_t **ret_sizes) STATUS_MUST_CHECK;
/* The client's id of a request, which comes back with every answer, also a bad one; 0: none. */
uint64_t v1_infer_id(const struct infer_request *request);

/* Fills the header of a good answer, and for each of its outputs the bytes that go beside it: none for classes and for
 * what is in shared memory. When no output was named v1 answers with the header alone. Memory of the response. */
struct status v1_infer_describe(const struct infer_request *request, const struct infer_response *response,
                                struct pb_v1_infer_response_header *ret, struct slice **ret_raw) STATUS_MUST_CHECK;

#endif
