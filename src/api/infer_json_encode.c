#include "api/infer_json.h"
#include "api/infer_outputs.h"
#include "api/tensor_json.h"
#include "codec/json_write.h"

void infer_json_write_parameter(struct json_writer *writer, const struct infer_parameter *parameter) {
    json_key_slice(writer, parameter->name);
    switch (parameter->kind) {
    case PARAMETER_BOOL:
        json_bool(writer, parameter->value.boolean);
        break;
    case PARAMETER_INT:
        json_i64(writer, parameter->value.integer);
        break;
    case PARAMETER_UINT:
        json_u64(writer, parameter->value.unsigned_integer);
        break;
    case PARAMETER_DOUBLE:
        json_double(writer, parameter->value.real);
        break;
    case PARAMETER_STRING:
        json_string(writer, parameter->value.string);
        break;
    }
}

void infer_json_write_origin(struct json_writer *writer, const struct infer_request *request,
                             const struct infer_response *response) {
    if (request->id.size > 0) {
        json_key(writer, "id");
        json_string(writer, request->id);
    }
    json_key(writer, "model_name");
    json_string(writer, response->model_name);
    char version[JSON_NUMBER_MAX];
    json_key(writer, "model_version");
    json_string(writer, (struct slice){version, json_format_i64(version, response->model_version)});
}

static void encode_parameters(struct json_writer *writer, const struct infer_parameter *parameters, size_t count) {
    json_key(writer, "parameters");
    json_begin_object(writer);
    for (size_t i = 0; i < count; i++)
        infer_json_write_parameter(writer, &parameters[i]);
    json_end_object(writer);
}

static struct status encode_output(struct json_writer *writer, const struct tensor *output, bool binary) {
    json_begin_object(writer);
    json_key(writer, "name");
    json_string(writer, output->name);
    json_key(writer, "datatype");
    json_text(writer, datatype_name(output->type));
    json_key(writer, "shape");
    json_begin_array(writer);
    for (int i = 0; i < output->rank; i++)
        json_i64(writer, output->shape[i]);
    json_end_array(writer);
    /* In shared memory: neither data nor parameters, for NVIDIA's C++ client wants binary_data_size of any that are
     * there. */
    if (output->memory == MEMORY_SHARED) {
        json_end_object(writer);
        return status_ok();
    }
    if (binary) {
        json_key(writer, "parameters");
        json_begin_object(writer);
        json_key(writer, "binary_data_size");
        json_u64(writer, output->data.size);
        json_end_object(writer);
    } else {
        json_key(writer, "data");
        json_raw(writer, (struct slice){NULL, 0}); /* puts the colon; the elements follow without a copy */
        STATUS_TRY(tensor_json_encode(output, writer->out));
    }
    json_end_object(writer);
    return status_ok();
}

static bool is_binary(const struct infer_output *output, bool all_binary) {
    return output->requested ? infer_json_output_is_binary(output->requested) : all_binary;
}

static struct status encode_json(const struct infer_request *request, const struct infer_response *response,
                                 const struct infer_output *outputs, size_t output_count, bool all_binary,
                                 struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    infer_json_write_origin(&writer, request, response);
    if (response->parameter_count > 0)
        encode_parameters(&writer, response->parameters, response->parameter_count);
    json_key(&writer, "outputs");
    json_begin_array(&writer);
    for (size_t i = 0; i < output_count; i++)
        STATUS_TRY(encode_output(&writer, &outputs[i].tensor, is_binary(&outputs[i], all_binary)));
    json_end_array(&writer);
    json_end_object(&writer);
    return status_ok();
}

struct status infer_json_encode(const struct infer_request *request, const struct infer_response *response,
                                bool all_binary, struct buf *out, size_t *ret_json_size, struct slice *ret_tail) {
    struct infer_output *outputs;
    size_t count;
    STATUS_TRY(infer_outputs_select(request, response, &outputs, &count));
    STATUS_TRY(encode_json(request, response, outputs, count, all_binary, out));
    size_t json_size = out->size, binary_size = 0;
    for (size_t i = 0; i < count; i++)
        binary_size += is_binary(&outputs[i], all_binary) ? outputs[i].tensor.data.size : 0;
    struct slice tail = {NULL, 0};
    if (ret_tail && count > 0 && is_binary(&outputs[count - 1], all_binary))
        tail = infer_outputs_tail(outputs[count - 1].tensor.data);
    buf_reserve(out, binary_size - tail.size);
    for (size_t i = 0; i < count - (tail.size > 0); i++)
        if (is_binary(&outputs[i], all_binary))
            buf_append_slice(out, outputs[i].tensor.data);
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory while writing the answer");
    *ret_json_size = binary_size > 0 ? json_size : 0;
    if (ret_tail)
        *ret_tail = tail;
    return status_ok();
}
