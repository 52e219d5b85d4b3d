#include <inttypes.h>
#include <stdio.h>

#include "api/infer_json.h"
#include "api/infer_parameters.h"
#include "api/request_json.h"
#include "api/tensor_json.h"
#include "codec/json_value.h"

bool infer_json_output_is_binary(const struct requested_output *output) {
    return output->adapter != NULL;
}

void infer_json_set_output_binary(struct requested_output *output, bool binary) {
    output->adapter = binary ? output : NULL; /* any pointer says yes */
}

/* One decode. */
struct reader {
    struct infer_request *request;
    struct slice binary; /* bytes behind the JSON that no input has taken yet */
    bool has_binary;
    size_t json_size;
    uint64_t now_ns;
    bool all_binary; /* parameters.binary_data_output */
};

static struct status no_memory(const char *what) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory while reading the %s of the request", what);
}

/* The members that an object may have and that mean something here, in the order of the array; others are ignored, as
 * the protocol wants, but are held to the nesting limit. A member given twice is an error. */
static struct status read_members(struct json_place place, yyjson_val *object, const char *const *names,
                                  size_t name_count, yyjson_val **values) {
    if (!yyjson_is_obj(object))
        return request_json_expected(place, place.list ? "" : "request", "an object", object);
    for (size_t i = 0; i < name_count; i++)
        values[i] = NULL;
    size_t at, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) {
        size_t i = 0;
        while (i < name_count && !yyjson_equals_str(key, names[i]))
            i++;
        if (i == name_count) {
            if (json_nested_deeper(value, JSON_NESTING_MAX))
                return request_json_error(place, yyjson_get_str(key), "nested more than 100 deep");
        } else if (values[i]) {
            return request_json_error(place, names[i], "the member is given twice");
        } else {
            values[i] = value;
        }
    }
    return status_ok();
}

static struct status read_binary_size(struct json_place place, const struct infer_parameter *parameter, uint64_t *ret) {
    if (infer_parameter_as_u64(parameter, ret))
        return status_ok();
    char got[128], what[200];
    infer_parameter_describe(parameter, got, sizeof got);
    snprintf(what, sizeof what, "expected a size of 0 or more in bytes, got %s", got);
    return request_json_error(place, "parameters.binary_data_size", what);
}

static struct status read_bool(struct json_place place, const char *member, const struct infer_parameter *parameter,
                               bool *ret) {
    if (parameter->kind == PARAMETER_BOOL) {
        *ret = parameter->value.boolean;
        return status_ok();
    }
    char got[128], what[200];
    infer_parameter_describe(parameter, got, sizeof got);
    snprintf(what, sizeof what, "expected true or false, got %s", got);
    return request_json_error(place, member, what);
}

static struct status read_request_parameters(struct reader *reader, yyjson_val *object) {
    const struct json_place root = {NULL, 0};
    if (!yyjson_is_obj(object))
        return request_json_expected(root, "parameters", "an object", object);
    STATUS_TRY(request_json_check_keys(root, "parameters", object, NULL, reader->request->arena));
    STATUS_TRY(infer_parameters_reserve(reader->request, yyjson_obj_size(object)));
    size_t at, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) {
        struct infer_parameter parameter = {0};
        STATUS_TRY(request_json_parameter(root, "parameters", key, value, reader->request->arena, &parameter));
        if (slice_equal_text(parameter.name, "binary_data_output"))
            STATUS_TRY(read_bool(root, "parameters.binary_data_output", &parameter, &reader->all_binary));
        else
            STATUS_TRY(infer_parameters_apply(reader->request, &parameter, reader->now_ns));
    }
    return status_ok();
}

/* How an input's bytes are given, or an output's are wanted. */
struct tensor_form {
    struct tensor_parameters common;
    bool has_size; /* binary_data_size is there */
    uint64_t binary_size;
    bool binary_data;
};

/* A name that means nothing there may have any value, within the nesting limit. */
static struct status read_tensor_parameter(struct reader *reader, struct json_place place, yyjson_val *key,
                                           yyjson_val *value, struct tensor_form *ret) {
    const struct slice name = {yyjson_get_str(key), yyjson_get_len(key)};
    bool is_size = !ret->common.of_output && slice_equal_text(name, "binary_data_size");
    bool is_binary = ret->common.of_output && slice_equal_text(name, "binary_data");
    if (!is_size && !is_binary && !tensor_parameter_is_known(&ret->common, name))
        return json_nested_deeper(value, JSON_NESTING_MAX)
                   ? request_json_error(place, "parameters", "nested more than 100 deep")
                   : status_ok();
    struct infer_parameter parameter = {0};
    STATUS_TRY(request_json_parameter(place, "parameters", key, value, reader->request->arena, &parameter));
    if (is_size) {
        ret->has_size = true;
        return read_binary_size(place, &parameter, &ret->binary_size);
    }
    if (is_binary)
        return read_bool(place, "parameters.binary_data", &parameter, &ret->binary_data);
    return tensor_parameters_apply(&ret->common, &parameter, place.index);
}

