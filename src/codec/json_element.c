#include "codec/json_element.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/half.h"
#include "codec/json_write.h"

enum { LENGTH_SIZE = 4 }; /* before each element of BYTES */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are little-endian and are copied as they are");

/* ---- to JSON ---- */

void json_element_bool(const char *in, struct buf *out) {
    json_append_bool(out, *in != 0);
}

#define ELEMENT(name, type, append)                                                                                    \
    void name(const char *in, struct buf *out) {                                                                       \
        type number;                                                                                                   \
        memcpy(&number, in, sizeof number);                                                                            \
        append(out, number);                                                                                           \
    }
ELEMENT(json_element_u8, uint8_t, json_append_u64)
ELEMENT(json_element_u16, uint16_t, json_append_u64)
ELEMENT(json_element_u32, uint32_t, json_append_u64)
ELEMENT(json_element_u64, uint64_t, json_append_u64)
ELEMENT(json_element_i8, int8_t, json_append_i64)
ELEMENT(json_element_i16, int16_t, json_append_i64)
ELEMENT(json_element_i32, int32_t, json_append_i64)
ELEMENT(json_element_i64, int64_t, json_append_i64)
ELEMENT(json_element_f32, float, json_append_float)
ELEMENT(json_element_f64, double, json_append_double)
#undef ELEMENT

void json_element_f16(const char *in, struct buf *out) {
    uint16_t half;
    memcpy(&half, in, sizeof half);
    json_append_float(out, half_to_float(half));
}

void json_element_bf16(const char *in, struct buf *out) {
    uint16_t half;
    memcpy(&half, in, sizeof half);
    json_append_float(out, bfloat16_to_float(half));
}

/* ---- from JSON ---- */

static bool read_bool(const struct json_element_kind *kind, yyjson_val *value, char *out) {
    (void)kind;
    if (!yyjson_is_bool(value))
        return false;
    *out = yyjson_get_bool(value) ? 1 : 0;
    return true;
}

static bool read_integer(const struct json_element_kind *kind, yyjson_val *value, char *out) {
    uint64_t bits;
    if (yyjson_is_uint(value)) {
        bits = yyjson_get_uint(value);
        if (bits > kind->max)
            return false;
    } else if (yyjson_is_sint(value)) {
        int64_t number = yyjson_get_sint(value);
        if (number < kind->min || (number >= 0 && (uint64_t)number > kind->max))
            return false;
        bits = (uint64_t)number;
    } else {
        return false;
    }
    memcpy(out, &bits, kind->size);
    return true;
}

/* Numbers of any notation, the literals for NaN and the infinities, and integers too big for 64 bits. */
static bool get_real(const struct json_element_kind *kind, yyjson_val *value, double *ret) {
    if (yyjson_is_num(value)) {
        *ret = yyjson_get_num(value);
    } else if (yyjson_is_raw(value)) {
        *ret = strtod(yyjson_get_raw(value), NULL); /* a number of JSON's grammar, and NUL */
        if (isinf(*ret))
            return false;
    } else {
        return false;
    }
    return !isfinite(*ret) || fabs(*ret) < kind->limit;
}

static bool read_fp64(const struct json_element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    memcpy(out, &number, sizeof number);
    return true;
}

static bool read_fp32(const struct json_element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    float narrow = (float)number;
    memcpy(out, &narrow, sizeof narrow);
    return true;
}

static bool read_fp16(const struct json_element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    uint16_t half = half_from_double(number);
    memcpy(out, &half, sizeof half);
    return true;
}

static bool read_bf16(const struct json_element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    uint16_t half = bfloat16_from_double(number);
    memcpy(out, &half, sizeof half);
    return true;
}

/* ---- the datatypes ---- */

