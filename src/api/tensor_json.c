#include "api/tensor_json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/half.h"
#include "codec/json_element.h"
#include "codec/json_write.h"

/* How one element type is read and written. All binary forms are little-endian, as this machine's memory is. */
struct element_kind {
    /* Writes one element to `out` (size bytes); false when the value is not one of this type. */
    bool (*read)(const struct element_kind *kind, yyjson_val *value, char *out);
    json_element_f *write;
    size_t size;
    int64_t min;  /* for integers */
    uint64_t max; /* for integers */
    double limit; /* for floats: the smallest magnitude that would round to infinity */
    const char *expected;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are little-endian and are copied as they are");

static bool read_bool(const struct element_kind *kind, yyjson_val *value, char *out) {
    (void)kind;
    if (!yyjson_is_bool(value))
        return false;
    *out = yyjson_get_bool(value) ? 1 : 0;
    return true;
}

static bool read_integer(const struct element_kind *kind, yyjson_val *value, char *out) {
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
static bool get_real(const struct element_kind *kind, yyjson_val *value, double *ret) {
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

static bool read_fp64(const struct element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    memcpy(out, &number, sizeof number);
    return true;
}

static bool read_fp32(const struct element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    float narrow = (float)number;
    memcpy(out, &narrow, sizeof narrow);
    return true;
}

static bool read_fp16(const struct element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    uint16_t half = half_from_double(number);
    memcpy(out, &half, sizeof half);
    return true;
}

static bool read_bf16(const struct element_kind *kind, yyjson_val *value, char *out) {
    double number;
    if (!get_real(kind, value, &number))
        return false;
    uint16_t half = bfloat16_from_double(number);
    memcpy(out, &half, sizeof half);
    return true;
}

/* The limits of the float types lie halfway between the largest finite value and the next power of two. */
static const struct element_kind kinds[] = {
    [DATATYPE_BOOL] = {read_bool, json_element_bool, 1, 0, 0, 0, "true or false"},
    [DATATYPE_UINT8] = {read_integer, json_element_u8, 1, 0, UINT8_MAX, 0, "an integer in 0..255"},
    [DATATYPE_UINT16] = {read_integer, json_element_u16, 2, 0, UINT16_MAX, 0, "an integer in 0..65535"},
    [DATATYPE_UINT32] = {read_integer, json_element_u32, 4, 0, UINT32_MAX, 0, "an integer in 0..4294967295"},
    [DATATYPE_UINT64] = {read_integer, json_element_u64, 8, 0, UINT64_MAX, 0, "an integer in 0..18446744073709551615"},
    [DATATYPE_INT8] = {read_integer, json_element_i8, 1, INT8_MIN, INT8_MAX, 0, "an integer in -128..127"},
    [DATATYPE_INT16] = {read_integer, json_element_i16, 2, INT16_MIN, INT16_MAX, 0, "an integer in -32768..32767"},
    [DATATYPE_INT32] = {read_integer, json_element_i32, 4, INT32_MIN, INT32_MAX, 0,
                        "an integer in -2147483648..2147483647"},
    [DATATYPE_INT64] = {read_integer, json_element_i64, 8, INT64_MIN, INT64_MAX, 0,
                        "an integer in -9223372036854775808..9223372036854775807"},
    [DATATYPE_FP16] = {read_fp16, json_element_f16, 2, 0, 0, 65520.0, "a number in -65504..65504"},
    [DATATYPE_FP32] = {read_fp32, json_element_f32, 4, 0, 0, 0x1.ffffffp127, "a number in -3.4028235e38..3.4028235e38"},
    [DATATYPE_FP64] = {read_fp64, json_element_f64, 8, 0, 0, INFINITY,
                       "a number in -1.7976931348623157e308..1.7976931348623157e308"},
    [DATATYPE_BYTES] = {NULL, NULL, 0, 0, 0, 0, "a string"},
    [DATATYPE_BF16] = {read_bf16, json_element_bf16, 2, 0, 0, 0x1.ffp127, "a number in -3.3895314e38..3.3895314e38"},
};

void json_value_describe(yyjson_val *value, char *text, size_t size) {
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        snprintf(text, size, "null");
        break;
    case YYJSON_TYPE_BOOL:
        snprintf(text, size, "%s", yyjson_get_bool(value) ? "true" : "false");
        break;
    case YYJSON_TYPE_NUM:
        if (yyjson_is_uint(value))
            snprintf(text, size, "%" PRIu64, yyjson_get_uint(value));
        else if (yyjson_is_sint(value))
            snprintf(text, size, "%" PRId64, yyjson_get_sint(value));
        else
            snprintf(text, size, "%.15g", yyjson_get_real(value));
        break;
    case YYJSON_TYPE_RAW:
        snprintf(text, size, "%.60s", yyjson_get_raw(value));
        break;
    case YYJSON_TYPE_STR:
        snprintf(text, size, "the string \"%.60s\"", yyjson_get_str(value));
        break;
    case YYJSON_TYPE_ARR:
        snprintf(text, size, "an array");
        break;
    case YYJSON_TYPE_OBJ:
        snprintf(text, size, "an object");
        break;
    default:
        snprintf(text, size, "nothing");
        break;
    }
}

bool json_nested_deeper(yyjson_val *value, int levels) {
    if (!yyjson_is_ctn(value))
        return false;
    if (levels == 0)
        return true;
    size_t index, count;
    yyjson_val *key, *item;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, index, count, item) if (json_nested_deeper(item, levels - 1)) return true;
    } else {
        yyjson_obj_foreach(value, index, count, key, item) if (json_nested_deeper(item, levels - 1)) return true;
    }
    return false;
}