/* Nothing, null and an empty array say the same: no parameters. */
static struct status read_tensor_parameters(struct reader *reader, struct json_place place, yyjson_val *object,
                                            struct tensor_form *ret) {
    if (!object || yyjson_is_null(object) || (yyjson_is_arr(object) && yyjson_arr_size(object) == 0))
        return status_ok();
    if (!yyjson_is_obj(object))
        return request_json_expected(place, "parameters", "an object", object);
    STATUS_TRY(request_json_check_keys(place, "parameters", object, NULL, reader->request->arena));
    size_t at, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) STATUS_TRY(read_tensor_parameter(reader, place, key, value, ret));
    return tensor_parameters_check(&ret->common, place.index);
}

static struct status read_shape(struct json_place place, yyjson_val *value, struct tensor *tensor) {
    if (!yyjson_is_arr(value))
        return request_json_expected(place, "shape", "an array of integers", value);
    size_t rank = yyjson_arr_size(value);
    if (rank > TENSOR_RANK_MAX) {
        char what[96];
        snprintf(what, sizeof what, "expected at most %d dimensions, got %zu", (int)TENSOR_RANK_MAX, rank);
        return request_json_error(place, "shape", what);
    }
    tensor->rank = (int)rank;
    size_t at, count;
    yyjson_val *dim;
    yyjson_arr_foreach(value, at, count, dim) {
        if (!yyjson_is_uint(dim) || yyjson_get_uint(dim) > INT64_MAX) {
            char member[32];
            snprintf(member, sizeof member, "shape[%zu]", at);
            bool too_large = yyjson_is_uint(dim) || yyjson_is_raw(dim);
            return request_json_expected(
                place, member, too_large ? "an integer in 0..9223372036854775807" : "an integer of 0 or more", dim);
        }
        tensor->shape[at] = (int64_t)yyjson_get_uint(dim);
    }
    return status_ok();
}

static struct status read_datatype(struct json_place place, yyjson_val *value, struct tensor *tensor) {
    if (!yyjson_is_str(value))
        return request_json_expected(place, "datatype", "a string", value);
    tensor->type = datatype_from_name((struct slice){yyjson_get_str(value), yyjson_get_len(value)});
    if (tensor->type == DATATYPE_INVALID)
        return request_json_expected(
            place, "datatype",
            "one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, FP32, FP64, "
            "BYTES, BF16",
            value);
    return status_ok();
}

/* The input's bytes: the next binary_size ones behind the JSON. */
static struct status take_binary(struct reader *reader, struct json_place place, uint64_t size, struct tensor *tensor) {
    char what[200];
    if (!reader->has_binary)
        return request_json_error(
            place, "parameters.binary_data_size",
            "binary data needs the header Inference-Header-Content-Length, which tells where it begins");
    if (size > reader->binary.size) {
        snprintf(what, sizeof what, "expected %" PRIu64 " bytes, but the body has only %zu more behind the JSON", size,
                 reader->binary.size);
        return request_json_error(place, "parameters.binary_data_size", what);
    }
    tensor->data = (struct slice){reader->binary.data, (size_t)size};
    if (size > 0)
        reader->binary = (struct slice){reader->binary.data + size, reader->binary.size - (size_t)size};
    return status_ok();
}

static struct status ways_error(struct json_place place, bool data, bool binary, bool shared) {
    char what[200];
    snprintf(what, sizeof what,
             "expected one of data, parameters.binary_data_size and parameters.shared_memory_region, got %s%s%s%s%s%s",
             data ? "data" : "", data && binary ? " and " : "", binary ? "parameters.binary_data_size" : "",
             (data || binary) && shared ? " and " : "", shared ? "parameters.shared_memory_region" : "",
             data || binary || shared ? "" : "none");
    return request_json_error(place, "", what);
}

