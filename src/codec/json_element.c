#include "codec/json_element.h"

#include <string.h>

#include "codec/half.h"
#include "codec/json_write.h"

enum { LENGTH_SIZE = 4 }; /* before each element of BYTES */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are little-endian and are copied as they are");

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

static const struct {
    const char *datatype;
    json_element_f *append;
    size_t size;
} elements[] = {
    {"BOOL", json_element_bool, 1},  {"UINT8", json_element_u8, 1},   {"UINT16", json_element_u16, 2},
    {"UINT32", json_element_u32, 4}, {"UINT64", json_element_u64, 8}, {"INT8", json_element_i8, 1},
    {"INT16", json_element_i16, 2},  {"INT32", json_element_i32, 4},  {"INT64", json_element_i64, 8},
    {"FP16", json_element_f16, 2},   {"BF16", json_element_bf16, 2},  {"FP32", json_element_f32, 4},
    {"FP64", json_element_f64, 8},
};

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

static void append_numbers(struct buf *out, struct slice datatype, struct slice data) {
    bool words = slice_equal_text(datatype, "BOOL"); /* true and false */
    for (size_t e = 0; e < sizeof elements / sizeof elements[0]; e++) {
        if (!slice_equal_text(datatype, elements[e].datatype))
            continue;
        for (size_t at = 0; at + elements[e].size <= data.size; at += elements[e].size) {
            if (at > 0)
                buf_append_char(out, ',');
            size_t begin = out->size;
            elements[e].append(data.data + at, out);
            if (!words)
                quote_word(out, begin);
        }
    }
}

void json_append_elements(struct buf *out, struct slice datatype, struct slice data) {
    buf_append_char(out, '[');
    if (slice_equal_text(datatype, "BYTES"))
        append_strings(out, data);
    else
        append_numbers(out, datatype, data);
    buf_append_char(out, ']');
}
