/* json_element.h: elements of tensors as JSON: from their binary form, little-endian, as KServe v2 has it, and back. */
#ifndef INFERD_CODEC_JSON_ELEMENT_H
#define INFERD_CODEC_JSON_ELEMENT_H

#include <yyjson.h>

#include "base/buf.h"
#include "base/slice.h"

/* Appends the element at `in`, which may be at any alignment. */
typedef void json_element_f(const char *in, struct buf *out);

json_element_f json_element_bool, json_element_u8, json_element_u16, json_element_u32, json_element_u64,
    json_element_i8, json_element_i16, json_element_i32, json_element_i64, json_element_f16, json_element_bf16,
    json_element_f32, json_element_f64;

/* How one datatype is read and written. */
struct json_element_kind {
    const char *datatype; /* "FP32" */
    /* Writes the binary form to `out` (size bytes, at any alignment); false when the value is not one of this type.
     * NULL for BYTES, as the next. */
    bool (*read)(const struct json_element_kind *kind, yyjson_val *value, char *out);
    json_element_f *write;
    size_t size;          /* 0 for BYTES */
    int64_t min;          /* for integers */
    uint64_t max;         /* for integers */
    double limit;         /* for floats: the smallest magnitude that would round to infinity */
    const char *expected; /* "an integer in 0..255" */
};
/* NULL for a datatype that is unknown. */
const struct json_element_kind *json_element_kind_of(struct slice datatype);

/* A tensor's elements, one behind the other, as a flat array: numbers, or strings for BYTES,
 * and for "NaN", "Infinity" and "-Infinity", which JSON has no numbers for. What is left over of data
 * that are no whole number of elements is left out; an array of nothing for a datatype ("FP32") that is unknown. */
void json_append_elements(struct buf *out, struct slice datatype, struct slice data);

#endif