static struct status read_input(struct reader *reader, size_t index, yyjson_val *object, struct tensor *tensor) {
    enum { NAME, SHAPE, DATATYPE, PARAMETERS, DATA, MEMBER_COUNT };
    static const char *const names[MEMBER_COUNT] = {"name", "shape", "datatype", "parameters", "data"};
    const struct json_place place = {"inputs", index};
    yyjson_val *members[MEMBER_COUNT];
    STATUS_TRY(read_members(place, object, names, MEMBER_COUNT, members));
    STATUS_TRY(request_json_string(place, "name", members[NAME], reader->request->arena, &tensor->name));
    STATUS_TRY(read_datatype(place, members[DATATYPE], tensor));
    STATUS_TRY(read_shape(place, members[SHAPE], tensor));
    struct tensor_form form = {.common = {.of_output = false}};
    STATUS_TRY(read_tensor_parameters(reader, place, members[PARAMETERS], &form));
    bool shared = form.common.part.region.size > 0;
    if ((members[DATA] != NULL) + form.has_size + shared != 1)
        return ways_error(place, members[DATA] != NULL, form.has_size, shared);
    tensor->part = form.common.part;
    if (shared)
        return status_ok();
    if (form.has_size)
        return take_binary(reader, place, form.binary_size, tensor);
    return tensor_json_decode(members[DATA], reader->json_size, "inputs", index, reader->request->arena, tensor);
}

static struct status read_inputs(struct reader *reader, yyjson_val *array) {
    const struct json_place root = {NULL, 0};
    if (!array)
        return request_json_error(root, "inputs", "the member is missing");
    if (!yyjson_is_arr(array))
        return request_json_expected(root, "inputs", "an array", array);
    struct infer_request *request = reader->request;
    request->inputs = arena_calloc(request->arena, yyjson_arr_size(array), sizeof *request->inputs);
    if (!request->inputs)
        return no_memory("inputs");
    size_t at, count;
    yyjson_val *input;
    yyjson_arr_foreach(array, at, count, input) {
        STATUS_TRY(read_input(reader, at, input, &request->inputs[at]));
        request->input_count = at + 1;
    }
    if (reader->binary.size > 0)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "the body has %zu bytes more than the JSON and the binary_data_size of all inputs account for",
            reader->binary.size);
    return status_ok();
}

static struct status read_output(struct reader *reader, size_t index, yyjson_val *object,
                                 struct requested_output *output) {
    enum { NAME, PARAMETERS, MEMBER_COUNT };
    static const char *const names[MEMBER_COUNT] = {"name", "parameters"};
    const struct json_place place = {"outputs", index};
    yyjson_val *members[MEMBER_COUNT];
    STATUS_TRY(read_members(place, object, names, MEMBER_COUNT, members));
    STATUS_TRY(request_json_string(place, "name", members[NAME], reader->request->arena, &output->name));
    struct tensor_form form = {.common = {.of_output = true}};
    STATUS_TRY(read_tensor_parameters(reader, place, members[PARAMETERS], &form));
    output->classification = (uint32_t)form.common.classification;
    output->part = form.common.part;
    infer_json_set_output_binary(output, form.binary_data);
    return status_ok();
}

static struct status read_outputs(struct reader *reader, yyjson_val *array) {
    if (!yyjson_is_arr(array))
        return request_json_expected((struct json_place){NULL, 0}, "outputs", "an array", array);
    struct infer_request *request = reader->request;
    request->outputs = arena_calloc(request->arena, yyjson_arr_size(array), sizeof *request->outputs);
    if (!request->outputs)
        return no_memory("outputs");
    size_t at, count;
    yyjson_val *output;
    yyjson_arr_foreach(array, at, count, output) {
        STATUS_TRY(read_output(reader, at, output, &request->outputs[at]));
        request->output_count = at + 1;
    }
    return status_ok();
}

static struct status read_document(struct reader *reader, yyjson_val *root) {
    enum { ID, PARAMETERS, INPUTS, OUTPUTS, MEMBER_COUNT };
    static const char *const names[MEMBER_COUNT] = {"id", "parameters", "inputs", "outputs"};
    const struct json_place place = {NULL, 0};
    yyjson_val *members[MEMBER_COUNT];
    STATUS_TRY(read_members(place, root, names, MEMBER_COUNT, members));
    if (members[ID])
        STATUS_TRY(request_json_string(place, "id", members[ID], reader->request->arena, &reader->request->id));
    if (members[PARAMETERS])
        STATUS_TRY(read_request_parameters(reader, members[PARAMETERS]));
    STATUS_TRY(read_inputs(reader, members[INPUTS]));
    return members[OUTPUTS] ? read_outputs(reader, members[OUTPUTS]) : status_ok();
}

struct status infer_json_decode(struct slice json, struct slice binary, bool has_binary, uint64_t now_ns,
                                struct infer_request *request, bool *ret_all_binary) {
    yyjson_doc *doc;
    STATUS_TRY(request_json_read(json, &doc));
    struct reader reader = {
        .request = request, .binary = binary, .has_binary = has_binary, .json_size = json.size, .now_ns = now_ns};
    struct status status = read_document(&reader, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (status_is_ok(&status))
        *ret_all_binary = reader.all_binary;
    return status;
}
