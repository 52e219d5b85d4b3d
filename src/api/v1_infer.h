/* v1_infer.h: inference as TRTIS v1 words it: InferRequestHeader -> infer_request, infer_response ->
 * InferResponseHeader; the same for HTTP, gRPC and streams, which differ in where the tensors' bytes stand.
 *
 * In v1 the batch size is a number of its own, tensors' dims are those of one batch entry, and datatypes are the model
 * config's. Thread: none of its own. */
#ifndef INFERD_API_V1_INFER_H
#define INFERD_API_V1_INFER_H

#include "api/infer_call.h"
#include "codec/trtis_v1_messages.h"

/* An inference under way; adapters put it first in theirs. */
struct v1_infer {
    struct infer_call call;
    uint64_t id;         /* of the client; comes back with every answer, also a bad one */
    uint32_t batch_size; /* as asked for */
    bool wants_outputs;  /* v1 answers with the header alone when no output is named */
};

/* Fills the request, but for the bytes of inputs, from the header and the config of the model that infer->call.request
 * names. (*ret_sizes)[i] is how many bytes input i has in the body: none where it is in shared memory. UNAVAILABLE for
 * models that are unknown or not ready, whatever the reason; INVALID_ARGUMENT for inputs that are unknown, have no
 * shape, or a batch_byte_size that does not fit it. */
struct status v1_infer_decode(struct v1_infer *infer, const struct pb_v1_infer_request_header *header,
                              size_t **ret_sizes) STATUS_MUST_CHECK;

/* Fills the header of a good answer, and for each of its outputs the bytes that go beside it: none for classes and for
 * what is in shared memory. Memory of the response. */
struct status v1_infer_describe(const struct v1_infer *infer, const struct infer_response *response,
                                struct pb_v1_infer_response_header *ret, struct slice **ret_raw) STATUS_MUST_CHECK;

#endif
