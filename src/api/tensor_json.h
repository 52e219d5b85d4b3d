/* tensor_json.h: codec/json_tensor.h for core's tensors: the elements of requests from JSON, those of answers to JSON.
 * Thread: none of its own. */
#ifndef INFERD_API_TENSOR_JSON_H
#define INFERD_API_TENSOR_JSON_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "core/tensor.h"

/* Reads `data` into tensor->data (memory of the arena); type, rank and shape are set. `json_size` bounds how many
 * elements there can be. INVALID_ARGUMENT tells the place ("inputs[1].data[3]: expected an integer in -128..127 for
 * INT8, got 300"); list and index name the tensor in such messages. */
struct status tensor_json_decode(yyjson_val *data, size_t json_size, const char *list, size_t index,
                                 struct arena *arena, struct tensor *tensor) STATUS_MUST_CHECK;
/* Appends the elements as one flat array. INVALID_ARGUMENT for a BYTES element that is not UTF-8: it has no JSON form.
 */
struct status tensor_json_encode(const struct tensor *tensor, struct buf *out) STATUS_MUST_CHECK;

/* The forms of the generate extension. In: one element, or a flat array of as many as the shape will have. Messages
 * begin with the tensor's name. Out: an element where there is one, else an array. */
struct status tensor_json_decode_flat(yyjson_val *value, struct arena *arena, struct tensor *tensor) STATUS_MUST_CHECK;
struct status tensor_json_encode_flat(const struct tensor *tensor, struct buf *out) STATUS_MUST_CHECK;

#endif
