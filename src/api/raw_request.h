/* raw_request.h: an inference whose whole HTTP body is the one input of a model (Inference-Header-Content-Length: 0).
 *
 * Name, datatype and shape come from the model's config: batch 1, and at most one variable dimension, which follows
 * from the size. A BYTES input has dims [1] and the body as its only element. Source: binary tensor data extension,
 * "raw binary". */
#ifndef INFERD_API_RAW_REQUEST_H
#define INFERD_API_RAW_REQUEST_H

#include "core/infer_request.h"
#include "core/model_config.h"

/* Fills the request's only input; its data is `body`, or a copy with a length prefix in the request's arena. */
struct status raw_request_decode(const struct model_config *config, struct slice body,
                                 struct infer_request *request) STATUS_MUST_CHECK;

#endif
