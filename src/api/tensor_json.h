/* tensor_json.h: tensor elements between their JSON form and the binary form of core/tensor.h.
 *
 * JSON: flat or nested arrays in row-major order; BOOL as true and false, numbers as numbers (also NaN, Infinity,
 * -Infinity for the float types), BYTES as strings. Source: KServe v2 "Tensor Data". Thread: none of its own. */
#ifndef INFERD_API_TENSOR_JSON_H
#define INFERD_API_TENSOR_JSON_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "core/tensor.h"

enum { JSON_NESTING_MAX = 100 };

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

/* "the number 300", "a string", ... for messages. */
void json_value_describe(yyjson_val *value, char *text, size_t size);
/* True when arrays and objects are nested deeper than `levels` in the value. */
bool json_nested_deeper(yyjson_val *value, int levels);

#endif
