#include "trace/trace_json.h"

#include "codec/json_write.h"
#include "trace/trace_priv.h"

static void begin_record(struct json_writer *writer, const struct trace *trace) {
    json_begin_object(writer);
    json_key(writer, "id");
    json_u64(writer, trace->id);
}

static void write_head(struct json_writer *writer, const struct trace *trace) {
    begin_record(writer, trace);
    json_key(writer, "model_name");
    json_string(writer, trace->model);
    json_key(writer, "model_version");
    json_i64(writer, trace->version);
    if (trace->request_id.size > 0) {
        json_key(writer, "request_id");
        json_string(writer, trace->request_id);
    }
    json_end_object(writer);
}

static void write_stamp(struct json_writer *writer, const struct trace *trace, const struct trace_stamp *stamp) {
    begin_record(writer, trace);
    json_key(writer, "timestamps");
    json_begin_array(writer);
    json_begin_object(writer);
    json_key(writer, "name");
    json_text(writer, trace_point_name(stamp->point, trace->protocol));
    json_key(writer, "ns");
    json_u64(writer, stamp->ns);
    json_end_object(writer);
    json_end_array(writer);
    json_end_object(writer);
}

static void write_tensor(struct json_writer *writer, const struct trace *trace, const struct recorded_tensor *tensor) {
    begin_record(writer, trace);
    json_key(writer, "activity");
    json_text(writer, trace_activity_name(tensor->activity));
    json_key(writer, "tensor");
    json_begin_object(writer);
    json_key(writer, "name");
    json_string(writer, tensor->name);
    json_key(writer, "data");
    json_string(writer, tensor->data);
    json_key(writer, "shape");
    json_string(writer, tensor->shape);
    json_key(writer, "dtype");
    json_text(writer, tensor->datatype);
    if (tensor->cut) {
        json_key(writer, "truncated");
        json_bool(writer, true);
    }
    json_end_object(writer);
    json_end_object(writer);
}

void trace_json_write(struct trace *trace, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    trace_sort(trace);
    write_head(&writer, trace);
    if (trace->level & TRACE_TIMESTAMPS)
        for (size_t i = 0; i < trace->stamp_count; i++)
            write_stamp(&writer, trace, &trace->stamps[i]);
    for (size_t i = 0; i < trace->tensor_count; i++)
        write_tensor(&writer, trace, &trace->tensors[i]);
}