/* One pass over the elements of `data`. */
struct element_walk {
    const struct tensor *tensor;
    const struct element_kind *kind;
    const char *list; /* where the tensor stands, with its index, for messages; NULL: its name says it */
    size_t index;
    char *out;                      /* next element; NULL for a pass that only counts */
    size_t wanted;                  /* elements of the shape */
    size_t left;                    /* of them not seen yet */
    size_t bytes;                   /* BYTES: size of the binary form so far */
    size_t trail[JSON_NESTING_MAX]; /* indices on the way to the element at hand */
};

static struct status walk_error(const struct element_walk *walk, int depth, const char *what) {
    char path[160];
    size_t used = 0;
    for (int i = 0; i < depth && used < sizeof path; i++)
        used += (size_t)snprintf(path + used, sizeof path - used, "[%zu]", walk->trail[i]);
    if (used == 0)
        path[0] = '\0';
    if (!walk->list)
        return status_error(STATUS_INVALID_ARGUMENT, "%.*s%s: %s", SLICE_ARGS(walk->tensor->name), path, what);
    return status_error(STATUS_INVALID_ARGUMENT, "%s[%zu].data%s: %s", walk->list, walk->index, path, what);
}

static struct status element_error(const struct element_walk *walk, int depth, yyjson_val *value) {
    char got[96], what[256];
    json_value_describe(value, got, sizeof got);
    snprintf(what, sizeof what, "expected %s for %s, got %s", walk->kind->expected, datatype_name(walk->tensor->type),
             got);
    return walk_error(walk, depth, what);
}

static struct status count_error(const struct element_walk *walk, size_t got) {
    char shape[64], what[160];
    shape_format(walk->tensor->shape, walk->tensor->rank, shape, sizeof shape);
    snprintf(what, sizeof what, "expected %zu elements for shape %s, got %s%zu", walk->wanted, shape,
             got > walk->wanted ? "at least " : "", got);
    return walk_error(walk, 0, what);
}

static struct status take_bytes(struct element_walk *walk, int depth, yyjson_val *value) {
    size_t length = yyjson_get_len(value);
    if (!yyjson_is_str(value) || length > UINT32_MAX)
        return element_error(walk, depth, value);
    walk->bytes += sizeof(uint32_t) + length; /* bounded by the JSON text, which is in memory */
    if (walk->out) {
        uint32_t prefix = (uint32_t)length;
        memcpy(walk->out, &prefix, sizeof prefix);
        memcpy(walk->out + sizeof prefix, yyjson_get_str(value), length);
        walk->out += sizeof prefix + length;
    }
    return status_ok();
}

static struct status take_element(struct element_walk *walk, int depth, yyjson_val *value) {
    if (walk->left == 0)
        return count_error(walk, walk->wanted + 1);
    walk->left--;
    if (!walk->kind->read)
        return take_bytes(walk, depth, value);
    if (!walk->kind->read(walk->kind, value, walk->out))
        return element_error(walk, depth, value);
    walk->out += walk->kind->size;
    return status_ok();
}

static struct status walk_array(struct element_walk *walk, int depth, yyjson_val *array) {
    if (depth == JSON_NESTING_MAX)
        return walk_error(walk, 0, "arrays are nested more than 100 deep");
    size_t index, count;
    yyjson_val *item;
    yyjson_arr_foreach(array, index, count, item) {
        walk->trail[depth] = index;
        if (yyjson_is_arr(item))
            STATUS_TRY(walk_array(walk, depth + 1, item));
        else
            STATUS_TRY(take_element(walk, depth + 1, item));
    }
    return status_ok();
}

