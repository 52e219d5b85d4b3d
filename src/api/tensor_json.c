#include "api/tensor_json.h"

#include "codec/json_tensor.h"

static struct json_tensor described(const struct tensor *tensor) {
    return (struct json_tensor){.name = tensor->name,
                                .datatype = slice_of(datatype_name(tensor->type)),
                                .shape = tensor->shape,
                                .rank = tensor->rank};
}

struct status tensor_json_decode(yyjson_val *data, size_t json_size, const char *list, size_t index,
                                 struct arena *arena, struct tensor *tensor) {
    struct json_tensor form = described(tensor);
    int64_t count;
    struct status status = shape_element_count(tensor->shape, tensor->rank, &count);
    if (!status_is_ok(&status))
        return status_prefix(status, "%s[%zu].shape", list, index);
    form.element_count = (size_t)count;
    form.list = list;
    form.index = index;
    return json_tensor_decode(&form, data, json_size, arena, &tensor->data);
}

struct status tensor_json_decode_flat(yyjson_val *value, struct arena *arena, struct tensor *tensor) {
    const struct json_tensor form = described(tensor);
    return json_tensor_decode_flat(&form, value, arena, &tensor->data);
}

/* Says what to do about an element that has no JSON form. */
static struct status explained(struct status status) {
    if (status_is_ok(&status))
        return status;
    const char *hint = status.code == STATUS_INVALID_ARGUMENT ? "; infer gives it with \"binary_data\": true" : "";
    return status_error(status.code, "output %s%s", status.message, hint);
}

struct status tensor_json_encode(const struct tensor *tensor, struct buf *out) {
    return explained(json_tensor_encode(tensor->name, slice_of(datatype_name(tensor->type)), tensor->data, out));
}

struct status tensor_json_encode_flat(const struct tensor *tensor, struct buf *out) {
    int64_t count;
    STATUS_TRY(shape_element_count(tensor->shape, tensor->rank, &count));
    if (count != 1)
        return tensor_json_encode(tensor, out);
    return explained(
        json_tensor_encode_elements(tensor->name, slice_of(datatype_name(tensor->type)), tensor->data, out));
}
