/* tensor_contents.h: gRPC's typed tensor contents (InferTensorContents) to the binary form of core/tensor.h.
 *
 * Which member carries which datatype: bool_contents BOOL; int_contents INT8, INT16, INT32; int64_contents INT64;
 * uint_contents UINT8, UINT16, UINT32; uint64_contents UINT64; fp32_contents FP32; fp64_contents FP64; bytes_contents
 * BYTES. FP16 and BF16 have none. Source: KServe v2 gRPC, "InferTensorContents". */
#ifndef INFERD_API_TENSOR_CONTENTS_H
#define INFERD_API_TENSOR_CONTENTS_H

#include "codec/inference_messages.h"
#include "core/tensor.h"

/* Sets tensor->data; type, rank and shape are set. Same-sized elements are not copied: the data points into `contents`.
 * INVALID_ARGUMENT for the wrong member, several members, a number out of the type's range, or the wrong count; `index`
 * is the input's, for messages. */
struct status tensor_contents_decode(const struct pb_infer_tensor_contents *contents, size_t index, struct arena *arena,
                                     struct tensor *tensor) STATUS_MUST_CHECK;

#endif
