/* client_tensor.h: checks that a tensor's datatype, shape and bytes agree. Used for requests and for answers. */
#ifndef INFERD_CLIENT_CLIENT_TENSOR_H
#define INFERD_CLIENT_CLIENT_TENSOR_H

#include "client/infer_client.h"

/* Bytes of one element ("FP32": 4); 0 for BYTES, whose elements vary; -1 for a name that KServe v2 does not know. */
int client_tensor_element_size(struct slice datatype);
/* The product of the shape. Errors: as of the next, without a look at the data. */
struct status client_tensor_count(const struct infer_tensor *tensor, size_t *ret) STATUS_MUST_CHECK;
/* INVALID_ARGUMENT names the tensor, what was expected and what was got: unknown datatype, rank over
 * INFER_TENSOR_RANK_MAX, negative dim, overflow, data of another size, BYTES elements that overrun. */
struct status client_tensor_check(const struct infer_tensor *tensor) STATUS_MUST_CHECK;

#endif
