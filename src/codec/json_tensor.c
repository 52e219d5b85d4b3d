#include "codec/json_tensor.h"

#include <stdio.h>
#include <string.h>

#include "codec/json_element.h"
#include "codec/json_value.h"
#include "codec/json_write.h"
#include "codec/shape_text.h"

/* One pass over the elements of `data`. */
struct element_walk {
    const struct json_tensor *tensor;
    const struct json_element_kind *kind;
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
    if (walk->tensor->list == NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "%.*s%s: %s", SLICE_ARGS(walk->tensor->name), path, what);
    return status_error(STATUS_INVALID_ARGUMENT, "%s[%zu].data%s: %s", walk->tensor->list, walk->tensor->index, path,
                        what);
}

static struct status element_error(const struct element_walk *walk, int depth, yyjson_val *value) {
    char got[96], what[256];
    json_value_describe(value, got, sizeof got);
    snprintf(what, sizeof what, "expected %s for %s, got %s", walk->kind->expected, walk->kind->datatype, got);
    return walk_error(walk, depth, what);
}

static struct status count_error(const struct element_walk *walk, size_t got) {
    char shape[64], what[160];
    shape_text(walk->tensor->shape, walk->tensor->rank, shape, sizeof shape);
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
    if (walk->kind->read == NULL)
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

/* Elements of any count, and as many as the walk wants. */
static struct status take_counted(struct element_walk *walk, yyjson_val *data, struct arena *arena, struct slice *ret,
                                  struct status (*pass)(struct element_walk *walk, yyjson_val *data)) {
    size_t bytes = walk->wanted * walk->kind->size; /* at most 8 times the text */
    walk->left = walk->wanted;
    if (walk->kind->read == NULL) {
        STATUS_TRY(pass(walk, data));
        if (walk->left > 0)
            return count_error(walk, walk->wanted - walk->left);
        bytes = walk->bytes;
        walk->left = walk->wanted;
    }
    char *out = arena_alloc(arena, bytes);
    if (out == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the %zu bytes of '%.*s'", bytes,
                            SLICE_ARGS(walk->tensor->name));
    walk->out = out;
    STATUS_TRY(pass(walk, data));
    if (walk->left > 0)
        return count_error(walk, walk->wanted - walk->left);
    *ret = (struct slice){out, bytes};
    return status_ok();
}

static struct status walk_whole(struct element_walk *walk, yyjson_val *data) {
    return walk_array(walk, 0, data);
}

static struct status unknown_datatype(const struct json_tensor *tensor) {
    return status_error(STATUS_INVALID_ARGUMENT, "'%.*s': '%.*s' is no datatype that has a JSON form",
                        SLICE_ARGS(tensor->name), SLICE_ARGS(tensor->datatype));
}

struct status json_tensor_decode(const struct json_tensor *tensor, yyjson_val *data, size_t json_size,
                                 struct arena *arena, struct slice *ret) {
    struct element_walk walk = {.tensor = tensor, .kind = json_element_kind_of(tensor->datatype)};
    if (walk.kind == NULL)
        return unknown_datatype(tensor);
    if (!yyjson_is_arr(data)) {
        char got[96], what[160];
        json_value_describe(data, got, sizeof got);
        snprintf(what, sizeof what, "expected an array, got %s", got);
        return walk_error(&walk, 0, what);
    }
    walk.wanted = tensor->element_count;
    if (walk.wanted > json_size) /* an element takes at least one character: no need to make room for so many */
        return count_error(&walk, yyjson_arr_size(data));
    return take_counted(&walk, data, arena, ret, walk_whole);
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

struct status json_tensor_decode_flat(const struct json_tensor *tensor, yyjson_val *value, struct arena *arena,
                                      struct slice *ret) {
    struct element_walk walk = {.tensor = tensor, .kind = json_element_kind_of(tensor->datatype)};
    if (walk.kind == NULL)
        return unknown_datatype(tensor);
    walk.wanted = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;
    return take_counted(&walk, value, arena, ret, walk_flat);
}

/* ---- to JSON ---- */

static struct status encode_bytes(struct slice name, struct slice data, struct buf *out) {
    for (size_t i = 0; data.size >= sizeof(uint32_t); i++) {
        uint32_t length;
        memcpy(&length, data.data, sizeof length);
        data = (struct slice){data.data + sizeof length, data.size - sizeof length};
        if (length > data.size)
            return status_error(STATUS_INTERNAL, "'%.*s': element %zu is longer than the tensor", SLICE_ARGS(name), i);
        struct slice element = {data.data, length};
        if (!slice_is_utf8(element))
            return status_error(STATUS_INVALID_ARGUMENT, "'%.*s': element %zu is not UTF-8 and has no JSON form",
                                SLICE_ARGS(name), i);
        if (i > 0)
            buf_append_char(out, ',');
        json_append_string(out, element);
        data = (struct slice){data.data + length, data.size - length};
    }
    return status_ok();
}

struct status json_tensor_encode_elements(struct slice name, struct slice datatype, struct slice data,
                                          struct buf *out) {
    const struct json_element_kind *kind = json_element_kind_of(datatype);
    if (kind == NULL)
        return unknown_datatype(&(struct json_tensor){.name = name, .datatype = datatype});
    if (kind->write == NULL)
        return encode_bytes(name, data, out);
    for (size_t at = 0; at + kind->size <= data.size; at += kind->size) {
        if (at > 0)
            buf_append_char(out, ',');
        kind->write(data.data + at, out);
    }
    return status_ok();
}

struct status json_tensor_encode(struct slice name, struct slice datatype, struct slice data, struct buf *out) {
    if (slice_equal_text(datatype, "FP32")) {
        json_append_float_array(out, data.data, data.size / sizeof(float));
        return status_ok();
    }
    buf_append_char(out, '[');
    STATUS_TRY(json_tensor_encode_elements(name, datatype, data, out));
    buf_append_char(out, ']');
    return status_ok();
}
