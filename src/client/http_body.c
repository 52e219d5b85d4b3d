/* http_body.c: KServe v2 over HTTP/1.1: request heads, JSON, and the binary tensor data extension. See client_body.h.
 */
#include "client/client_body.h"

#include <yyjson.h>

#include "client/http_head.h"
#include "client/remote_status.h"
#include "codec/json_write.h"
#include "codec/pb_json.h"

static const char *const query_suffixes[QUERY_KIND_COUNT] = {
    [QUERY_SERVER_READY] = "/v2/health/ready", /* whole paths */
    [QUERY_SERVER_METADATA] = "/v2",
    [QUERY_MODEL_READY] = "/ready",
    [QUERY_MODEL_METADATA] = "",
    [QUERY_MODEL_CONFIG] = "/config",
    [QUERY_MODEL_STATISTICS] = "/stats",
    [QUERY_PAGE] = "",
    [QUERY_TRACE_SETTINGS] = "",
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an HTTP message");
}

/* ---- requests ---- */

static void append_model_path(struct buf *out, struct slice model, struct slice version) {
    buf_append_text(out, "/v2/models");
    if (model.size > 0)
        buf_append_char(out, '/');
    http_head_segment(out, model);
    if (version.size > 0) {
        buf_append_text(out, "/versions/");
        http_head_segment(out, version);
    }
}

/* POST /v2/systemsharedmemory/region/R/register or /unregister. */
static void write_memory_query(const struct client_query *query, const char *authority, struct client_call *call) {
    struct buf *out = &call->request, body = BUF_EMPTY;
    struct json_writer json = json_writer_on(&body);
    json_begin_object(&json);
    if (query->kind == QUERY_MEMORY_REGISTER) {
        json_key(&json, "key");
        json_string(&json, query->key);
        json_key(&json, "byte_size");
        json_u64(&json, query->byte_size);
    }
    json_end_object(&json);
    buf_append_text(out, "POST /v2/systemsharedmemory/region/");
    http_head_segment(out, query->region);
    buf_append_text(out, query->kind == QUERY_MEMORY_REGISTER ? "/register" : "/unregister");
    http_head_common(call, authority);
    buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.size);
    buf_append_slice(out, buf_slice(&body));
    out->failed = out->failed || buf_failed(&body);
    buf_free(&body);
}

static void write_setting(struct json_writer *json, const struct infer_setting *setting) {
    bool list = slice_equal_text(setting->name, "trace_level"); /* the others have one value */
    json_key_slice(json, setting->name);
    if (list)
        json_begin_array(json);
    for (size_t i = 0; i < (list ? setting->value_count : 1); i++)
        json_string(json, setting->values[i]);
    if (list)
        json_end_array(json);
}

static void write_trace_query(const struct client_query *query, const char *authority, struct client_call *call) {
    struct buf *out = &call->request, body = BUF_EMPTY;
    struct json_writer json = json_writer_on(&body);
    buf_append_text(out, query->change_count > 0 ? "POST /v2/trace/setting" : "GET /v2/trace/setting");
    http_head_common(call, authority);
    json_begin_object(&json);
    for (size_t i = 0; i < query->change_count; i++)
        write_setting(&json, &query->changes[i]);
    json_end_object(&json);
    if (query->change_count > 0)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.size);
    else
        buf_append_text(out, "\r\n");
    if (query->change_count > 0)
        buf_append_slice(out, buf_slice(&body));
    out->failed = out->failed || buf_failed(&body);
    buf_free(&body);
}

static struct status write_query(const struct client_query *query, const char *authority, struct client_call *call) {
    struct buf *out = &call->request;
    if (client_query_is_order(query->kind)) {
        write_memory_query(query, authority, call);
        return buf_failed(out) ? out_of_memory() : status_ok();
    }
    if (query->kind == QUERY_TRACE_SETTINGS) {
        write_trace_query(query, authority, call);
        return buf_failed(out) ? out_of_memory() : status_ok();
    }
    buf_append_text(out, "GET ");
    if (query->kind == QUERY_PAGE)
        buf_append_slice(out, query->page);
    else if (query->kind != QUERY_SERVER_READY && query->kind != QUERY_SERVER_METADATA)
        append_model_path(out, query->model, query->version);
    buf_append_text(out, query_suffixes[query->kind]);
    http_head_common(call, authority);
    buf_append_text(out, "\r\n");
    return buf_failed(out) ? out_of_memory() : status_ok();
}

