/* json_tensor.h: a tensor's elements between their JSON form and the binary form of KServe v2 (little-endian,
 * row-major, unpadded; a BYTES element is a 4-byte length and its bytes). For the server and for clients.
 *
 * JSON: flat or nested arrays in row-major order; BOOL as true and false, numbers as numbers (also NaN, Infinity,
 * -Infinity for the float types), BYTES as strings. Source: KServe v2 "Tensor Data". Thread: none of its own. */
#ifndef INFERD_CODEC_JSON_TENSOR_H
#define INFERD_CODEC_JSON_TENSOR_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

/* What is known of a tensor before its elements are read; all of it is borrowed. */
struct json_tensor {
    struct slice name, datatype; /* "FP32" */
    const int64_t *shape;
    int rank;
    size_t element_count; /* the product of the shape */
    const char *list;     /* where it stands, for messages: "inputs", with its index; NULL: its name says it */
    size_t index;
};

/* Reads an array of element_count elements into memory of the arena. The document was read with
 * YYJSON_READ_ALLOW_INF_AND_NAN and YYJSON_READ_BIGNUM_AS_RAW. `json_size` bounds how many elements there can be.
 * INVALID_ARGUMENT tells the place ("inputs[1].data[3]: expected an integer in -128..127 for INT8, got 300"). */
struct status json_tensor_decode(const struct json_tensor *tensor, yyjson_val *data, size_t json_size,
                                 struct arena *arena, struct slice *ret) STATUS_MUST_CHECK;
/* The same of one element, or of a flat array of any count: element_count is not looked at. */
struct status json_tensor_decode_flat(const struct json_tensor *tensor, yyjson_val *value, struct arena *arena,
                                      struct slice *ret) STATUS_MUST_CHECK;

/* Appends the elements as one flat array; the second without its brackets. INVALID_ARGUMENT for a BYTES element that is
 * not UTF-8, which has no JSON form ("'OUT': element 1 is not UTF-8 ..."); INTERNAL for one that is cut off. */
struct status json_tensor_encode(struct slice name, struct slice datatype, struct slice data,
                                 struct buf *out) STATUS_MUST_CHECK;
struct status json_tensor_encode_elements(struct slice name, struct slice datatype, struct slice data,
                                          struct buf *out) STATUS_MUST_CHECK;

#endif
