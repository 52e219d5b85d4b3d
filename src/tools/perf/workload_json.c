/* workload_json.c: --input-data FILE.json, in perf_analyzer's form:
 *
 *   {"data": [{"IN": [1, 2]}, {"IN": {"content": [3, 4], "shape": [2]}}, {"IN": {"b64": "AAAA"}}],
 *    "validation_data": [{"OUT": [1, 2]}, ...]}
 *
 * Elements of "data" may be lists: each is a stream of its own. "timestamp" (ms) beside the inputs is for
 * --fixed-schedule. */
#include <yyjson.h>

#include "base/file.h"
#include "codec/base64.h"
#include "codec/json_element.h"
#include "tools/perf/workload.h"

enum { JSON_FILE_MAX = 1 << 30 };

/* Where in the file we are, for messages. */
struct reader {
    struct arena *arena;
    const struct workload_config *config;
    const char *path;
    size_t stream, item;
    struct slice tensor;
};

static struct status malformed(const struct reader *reader, const char *expected) {
    return status_error(STATUS_INVALID_ARGUMENT, "%s: stream %zu, item %zu, \"%.*s\": expected %s", reader->path,
                        reader->stream, reader->item, SLICE_ARGS(reader->tensor), expected);
}

static struct status out_of_memory(const struct reader *reader) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %s", reader->path);
}

static size_t count_leaves(yyjson_val *value) {
    if (!yyjson_is_arr(value))
        return 1;
    size_t count = 0;
    yyjson_val *one;
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    while ((one = yyjson_arr_iter_next(&iter)) != NULL)
        count += count_leaves(one);
    return count;
}

/* ---- elements ---- */

static struct status append_element(const struct reader *reader, yyjson_val *value,
                                    const struct json_element_kind *kind, struct buf *out) {
    char bytes[sizeof(uint64_t)];
    if (kind->read == NULL) {
        if (!yyjson_is_str(value))
            return malformed(reader, kind->expected);
        uint32_t size = (uint32_t)yyjson_get_len(value);
        buf_append(out, &size, sizeof size);
        buf_append(out, yyjson_get_str(value), size);
        return status_ok();
    }
    bool digit = kind->write == json_element_bool && yyjson_is_uint(value) && yyjson_get_uint(value) <= 1;
    if (digit) /* as perf_analyzer wants a BOOL */
        bytes[0] = (char)yyjson_get_uint(value);
    else if (!kind->read(kind, value, bytes))
        return malformed(reader, kind->expected);
    buf_append(out, bytes, kind->size);
    return status_ok();
}

static struct status append_leaves(const struct reader *reader, yyjson_val *value, const struct json_element_kind *kind,
                                   struct buf *out) {
    if (!yyjson_is_arr(value))
        return append_element(reader, value, kind, out);
    yyjson_val *one;
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    while ((one = yyjson_arr_iter_next(&iter)) != NULL)
        STATUS_TRY(append_leaves(reader, one, kind, out));
    return status_ok();
}

/* ---- tensors ---- */

static struct status read_shape(const struct reader *reader, yyjson_val *shape, struct infer_tensor *tensor) {
    if (!yyjson_is_arr(shape) || yyjson_arr_size(shape) > INFER_TENSOR_RANK_MAX)
        return malformed(reader, "a list of at most 64 dims as its shape");
    int64_t *dims = arena_calloc(reader->arena, yyjson_arr_size(shape), sizeof *dims);
    if (dims == NULL)
        return out_of_memory(reader);
    tensor->shape = dims;
    tensor->rank = yyjson_arr_size(shape);
    yyjson_val *dim;
    yyjson_arr_iter iter = yyjson_arr_iter_with(shape);
    while ((dim = yyjson_arr_iter_next(&iter)) != NULL) {
        if (!yyjson_is_uint(dim) || yyjson_get_uint(dim) > INT64_MAX)
            return malformed(reader, "dims of 0 or more in its shape");
        *dims++ = (int64_t)yyjson_get_uint(dim);
    }
    return status_ok();
}

static struct status keep_data(const struct reader *reader, struct buf *data, struct infer_tensor *tensor) {
    if (buf_failed(data))
        return out_of_memory(reader);
    tensor->data = arena_copy(reader->arena, buf_slice(data));
    return tensor->data.size == data->size ? status_ok() : out_of_memory(reader);
}