struct status tensor_json_decode(yyjson_val *data, size_t json_size, const char *list, size_t index,
                                 struct arena *arena, struct tensor *tensor) {
    struct element_walk walk = {.tensor = tensor, .kind = &kinds[tensor->type], .list = list, .index = index};
    if (!yyjson_is_arr(data)) {
        char got[96], what[160];
        json_value_describe(data, got, sizeof got);
        snprintf(what, sizeof what, "expected an array, got %s", got);
        return walk_error(&walk, 0, what);
    }
    int64_t count;
    struct status status = shape_element_count(tensor->shape, tensor->rank, &count);
    if (!status_is_ok(&status))
        return status_prefix(status, "%s[%zu].shape", list, index);
    walk.wanted = (size_t)count;
    if (walk.wanted > json_size) /* an element takes at least one character: no need to make room for so many */
        return count_error(&walk, yyjson_arr_size(data));
    walk.left = walk.wanted;
    size_t bytes = walk.wanted * walk.kind->size; /* at most 8 times the body */
    if (!walk.kind->read) {
        STATUS_TRY(walk_array(&walk, 0, data));
        bytes = walk.bytes;
        if (walk.left == 0)
            walk.left = walk.wanted;
        else
            return count_error(&walk, walk.wanted - walk.left);
    }
    char *out = arena_alloc(arena, bytes);
    if (!out)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the %zu bytes of %s[%zu]", bytes, list,
                            index);
    walk.out = out;
    STATUS_TRY(walk_array(&walk, 0, data));
    if (walk.left > 0)
        return count_error(&walk, walk.wanted - walk.left);
    tensor->data = (struct slice){out, bytes};
    return status_ok();
}

/* One pass over a value or a flat array. */
static struct status walk_flat(struct element_walk *walk, yyjson_val *value) {
    size_t index, count;
    yyjson_val *item;
    if (!yyjson_is_arr(value))
        return take_element(walk, 0, value);
    yyjson_arr_foreach(value, index, count, item) {
        walk->trail[0] = index;
        STATUS_TRY(take_element(walk, 1, item));
    }
    return status_ok();
}

struct status tensor_json_decode_flat(yyjson_val *value, struct arena *arena, struct tensor *tensor) {
    struct element_walk walk = {.tensor = tensor, .kind = &kinds[tensor->type]};
    size_t count = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;
    size_t bytes = count * walk.kind->size; /* at most 8 times the body */
    walk.wanted = count;
    if (!walk.kind->read) {
        walk.left = count;
        STATUS_TRY(walk_flat(&walk, value));
        bytes = walk.bytes;
    }
    char *out = arena_alloc(arena, bytes);
    if (!out)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the %zu bytes of '%.*s'", bytes,
                            SLICE_ARGS(tensor->name));
    walk.left = count;
    walk.out = out;
    STATUS_TRY(walk_flat(&walk, value));
    tensor->data = (struct slice){out, bytes};
    return status_ok();
}

static struct status encode_bytes(const struct tensor *tensor, struct buf *out) {
    struct slice rest = tensor->data;
    for (size_t i = 0; rest.size >= sizeof(uint32_t); i++) {
        uint32_t length;
        memcpy(&length, rest.data, sizeof length);
        rest = (struct slice){rest.data + sizeof length, rest.size - sizeof length};
        if (length > rest.size)
            return status_error(STATUS_INTERNAL, "output '%.*s': element %zu is longer than the tensor",
                                SLICE_ARGS(tensor->name), i);
        struct slice element = {rest.data, length};
        if (!slice_is_utf8(element))
            return status_error(STATUS_INVALID_ARGUMENT,
                                "output '%.*s': element %zu is not UTF-8 and has no JSON form; infer gives it with "
                                "\"binary_data\": true",
                                SLICE_ARGS(tensor->name), i);
        if (i > 0)
            buf_append_char(out, ',');
        json_append_string(out, element);
        rest = (struct slice){rest.data + length, rest.size - length};
    }
    return status_ok();
}

static struct status encode_elements(const struct tensor *tensor, struct buf *out) {
    const struct element_kind *kind = &kinds[tensor->type];
    if (!kind->write)
        return encode_bytes(tensor, out);
    for (size_t at = 0; at + kind->size <= tensor->data.size; at += kind->size) {
        if (at > 0)
            buf_append_char(out, ',');
        kind->write(tensor->data.data + at, out);
    }
    return status_ok();
}

struct status tensor_json_encode(const struct tensor *tensor, struct buf *out) {
    if (tensor->type == DATATYPE_FP32) {
        json_append_float_array(out, tensor->data.data, tensor->data.size / kinds[tensor->type].size);
        return status_ok();
    }
    buf_append_char(out, '[');
    STATUS_TRY(encode_elements(tensor, out));
    buf_append_char(out, ']');
    return status_ok();
}

struct status tensor_json_encode_flat(const struct tensor *tensor, struct buf *out) {
    int64_t count;
    STATUS_TRY(shape_element_count(tensor->shape, tensor->rank, &count));
    return count == 1 ? encode_elements(tensor, out) : tensor_json_encode(tensor, out);
}
