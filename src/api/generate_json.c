#include "api/generate_json.h"

#include <stdio.h>

#include "api/infer_json.h"
#include "api/infer_outputs.h"
#include "api/infer_parameters.h"
#include "api/request_json.h"
#include "api/tensor_json.h"
#include "codec/json_write.h"

/* One decode. */
struct reader {
    const struct model_config *config;
    struct infer_request *request;
    uint64_t now_ns;
};

static const struct json_place root = {NULL, 0};

/* ---- inputs ---- */

/* "expected N values for dims [2,-1], got 3", with N in the words of `expected`. */
static struct status count_error(const struct model_input *input, const char *expected, size_t got) {
    char dims[96];
    shape_format(input->dims, input->rank, dims, sizeof dims);
    return status_error(STATUS_INVALID_ARGUMENT, "%.*s: expected %s for dims %s, got %zu", SLICE_ARGS(input->name),
                        expected, dims, got);
}

/* The shape for so many elements: dims, of which one may be variable. */
static struct status deduce_shape(const struct model_config *config, const struct model_input *input, size_t count,
                                  struct tensor *tensor) {
    size_t fixed = 1;
    int variable = -1;
    char expected[64];
    if (config->max_batch_size > 0)
        tensor->shape[tensor->rank++] = 1;
    for (int i = 0; i < input->rank; i++) {
        if (input->dims[i] >= 0 && __builtin_mul_overflow(fixed, (size_t)input->dims[i], &fixed))
            return count_error(input, "fewer values than there can be", count);
        if (input->dims[i] < 0 && variable >= 0)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "%.*s: the input has several variable dimensions, so that its shape does not follow "
                                "from the number of values; use infer",
                                SLICE_ARGS(input->name));
        if (input->dims[i] < 0)
            variable = tensor->rank;
        tensor->shape[tensor->rank++] = input->dims[i];
    }
    if (variable >= 0 && (fixed == 0 || count % fixed != 0)) {
        snprintf(expected, sizeof expected, "a multiple of %zu values", fixed);
        return count_error(input, expected, count);
    }
    if (variable >= 0) {
        tensor->shape[variable] = (int64_t)(count / fixed);
    } else if (count != fixed) {
        snprintf(expected, sizeof expected, "%zu value%s", fixed, fixed == 1 ? "" : "s");
        return count_error(input, expected, count);
    }
    return status_ok();
}

static struct status read_input(struct reader *reader, const struct model_input *input, yyjson_val *value) {
    struct infer_request *request = reader->request;
    struct tensor *tensor = &request->inputs[request->input_count++];
    tensor->name = arena_copy(request->arena, input->name);
    tensor->type = input->type;
    if (tensor->name.size != input->name.size)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the inputs of the request");
    size_t count = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;
    STATUS_TRY(deduce_shape(reader->config, input, count, tensor));
    return tensor_json_decode_flat(value, request->arena, tensor);
}

/* ---- the rest ---- */

static struct status read_parameter(struct reader *reader, const char *object, yyjson_val *key, yyjson_val *value) {
    struct infer_parameter parameter = {0};
    STATUS_TRY(request_json_parameter(root, object, key, value, reader->request->arena, &parameter));
    return infer_parameters_apply(reader->request, &parameter, reader->now_ns);
}

static struct status read_parameters(struct reader *reader, yyjson_val *object) {
    size_t at, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) STATUS_TRY(read_parameter(reader, "parameters", key, value));
    return status_ok();
}

static struct status read_member(struct reader *reader, yyjson_val *key, yyjson_val *value) {
    const struct slice name = {yyjson_get_str(key), yyjson_get_len(key)};
    const struct model_input *input = model_config_input(reader->config, name);
    if (input)
        return read_input(reader, input, value);
    if (slice_equal_text(name, "id"))
        return request_json_string(root, "id", value, reader->request->arena, &reader->request->id);
    if (slice_equal_text(name, "parameters"))
        return yyjson_is_obj(value) ? read_parameters(reader, value)
                                    : request_json_expected(root, "parameters", "an object", value);
    return read_parameter(reader, NULL, key, value);
}

static struct status read_document(struct reader *reader, yyjson_val *object) {
    struct infer_request *request = reader->request;
    if (!yyjson_is_obj(object))
        return request_json_expected(root, "request", "an object", object);
    request->inputs = arena_calloc(request->arena, reader->config->input_count, sizeof *request->inputs);
    request->input_count = 0;
    if (!request->inputs)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the inputs of the request");
    yyjson_val *nested = yyjson_obj_get(object, "parameters");
    STATUS_TRY(request_json_check_keys(root, NULL, object, nested, request->arena));
    size_t at, count, most = yyjson_obj_size(object) + (yyjson_is_obj(nested) ? yyjson_obj_size(nested) : 0);
    STATUS_TRY(infer_parameters_reserve(request, most));
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) STATUS_TRY(read_member(reader, key, value));
    return status_ok();
}

struct status generate_json_decode(struct slice json, const struct model_config *config, uint64_t now_ns,
                                   struct infer_request *request) {
    yyjson_doc *doc;
    STATUS_TRY(request_json_read(json, &doc));
    struct reader reader = {.config = config, .request = request, .now_ns = now_ns};
    struct status status = read_document(&reader, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return status;
}

/* In a flat object each key stands once: those of the origin come before outputs, and these before parameters, many of
 * which a client has made up. */
static bool is_origin(const struct infer_request *request, struct slice key) {
    return slice_equal_text(key, "model_name") || slice_equal_text(key, "model_version") ||
           (slice_equal_text(key, "id") && request->id.size > 0);
}

static bool is_output(const struct infer_output *outputs, size_t count, struct slice key) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(outputs[i].tensor.name, key))
            return true;
    return false;
}

struct status generate_json_encode(const struct infer_request *request, const struct infer_response *response,
                                   struct buf *out) {
    struct infer_output *outputs;
    size_t count;
    STATUS_TRY(infer_outputs_select(request, response, &outputs, &count));
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    infer_json_write_origin(&writer, request, response);
    for (size_t i = 0; i < response->parameter_count; i++)
        if (!is_origin(request, response->parameters[i].name) &&
            !is_output(outputs, count, response->parameters[i].name))
            infer_json_write_parameter(&writer, &response->parameters[i]);
    for (size_t i = 0; i < count; i++) {
        if (is_origin(request, outputs[i].tensor.name))
            continue;
        json_key_slice(&writer, outputs[i].tensor.name);
        json_raw(&writer, (struct slice){NULL, 0}); /* puts the colon; the elements follow without a copy */
        STATUS_TRY(tensor_json_encode_flat(&outputs[i].tensor, out));
    }
    json_end_object(&writer);
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory while writing the answer");
    return status_ok();
}