static void write_region(struct json_writer *json, const struct infer_region *region) {
    json_key(json, "shared_memory_region");
    json_string(json, region->name);
    json_key(json, "shared_memory_offset");
    json_u64(json, region->offset);
    json_key(json, "shared_memory_byte_size");
    json_u64(json, region->byte_size);
}

/* `region` may be NULL. */
static void write_input(struct json_writer *json, const struct infer_tensor *input, const struct infer_region *region) {
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

/* Outputs are asked for in binary: by name, or here all of them. */
static void write_parameters(struct json_writer *json, const struct infer_request_spec *request) {
    if (request->output_count > 0 && request->parameter_count == 0)
        return;
    json_key(json, "parameters");
    json_begin_object(json);
    if (request->output_count == 0) {
        json_key(json, "binary_data_output");
        json_bool(json, true);
    }
    for (size_t i = 0; i < request->parameter_count; i++)
        write_parameter(json, &request->parameters[i]);
    json_end_object(json);
}

static void write_outputs(struct json_writer *json, const struct infer_request_spec *request) {
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
            json_bool(json, true);
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

static void write_infer_json(struct json_writer *json, const struct infer_request_spec *request) {
    json_begin_object(json);
    if (request->id.size > 0) {
        json_key(json, "id");
        json_string(json, request->id);
    }
    json_key(json, "inputs");
    json_begin_array(json);
    for (size_t i = 0; i < request->input_count; i++)
        write_input(json, &request->inputs[i], request->input_regions != NULL ? &request->input_regions[i] : NULL);
    json_end_array(json);
    write_outputs(json, request);
    write_parameters(json, request);
    json_end_object(json);
}

/* Head, JSON, tensors. The lengths stand in the head, so the JSON is written first and moved behind it. */
static struct status write_infer(const struct infer_request_spec *request, const char *authority, struct arena *arena,
                                 struct client_call *call) {
    struct buf *out = &call->request;
    struct json_writer json = json_writer_on(out);
    size_t binary = 0;
    write_infer_json(&json, request);
    if (buf_failed(out))
        return out_of_memory();
    struct slice text = arena_copy(arena, buf_slice(out));
    if (text.data == NULL)
        return out_of_memory();
    for (size_t i = 0; i < request->input_count && request->input_regions == NULL; i++) {
        if (__builtin_add_overflow(binary, request->inputs[i].data.size, &binary))
            return status_error(STATUS_TOO_LARGE, "the tensors of a request are too large");
    }
    buf_clear(out);
    buf_append_text(out, "POST ");
    append_model_path(out, request->model, request->version);
    buf_append_text(out, "/infer");
    http_head_common(call, authority);
    buf_printf(out,
               "Content-Type: application/octet-stream\r\nInference-Header-Content-Length: %zu\r\n"
               "Content-Length: %zu\r\n\r\n",
               text.size, text.size + binary);
    buf_reserve(out, text.size + binary);
    buf_append_slice(out, text);
    for (size_t i = 0; i < request->input_count && request->input_regions == NULL; i++)
        buf_append_slice(out, request->inputs[i].data);
    return buf_failed(out) ? out_of_memory() : status_ok();
}

/* ---- answers ---- */

static struct status check_answer(const struct client_call *call) {
    if (!status_is_ok(&call->status))
        return call->status;
    STATUS_TRY(http_head_check(call));
    if (call->http_status != 200)
        return remote_status_http(call->http_status, buf_slice(&call->answer));
    return status_ok();
}

/* What is taken apart of an answer's JSON, and the bytes behind it. */
struct answer_reader {
    struct arena *arena;
    struct slice binary;
    size_t at;      /* in binary */
    bool in_memory; /* outputs are in regions of shared memory */
};

static struct status malformed(const char *expected) {
    return status_error(STATUS_DATA_LOSS, "the server's JSON answer is malformed: expected %s", expected);
}

/* A copy of a JSON string (empty for NULL); false when memory is short. */
static bool copy_string(struct arena *arena, yyjson_val *value, struct slice *ret) {
    *ret = arena_copy(arena, (struct slice){yyjson_get_str(value), yyjson_get_len(value)});
    return ret->size == yyjson_get_len(value);
}

static struct status read_shape(struct answer_reader *reader, yyjson_val *shape, struct infer_tensor *ret) {
    if (!yyjson_is_arr(shape) || yyjson_arr_size(shape) > INFER_TENSOR_RANK_MAX)
        return malformed("an array of at most 64 numbers as the shape of an output");
    int64_t *dims = arena_calloc(reader->arena, yyjson_arr_size(shape), sizeof *dims);
    if (dims == NULL)
        return out_of_memory();
    ret->shape = dims;
    ret->rank = yyjson_arr_size(shape);
    yyjson_val *dim;
    yyjson_arr_iter iter = yyjson_arr_iter_with(shape);
    while ((dim = yyjson_arr_iter_next(&iter)) != NULL) {
        if (!yyjson_is_uint(dim) || yyjson_get_uint(dim) > INT64_MAX)
            return malformed("dims of 0 or more in the shape of an output");
        *dims++ = (int64_t)yyjson_get_uint(dim);
    }
    return status_ok();
}

static struct status read_output(struct answer_reader *reader, yyjson_val *output, struct infer_tensor *ret) {
    yyjson_val *name = yyjson_obj_get(output, "name");
    yyjson_val *datatype = yyjson_obj_get(output, "datatype");
    yyjson_val *size = yyjson_obj_get(yyjson_obj_get(output, "parameters"), "binary_data_size");
    if (!yyjson_is_str(name) || !yyjson_is_str(datatype))
        return malformed("strings as name and datatype of an output");
    if (!copy_string(reader->arena, name, &ret->name) || !copy_string(reader->arena, datatype, &ret->datatype))
        return out_of_memory();
    STATUS_TRY(read_shape(reader, yyjson_obj_get(output, "shape"), ret));
    if (reader->in_memory)
        return status_ok();
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
        return malformed("an array 'outputs'");
    ret->outputs = arena_calloc(reader->arena, yyjson_arr_size(list), sizeof *ret->outputs);
    if (ret->outputs == NULL)
        return out_of_memory();
    yyjson_val *output;
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    while ((output = yyjson_arr_iter_next(&iter)) != NULL)
        STATUS_TRY(read_output(reader, output, &ret->outputs[ret->output_count++]));
    if (reader->at < reader->binary.size)
        return status_error(STATUS_DATA_LOSS, "the server's answer has %zu bytes behind its last output",
                            reader->binary.size - reader->at);
    return status_ok();
}

static struct status read_infer_json(struct answer_reader *reader, yyjson_val *root, struct client_infer_answer *ret) {
    yyjson_val *version = yyjson_obj_get(root, "model_version"), *id = yyjson_obj_get(root, "id");
    if (!yyjson_is_obj(root) || (version != NULL && !yyjson_is_str(version)) || (id != NULL && !yyjson_is_str(id)))
        return malformed("an object with model_version and id as strings");
    if (!copy_string(reader->arena, version, &ret->model_version) || !copy_string(reader->arena, id, &ret->id))
        return out_of_memory();
    return read_outputs(reader, yyjson_obj_get(root, "outputs"), ret);
}

static struct status read_infer(const struct client_call *call, struct arena *arena, struct client_infer_answer *ret) {
    *ret = (struct client_infer_answer){0};
    STATUS_TRY(check_answer(call));
    struct slice body = buf_slice(&call->answer);
    if (call->has_json_size && call->json_size > body.size)
        return status_error(STATUS_DATA_LOSS,
                            "the server says Inference-Header-Content-Length %llu of a body of %zu bytes",
                            (unsigned long long)call->json_size, body.size);
    size_t json_size = call->has_json_size ? (size_t)call->json_size : body.size;
    if (json_size == 0) /* also: no memory at all */
        return malformed("a JSON object, got nothing");
    struct answer_reader reader = {arena, {body.data + json_size, body.size - json_size}, 0, call->outputs_in_memory};
    yyjson_read_err error;
    /* Without YYJSON_READ_INSITU the text is only read. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)body.data, json_size, 0, NULL, &error);
    if (doc == NULL)
        return status_error(STATUS_DATA_LOSS, "the server's answer is no JSON: %s at byte %zu", error.msg, error.pos);
    struct status status = read_infer_json(&reader, yyjson_doc_get_root(doc), ret);
    yyjson_doc_free(doc);
    return status;
}

static struct status read_ready(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                bool *ret) {
    (void)arena; /* the status line says it */
    if (!status_is_ok(&call->status))
        return call->status;
    int code = call->http_status;
    *ret = code == 200;
    if (client_query_is_order(query->kind))
        return check_answer(call);
    /* Not ready is 400 (Triton) or 503; an unknown model is one of these or 404. */
    if (code == 200 || code == 400 || code == 503 || (code == 404 && query->kind == QUERY_MODEL_READY))
        return status_ok();
    return check_answer(call);
}

static struct status read_message(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                  const struct pb_message *type, void *ret) {
    (void)query; /* the JSON form of a config is the bare message */
    STATUS_TRY(check_answer(call));
    struct status status = pb_json_parse_lenient(type, buf_slice(&call->answer), arena, ret);
    if (status.code == STATUS_INVALID_ARGUMENT)
        status.code = STATUS_DATA_LOSS;
    return status_is_ok(&status) ? status : status_prefix(status, "the server's answer");
}

/* A string, or an array of strings. */
static struct status read_setting(yyjson_val *name, yyjson_val *value, struct arena *arena, struct infer_setting *ret) {
    size_t count = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;
    struct slice *values = arena_calloc(arena, count, sizeof *values);
    if (values == NULL || !copy_string(arena, name, &ret->name))
        return out_of_memory();
    for (size_t i = 0; i < count; i++) {
        yyjson_val *text = yyjson_is_arr(value) ? yyjson_arr_get(value, i) : value;
        if (!yyjson_is_str(text))
            return malformed("strings as trace settings");
        if (!copy_string(arena, text, &values[i]))
            return out_of_memory();
    }
    ret->values = values;
    ret->value_count = count;
    return status_ok();
}

static struct status read_setting_list(yyjson_val *root, struct arena *arena, struct infer_setting **ret,
                                       size_t *ret_count) {
    size_t count = yyjson_obj_size(root), at = 0, i, max;
    struct infer_setting *settings = arena_calloc(arena, count, sizeof *settings);
    yyjson_val *name, *value;
    if (!yyjson_is_obj(root))
        return malformed("an object of trace settings");
    if (settings == NULL)
        return out_of_memory();
    yyjson_obj_foreach(root, i, max, name, value) STATUS_TRY(read_setting(name, value, arena, &settings[at++]));
    *ret = settings;
    *ret_count = count;
    return status_ok();
}

static struct status read_settings(const struct client_call *call, struct arena *arena, struct infer_setting **ret,
                                   size_t *ret_count) {
    STATUS_TRY(check_answer(call));
    yyjson_doc *doc = yyjson_read(call->answer.data != NULL ? call->answer.data : "", call->answer.size, 0);
    struct status status = read_setting_list(yyjson_doc_get_root(doc), arena, ret, ret_count);
    yyjson_doc_free(doc);
    return status;
}

const struct client_body_ops http_body_ops = {
    .write_query = write_query,
    .write_infer = write_infer,
    .read_infer = read_infer,
    .read_ready = read_ready,
    .read_message = read_message,
    .read_settings = read_settings,
};
