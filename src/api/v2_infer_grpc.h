/* v2_infer_grpc.h: ModelInferRequest and ModelInferResponse between their messages and the core's structs; for
 * ModelInfer and for streams of them. Thread: any. */
#ifndef INFERD_API_V2_INFER_GRPC_H
#define INFERD_API_V2_INFER_GRPC_H

#include "codec/inference_messages.h"
#include "core/infer_request.h"

enum { V2_RAW_OUTPUT_CONTENTS = 6 }; /* the number of the response's last member */

/* Fills the request. Its slices point into `bytes`. *ret_empty_final is what the parameter
 * triton_enable_empty_final_response says. */
struct status v2_infer_grpc_decode(struct slice bytes, struct infer_request *request,
                                   bool *ret_empty_final) STATUS_MUST_CHECK;
/* Fills the message, with room for `extra` further parameters behind those of the response. Memory is the response's.
 */
struct status v2_infer_grpc_fill(const struct infer_request *request, const struct infer_response *response,
                                 size_t extra, struct pb_model_infer_response *ret) STATUS_MUST_CHECK;
/* Appends a parameter for which there is such room. */
void v2_infer_grpc_add_parameter(struct pb_model_infer_response *message, const struct infer_parameter *parameter);
/* Takes the last raw output out of the message if its bytes are to end the answer uncopied (else gives an empty slice);
 * its tag and length are to be written behind what is left. */
struct slice v2_infer_grpc_take_tail(struct pb_model_infer_response *message);

#endif
