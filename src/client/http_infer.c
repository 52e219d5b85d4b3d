/* http_infer.c: inferences of KServe v2 over HTTP/1.1: JSON, and tensors in JSON or by the binary tensor data
 * extension.
 */
#include <yyjson.h>

#include "client/client_tensor.h"
#include "client/http_body_priv.h"
#include "client/http_head.h"
#include "codec/json_tensor.h"
#include "codec/json_write.h"

/* ---- requests ---- */

static void write_region(struct json_writer *json, const struct infer_region *region) {
    json_key(json, "shared_memory_region");
    json_string(json, region->name);
    json_key(json, "shared_memory_offset");
    json_u64(json, region->offset);
    json_key(json, "shared_memory_byte_size");
    json_u64(json, region->byte_size);
}

static struct status write_elements(struct json_writer *json, const struct infer_tensor *input) {
    json_key(json, "data");
    json_raw(json, (struct slice){NULL, 0}); /* puts the colon; the elements follow without a copy */
    struct status status = json_tensor_encode(input->name, input->datatype, input->data, json->out);
    return status_is_ok(&status) ? status : status_prefix(status, "input in JSON");
}

/* `region` may be NULL. */
static struct status write_input(struct json_writer *json, const struct infer_tensor *input,
                                 const struct infer_region *region, bool in_json) {
    json_begin_object(json);
    json_key(json, "name");
    json_string(json, input->name);
    json_key(json, "datatype");
    json_string(json, input->datatype);
    json_key(json, "shape");
    json_begin_array(json);
    for (size_t i = 0; i < input->rank; i++)
        json_i64(json, input->shape[i]);
    json_end_array(json);
    if (region == NULL && in_json) {
        STATUS_TRY(write_elements(json, input));
        json_end_object(json);
        return status_ok();
    }
    json_key(json, "parameters");
    json_begin_object(json);
    if (region != NULL) {
        write_region(json, region);
    } else {
        json_key(json, "binary_data_size");
        json_u64(json, input->data.size);
    }
    json_end_object(json);
    json_end_object(json);
    return status_ok();
}

static void write_parameter(struct json_writer *json, const struct infer_client_parameter *parameter) {
    json_key_slice(json, parameter->name);
    switch (parameter->kind) {
    case INFER_VALUE_BOOL:
        json_bool(json, parameter->boolean);
        break;
    case INFER_VALUE_INT:
        json_i64(json, parameter->integer);
        break;
    case INFER_VALUE_UINT:
        json_u64(json, parameter->natural);
        break;
    case INFER_VALUE_DOUBLE:
        json_double(json, parameter->number);
        break;
    case INFER_VALUE_TEXT:
        json_string(json, parameter->text);
        break;
    }
}

/* Outputs are asked for in binary by name, or here all of them; in JSON they come unasked. */
static void write_parameters(struct json_writer *json, const struct infer_request_spec *request, bool json_outputs) {
    bool all_binary = request->output_count == 0 && !json_outputs;
    if (!all_binary && request->parameter_count == 0)
        return;
    json_key(json, "parameters");
    json_begin_object(json);
    if (all_binary) {
        json_key(json, "binary_data_output");
        json_bool(json, true);
    }
    for (size_t i = 0; i < request->parameter_count; i++)
        write_parameter(json, &request->parameters[i]);
    json_end_object(json);
}

static void write_outputs(struct json_writer *json, const struct infer_request_spec *request, bool json_outputs) {
    if (request->output_count == 0)
        return;
    json_key(json, "outputs");
    json_begin_array(json);
    for (size_t i = 0; i < request->output_count; i++) {
        json_begin_object(json);
        json_key(json, "name");
        json_string(json, request->outputs[i]);
        json_key(json, "parameters");
        json_begin_object(json);
        if (request->output_regions != NULL) {
            write_region(json, &request->output_regions[i]);
        } else {
            json_key(json, "binary_data");
            json_bool(json, !json_outputs);
        }
        if (request->output_classes != NULL && request->output_classes[i] > 0) {
            json_key(json, "classification");
            json_u64(json, request->output_classes[i]);
        }
        json_end_object(json);
        json_end_object(json);
    }
    json_end_array(json);
}

static struct status write_infer_json(struct json_writer *json, const struct infer_request_spec *request,
                                      const struct client_call *call) {
    json_begin_object(json);
    if (request->id.size > 0) {
        json_key(json, "id");
        json_string(json, request->id);
    }
    json_key(json, "inputs");
    json_begin_array(json);
    for (size_t i = 0; i < request->input_count; i++)
        STATUS_TRY(write_input(json, &request->inputs[i],
                               request->input_regions != NULL ? &request->input_regions[i] : NULL, call->json_inputs));
    json_end_array(json);
    write_outputs(json, request, call->json_outputs);
    write_parameters(json, request, call->json_outputs);
    json_end_object(json);
    return status_ok();
}