/* The data of one tensor, however they are written; the shape stands in `tensor` unless the value has its own. */
static struct status read_data(const struct reader *reader, yyjson_val *value, struct infer_tensor *tensor) {
    yyjson_val *b64 = yyjson_obj_get(value, "b64");
    if (b64 != NULL) {
        if (!yyjson_is_str(b64))
            return malformed(reader, "base64 as a string");
        struct status status =
            base64_decode((struct slice){yyjson_get_str(b64), yyjson_get_len(b64)}, reader->arena, &tensor->data);
        return status_is_ok(&status) ? status
                                     : status_prefix(status, "%s: stream %zu, item %zu, \"%.*s\"", reader->path,
                                                     reader->stream, reader->item, SLICE_ARGS(reader->tensor));
    }
    yyjson_val *content = yyjson_is_obj(value) ? yyjson_obj_get(value, "content") : value;
    if (content == NULL)
        return malformed(reader, "a list, or an object with content or b64");
    const struct json_element_kind *kind = json_element_kind_of(tensor->datatype);
    if (kind == NULL)
        return malformed(reader, "a datatype of KServe v2 for it in the model's config");
    struct buf data = BUF_EMPTY;
    struct status status = append_leaves(reader, content, kind, &data);
    if (status_is_ok(&status))
        status = keep_data(reader, &data, tensor);
    buf_free(&data);
    return status;
}

static struct status check_size(const struct reader *reader, yyjson_val *value, const struct infer_tensor *tensor) {
    size_t count = 0;
    int element = workload_element_size(tensor->datatype);
    STATUS_TRY(workload_element_count(tensor, &count));
    yyjson_val *content = yyjson_is_obj(value) ? yyjson_obj_get(value, "content") : value;
    bool good =
        content != NULL ? count_leaves(content) == count : element == 0 || tensor->data.size == count * (size_t)element;
    return good ? status_ok() : malformed(reader, "as many elements as its shape has");
}

static struct status read_input(struct reader *reader, const struct infer_tensor_info *info, yyjson_val *value,
                                struct infer_tensor *tensor) {
    yyjson_val *shape = yyjson_obj_get(value, "shape");
    reader->tensor = info->name;
    if (shape != NULL) {
        *tensor = (struct infer_tensor){.name = info->name, .datatype = info->datatype};
        STATUS_TRY(read_shape(reader, shape, tensor));
    } else {
        struct status status = workload_shape_of(reader->config, info, reader->arena, tensor);
        if (!status_is_ok(&status))
            return status_prefix(status, "%s", reader->path);
    }
    STATUS_TRY(read_data(reader, value, tensor));
    return check_size(reader, value, tensor);
}

static const struct infer_tensor_info *find_input(const struct infer_model_info *model, yyjson_val *key) {
    return infer_tensor_info_find(model->inputs, model->input_count,
                                  (struct slice){yyjson_get_str(key), yyjson_get_len(key)});
}

/* ---- items and streams ---- */

static struct status read_item(struct reader *reader, yyjson_val *object, struct workload_item *item) {
    const struct infer_model_info *model = reader->config->model;
    yyjson_val *key;
    if (!yyjson_is_obj(object))
        return malformed(reader, "an object with one member for each input");
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        const struct infer_tensor_info *info = find_input(model, key);
        reader->tensor = (struct slice){yyjson_get_str(key), yyjson_get_len(key)};
        if (info == NULL && slice_equal_text(reader->tensor, "timestamp")) {
            yyjson_val *time = yyjson_obj_iter_get_val(key);
            if (yyjson_arr_size(time) == 1) /* a list of one, as the inputs beside it are */
                time = yyjson_arr_get_first(time);
            if (!yyjson_is_num(time) || yyjson_get_num(time) < 0)
                return malformed(reader, "milliseconds");
            item->time_ms = yyjson_get_num(time);
            continue;
        }
        if (info == NULL)
            return malformed(reader, "names of the model's inputs alone");
        STATUS_TRY(read_input(reader, info, yyjson_obj_iter_get_val(key), &item->inputs[info - model->inputs]));
    }
    for (size_t i = 0; i < model->input_count; i++) {
        reader->tensor = model->inputs[i].name;
        if (item->inputs[i].name.data == NULL && !model->inputs[i].optional)
            return malformed(reader, "data for this input, which is not optional");
    }
    return status_ok();
}