/* The limits of the float types lie halfway between the largest finite value and the next power of two. */
static const struct json_element_kind kinds[] = {
    {"BOOL", read_bool, json_element_bool, 1, 0, 0, 0, "true or false"},
    {"UINT8", read_integer, json_element_u8, 1, 0, UINT8_MAX, 0, "an integer in 0..255"},
    {"UINT16", read_integer, json_element_u16, 2, 0, UINT16_MAX, 0, "an integer in 0..65535"},
    {"UINT32", read_integer, json_element_u32, 4, 0, UINT32_MAX, 0, "an integer in 0..4294967295"},
    {"UINT64", read_integer, json_element_u64, 8, 0, UINT64_MAX, 0, "an integer in 0..18446744073709551615"},
    {"INT8", read_integer, json_element_i8, 1, INT8_MIN, INT8_MAX, 0, "an integer in -128..127"},
    {"INT16", read_integer, json_element_i16, 2, INT16_MIN, INT16_MAX, 0, "an integer in -32768..32767"},
    {"INT32", read_integer, json_element_i32, 4, INT32_MIN, INT32_MAX, 0, "an integer in -2147483648..2147483647"},
    {"INT64", read_integer, json_element_i64, 8, INT64_MIN, INT64_MAX, 0,
     "an integer in -9223372036854775808..9223372036854775807"},
    {"FP16", read_fp16, json_element_f16, 2, 0, 0, 65520.0, "a number in -65504..65504"},
    {"FP32", read_fp32, json_element_f32, 4, 0, 0, 0x1.ffffffp127, "a number in -3.4028235e38..3.4028235e38"},
    {"FP64", read_fp64, json_element_f64, 8, 0, 0, INFINITY,
     "a number in -1.7976931348623157e308..1.7976931348623157e308"},
    {"BYTES", NULL, NULL, 0, 0, 0, 0, "a string"},
    {"BF16", read_bf16, json_element_bf16, 2, 0, 0, 0x1.ffp127, "a number in -3.3895314e38..3.3895314e38"},
};

const struct json_element_kind *json_element_kind_of(struct slice datatype) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_equal_text(datatype, kinds[i].datatype))
            return &kinds[i];
    }
    return NULL;
}

/* ---- whole tensors, for reports ---- */

static void append_strings(struct buf *out, struct slice data) {
    bool first = true;
    while (data.size >= LENGTH_SIZE) {
        uint32_t length;
        memcpy(&length, data.data, sizeof length);
        if (length > data.size - LENGTH_SIZE)
            return;
        if (!first)
            buf_append_char(out, ',');
        first = false;
        json_append_string(out, (struct slice){data.data + LENGTH_SIZE, length});
        data = (struct slice){data.data + LENGTH_SIZE + length, data.size - LENGTH_SIZE - length};
    }
}

/* NaN and the infinities end in a letter, as no number does: they become strings. */
static void quote_word(struct buf *out, size_t begin) {
    char word[JSON_NUMBER_MAX];
    struct slice text = {word, out->size - begin};
    if (text.size == 0 || text.size > sizeof word ||
        (out->data[out->size - 1] >= '0' && out->data[out->size - 1] <= '9'))
        return;
    memcpy(word, out->data + begin, text.size);
    out->size = begin;
    json_append_string(out, text);
}

static void append_numbers(struct buf *out, const struct json_element_kind *kind, struct slice data) {
    bool words = kind->write == json_element_bool; /* true and false */
    for (size_t at = 0; at + kind->size <= data.size; at += kind->size) {
        if (at > 0)
            buf_append_char(out, ',');
        size_t begin = out->size;
        kind->write(data.data + at, out);
        if (!words)
            quote_word(out, begin);
    }
}

void json_append_elements(struct buf *out, struct slice datatype, struct slice data) {
    const struct json_element_kind *kind = json_element_kind_of(datatype);
    buf_append_char(out, '[');
    if (kind != NULL && kind->write == NULL)
        append_strings(out, data);
    else if (kind != NULL)
        append_numbers(out, kind, data);
    buf_append_char(out, ']');
}
