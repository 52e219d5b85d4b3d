#include "api/infer_trace.h"

#include <string.h>

#include "api/tensor_json.h"
#include "base/clock.h"
#include "codec/json_write.h"

void infer_trace_begin(struct infer_call *call, struct http_exchange *exchange, enum trace_protocol protocol) {
    struct tracer *tracer = call->context->tracer;
    if (!tracer_is_on(tracer))
        return;
    const struct infer_request *request = call->request;
    struct slice text = {NULL, 0};
    (void)http_request_header(http_exchange_request(exchange), "traceparent", &text);
    const struct trace_context client = traceparent_parse(text);
    call->trace = tracer_sample(tracer, request->model_name, protocol, &client);
    uint64_t received_ns = request->times.received; /* on a stream, it is taken when the message is complete */
    trace_stamp(call->trace, TRACE_RECV_START, received_ns);
    trace_stamp(call->trace, TRACE_RECV_END, call->created_ns > received_ns ? call->created_ns : received_ns);
    trace_set_request_id(call->trace, request->id);
    trace_set_version(call->trace, request->model_version);
}

/* ---- tensors ---- */

/* BYTES elements, up to the bound; those that are not UTF-8 lose what is not. */
static bool write_strings(struct slice data, struct buf *out) {
    uint32_t length;
    while (data.size >= sizeof length) {
        memcpy(&length, data.data, sizeof length);
        data = (struct slice){data.data + sizeof length, data.size - sizeof length};
        if (length > data.size || out->size + length > TRACE_TENSOR_TEXT_MAX)
            return false;
        if (out->size > 0)
            buf_append_char(out, ',');
        json_append_string(out, (struct slice){data.data, length});
        data = (struct slice){data.data + length, data.size - length};
    }
    return true;
}

static void write_bools(struct slice data, struct buf *out) {
    for (size_t i = 0; i < data.size; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        buf_append_char(out, data.data[i] ? '1' : '0');
    }
}

/* Elements as a JSON array without its brackets, BOOL as 0 and 1 as Triton has it; false when some had to be left
 * out. */
static bool write_elements(const struct tensor *tensor, struct buf *out) {
    if (tensor->type == DATATYPE_BYTES)
        return write_strings(tensor->data, out);
    size_t most = TRACE_TENSOR_TEXT_MAX / (JSON_NUMBER_MAX + 1) * datatype_size(tensor->type);
    struct tensor part = *tensor;
    if (part.data.size > most)
        part.data.size = most;
    if (part.type == DATATYPE_BOOL) {
        write_bools(part.data, out);
    } else {
        struct status status = tensor_json_encode(&part, out);
        (void)status; /* only strings can fail */
        buf_consume(out, 1);
        if (out->size > 0)
            out->size--;
    }
    return part.data.size == tensor->data.size;
}

/* Bytes in a client's or a device's memory are not looked at. */
static void add_tensor(struct trace *trace, enum trace_activity activity, const struct tensor *tensor) {
    struct buf text = BUF_EMPTY;
    bool ours = tensor->memory == MEMORY_REQUEST && tensor->part.region.size == 0;
    bool whole = ours && write_elements(tensor, &text);
    if (!buf_failed(&text)) {
        const struct trace_tensor record = {.name = tensor->name,
                                            .datatype = datatype_name(tensor->type),
                                            .shape = tensor->shape,
                                            .rank = tensor->rank,
                                            .data = buf_slice(&text),
                                            .cut = !whole};
        trace_add_tensor(trace, activity, &record);
    }
    buf_free(&text);
}

/* ---- points ---- */

void infer_trace_submit(struct infer_call *call) {
    if (!call->trace)
        return;
    trace_stamp(call->trace, TRACE_REQUEST_START, clock_monotonic_ns());
    if (trace_wants_tensors(call->trace))
        for (size_t i = 0; i < call->request->input_count; i++)
            add_tensor(call->trace, TRACE_QUEUE_INPUT, &call->request->inputs[i]);
}

void infer_trace_response(struct infer_call *call, const struct infer_response *response) {
    if (!call->trace || response->empty)
        return;
    trace_set_version(call->trace, response->model_version);
    trace_stamp(call->trace, TRACE_RESPONSE_COMPLETE, clock_monotonic_ns());
    if (trace_wants_tensors(call->trace))
        for (size_t i = 0; i < response->output_count; i++)
            add_tensor(call->trace, TRACE_BACKEND_OUTPUT, &response->outputs[i]);
}

void infer_trace_release(struct infer_call *call, const struct infer_request *request, const struct status *status) {
    if (!call->trace)
        return;
    const struct infer_times *times = &request->times;
    trace_stamp(call->trace, TRACE_QUEUE_START, times->queued);
    trace_stamp(call->trace, TRACE_COMPUTE_START, times->compute_start);
    trace_stamp(call->trace, TRACE_COMPUTE_INPUT_END, times->compute_input_end);
    trace_stamp(call->trace, TRACE_COMPUTE_OUTPUT_START, times->compute_output_start);
    trace_stamp(call->trace, TRACE_COMPUTE_END, times->compute_end);
    trace_stamp(call->trace, TRACE_REQUEST_END, clock_monotonic_ns());
    if (!status_is_ok(status))
        trace_set_error(call->trace, slice_of(status->message));
}