/* What goes behind the JSON. */
static struct status binary_size(const struct infer_request_spec *request, const struct client_call *call,
                                 size_t *ret) {
    *ret = 0;
    for (size_t i = 0; i < request->input_count && request->input_regions == NULL && !call->json_inputs; i++) {
        if (__builtin_add_overflow(*ret, request->inputs[i].data.size, ret))
            return status_error(STATUS_TOO_LARGE, "the tensors of a request are too large");
    }
    return status_ok();
}

/* Head, JSON, tensors. The lengths stand in the head, so the JSON is written first and moved behind it. */
struct status http_body_write_infer(const struct infer_request_spec *request, const char *authority,
                                    struct arena *arena, struct client_call *call) {
    struct buf *out = &call->request;
    struct json_writer json = json_writer_on(out);
    size_t binary = 0;
    STATUS_TRY(write_infer_json(&json, request, call));
    if (buf_failed(out))
        return http_body_out_of_memory();
    struct slice text = arena_copy(arena, buf_slice(out));
    if (text.data == NULL)
        return http_body_out_of_memory();
    STATUS_TRY(binary_size(request, call, &binary));
    buf_clear(out);
    buf_append_text(out, "POST ");
    http_body_model_path(out, request->model, request->version);
    buf_append_text(out, "/infer");
    http_head_common(call, authority);
    if (call->json_inputs)
        buf_append_text(out, "Content-Type: application/json\r\n");
    else
        buf_printf(out, "Content-Type: application/octet-stream\r\nInference-Header-Content-Length: %zu\r\n",
                   text.size);
    buf_printf(out, "Content-Length: %zu\r\n\r\n", text.size + binary);
    buf_reserve(out, text.size + binary);
    buf_append_slice(out, text);
    for (size_t i = 0; i < request->input_count && binary > 0; i++)
        buf_append_slice(out, request->inputs[i].data);
    return buf_failed(out) ? http_body_out_of_memory() : status_ok();
}

/* ---- answers ---- */

/* What is taken apart of an answer's JSON, and the bytes behind it. */
struct answer_reader {
    struct arena *arena;
    struct slice binary;
    size_t at; /* in binary */
    size_t json_size;
    const struct client_call *call;
};

static struct status read_shape(struct answer_reader *reader, yyjson_val *shape, struct infer_tensor *ret) {
    if (!yyjson_is_arr(shape) || yyjson_arr_size(shape) > INFER_TENSOR_RANK_MAX)
        return http_body_malformed("an array of at most 64 numbers as the shape of an output");
    int64_t *dims = arena_calloc(reader->arena, yyjson_arr_size(shape), sizeof *dims);
    if (dims == NULL)
        return http_body_out_of_memory();
    ret->shape = dims;
    ret->rank = yyjson_arr_size(shape);
    yyjson_val *dim;
    yyjson_arr_iter iter = yyjson_arr_iter_with(shape);
    while ((dim = yyjson_arr_iter_next(&iter)) != NULL) {
        if (!yyjson_is_uint(dim) || yyjson_get_uint(dim) > INT64_MAX)
            return http_body_malformed("dims of 0 or more in the shape of an output");
        *dims++ = (int64_t)yyjson_get_uint(dim);
    }
    return status_ok();
}

static struct status read_elements(struct answer_reader *reader, yyjson_val *data, size_t index,
                                   struct infer_tensor *ret) {
    struct json_tensor form = {.name = ret->name,
                               .datatype = ret->datatype,
                               .shape = ret->shape,
                               .rank = (int)ret->rank,
                               .list = "outputs",
                               .index = index};
    if (data == NULL)
        return status_error(STATUS_DATA_LOSS, "the server gives output '%.*s' without data in JSON, as asked for",
                            SLICE_ARGS(ret->name));
    struct status status = client_tensor_count(ret, &form.element_count);
    if (status_is_ok(&status))
        status = json_tensor_decode(&form, data, reader->json_size, reader->arena, &ret->data);
    if (status.code == STATUS_INVALID_ARGUMENT)
        status.code = STATUS_DATA_LOSS;
    return status_is_ok(&status) ? status : status_prefix(status, "the server's answer");
}