static struct status read_expected(struct reader *reader, yyjson_val *object, struct workload_item *item) {
    const struct infer_model_info *model = reader->config->model;
    struct infer_tensor *expected = arena_calloc(reader->arena, yyjson_obj_size(object), sizeof *expected);
    yyjson_val *key;
    if (expected == NULL)
        return out_of_memory(reader);
    if (!yyjson_is_obj(object))
        return malformed(reader, "an object with one member for each output, as validation_data");
    item->expected = expected;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        struct slice name = {yyjson_get_str(key), yyjson_get_len(key)};
        const struct infer_tensor_info *info = infer_tensor_info_find(model->outputs, model->output_count, name);
        reader->tensor = name;
        if (info == NULL)
            return malformed(reader, "names of the model's outputs alone, as validation_data");
        expected[item->expected_count] = (struct infer_tensor){.name = info->name, .datatype = info->datatype};
        STATUS_TRY(read_data(reader, yyjson_obj_iter_get_val(key), &expected[item->expected_count++]));
    }
    return status_ok();
}

/* One stream: a list of items, and as many validation items where there are any. */
static struct status read_stream(struct reader *reader, yyjson_val *list, yyjson_val *validation,
                                 struct workload_items *items) {
    size_t count = yyjson_arr_size(list);
    if (count == 0 || (validation != NULL && yyjson_arr_size(validation) != count))
        return malformed(reader, "at least one item, and as many in validation_data as in data");
    for (size_t i = 0; i < count; i++) {
        struct workload_item *item;
        reader->item = i;
        STATUS_TRY(workload_items_add(reader->arena, reader->config, items, i == 0, &item));
        STATUS_TRY(read_item(reader, yyjson_arr_get(list, i), item));
        if (validation != NULL)
            STATUS_TRY(read_expected(reader, yyjson_arr_get(validation, i), item));
    }
    return status_ok();
}

static struct status read_document(struct reader *reader, yyjson_val *root, struct workload_items *items) {
    yyjson_val *data = yyjson_obj_get(root, "data"), *validation = yyjson_obj_get(root, "validation_data");
    reader->tensor = SLICE_LITERAL("data");
    if (!yyjson_is_arr(data) || yyjson_arr_size(data) == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s", reader->path,
                            yyjson_is_arr(data) ? "at least one item in the list \"data\", which is empty"
                                                : "an object with a list \"data\"");
    if (!yyjson_is_arr(yyjson_arr_get_first(data)))
        return read_stream(reader, data, validation, items);
    for (reader->stream = 0; reader->stream < yyjson_arr_size(data); reader->stream++) {
        yyjson_val *list = yyjson_arr_get(data, reader->stream);
        reader->tensor = SLICE_LITERAL("data");
        if (!yyjson_is_arr(list))
            return malformed(reader, "lists alone, or objects alone");
        STATUS_TRY(read_stream(reader, list, yyjson_arr_get(validation, reader->stream), items));
    }
    return status_ok();
}

struct status workload_read_json(struct arena *arena, const struct workload_config *config, const char *path,
                                 struct workload_items *ret) {
    struct buf content = BUF_EMPTY;
    struct reader reader = {.arena = arena, .config = config, .path = path};
    yyjson_read_err error;
    struct status status = file_read(path, JSON_FILE_MAX, &content);
    if (status_is_ok(&status)) {
        yyjson_doc *doc = content.size > 0 ? yyjson_read_opts(content.data, content.size, 0, NULL, &error) : NULL;
        if (doc == NULL)
            status = status_error(STATUS_INVALID_ARGUMENT, "%s is no JSON: %s", path,
                                  content.size > 0 ? error.msg : "it is empty");
        else
            status = read_document(&reader, yyjson_doc_get_root(doc), ret);
        yyjson_doc_free(doc);
    }
    buf_free(&content);
    return status;
}