static struct status read_output(struct answer_reader *reader, yyjson_val *output, size_t index,
                                 struct infer_tensor *ret) {
    yyjson_val *name = yyjson_obj_get(output, "name");
    yyjson_val *datatype = yyjson_obj_get(output, "datatype");
    yyjson_val *size = yyjson_obj_get(yyjson_obj_get(output, "parameters"), "binary_data_size");
    if (!yyjson_is_str(name) || !yyjson_is_str(datatype))
        return http_body_malformed("strings as name and datatype of an output");
    if (!http_body_copy_string(reader->arena, name, &ret->name) ||
        !http_body_copy_string(reader->arena, datatype, &ret->datatype))
        return http_body_out_of_memory();
    STATUS_TRY(read_shape(reader, yyjson_obj_get(output, "shape"), ret));
    if (reader->call->outputs_in_memory)
        return status_ok();
    if (reader->call->json_outputs)
        return read_elements(reader, yyjson_obj_get(output, "data"), index, ret);
    if (!yyjson_is_uint(size))
        return status_error(STATUS_DATA_LOSS, "the server gives output '%.*s' without binary_data_size, as asked for",
                            SLICE_ARGS(ret->name));
    if (yyjson_get_uint(size) > reader->binary.size - reader->at)
        return status_error(STATUS_DATA_LOSS, "output '%.*s' says %llu bytes of data, but %zu are left in the answer",
                            SLICE_ARGS(ret->name), (unsigned long long)yyjson_get_uint(size),
                            reader->binary.size - reader->at);
    ret->data = (struct slice){reader->binary.data + reader->at, (size_t)yyjson_get_uint(size)};
    reader->at += ret->data.size;
    return status_ok();
}

static struct status read_outputs(struct answer_reader *reader, yyjson_val *list, struct client_infer_answer *ret) {
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > INFER_ANSWER_TENSORS_MAX)
        return http_body_malformed("an array 'outputs'");
    ret->outputs = arena_calloc(reader->arena, yyjson_arr_size(list), sizeof *ret->outputs);
    if (ret->outputs == NULL)
        return http_body_out_of_memory();
    yyjson_val *output;
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (; (output = yyjson_arr_iter_next(&iter)) != NULL; ret->output_count++)
        STATUS_TRY(read_output(reader, output, ret->output_count, &ret->outputs[ret->output_count]));
    if (reader->at < reader->binary.size)
        return status_error(STATUS_DATA_LOSS, "the server's answer has %zu bytes behind its last output",
                            reader->binary.size - reader->at);
    return status_ok();
}

static struct status read_infer_json(struct answer_reader *reader, yyjson_val *root, struct client_infer_answer *ret) {
    yyjson_val *version = yyjson_obj_get(root, "model_version"), *id = yyjson_obj_get(root, "id");
    if (!yyjson_is_obj(root) || (version != NULL && !yyjson_is_str(version)) || (id != NULL && !yyjson_is_str(id)))
        return http_body_malformed("an object with model_version and id as strings");
    if (!http_body_copy_string(reader->arena, version, &ret->model_version) ||
        !http_body_copy_string(reader->arena, id, &ret->id))
        return http_body_out_of_memory();
    return read_outputs(reader, yyjson_obj_get(root, "outputs"), ret);
}

struct status http_body_read_infer(const struct client_call *call, struct arena *arena,
                                   struct client_infer_answer *ret) {
    *ret = (struct client_infer_answer){0};
    STATUS_TRY(http_body_check(call));
    struct slice body = buf_slice(&call->answer);
    if (call->has_json_size && call->json_size > body.size)
        return status_error(STATUS_DATA_LOSS,
                            "the server says Inference-Header-Content-Length %llu of a body of %zu bytes",
                            (unsigned long long)call->json_size, body.size);
    size_t json_size = call->has_json_size ? (size_t)call->json_size : body.size;
    if (json_size == 0) /* also: no memory at all */
        return http_body_malformed("a JSON object, got nothing");
    struct answer_reader reader = {arena, {body.data + json_size, body.size - json_size}, 0, json_size, call};
    yyjson_read_err error;
    /* Without YYJSON_READ_INSITU the text is only read. */
    const yyjson_read_flag flags = YYJSON_READ_ALLOW_INF_AND_NAN | YYJSON_READ_BIGNUM_AS_RAW;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)body.data, json_size, flags, NULL, &error);
    if (doc == NULL)
        return status_error(STATUS_DATA_LOSS, "the server's answer is no JSON: %s at byte %zu", error.msg, error.pos);
    struct status status = read_infer_json(&reader, yyjson_doc_get_root(doc), ret);
    yyjson_doc_free(doc);
    return status;
}
