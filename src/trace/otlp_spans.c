#include "trace/otlp_spans.h"

#include "base/clock.h"
#include "codec/pb_wire.h"
#include "trace/trace_priv.h"

enum span { SPAN_REQUEST, SPAN_MODEL, SPAN_COMPUTE };
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, STATUS_CODE_ERROR = 2 };

/* Numbers of fields, by message. */
enum {
    REQUEST_RESOURCE_SPANS = 1, /* ExportTraceServiceRequest */
    RESOURCE_SPANS_RESOURCE = 1,
    RESOURCE_SPANS_SCOPE_SPANS = 2,
    RESOURCE_ATTRIBUTES = 1,
    SCOPE_SPANS_SCOPE = 1,
    SCOPE_SPANS_SPANS = 2,
    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_PARENT_SPAN_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START_TIME = 7,
    SPAN_END_TIME = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_EVENTS = 11,
    SPAN_STATUS = 15,
    EVENT_TIME = 1,
    EVENT_NAME = 2,
    STATUS_MESSAGE = 2,
    STATUS_CODE = 3,
    KEY_VALUE_KEY = 1,
    KEY_VALUE_VALUE = 2,
    ANY_VALUE_STRING = 1,
    ANY_VALUE_INT = 3
};

/* Which span a point is an event of. */
static enum span span_of(enum trace_point point) {
    switch (point) {
    case TRACE_REQUEST_START:
    case TRACE_QUEUE_START:
    case TRACE_RESPONSE_COMPLETE:
    case TRACE_REQUEST_END:
        return SPAN_MODEL;
    case TRACE_COMPUTE_START:
    case TRACE_COMPUTE_INPUT_END:
    case TRACE_COMPUTE_OUTPUT_START:
    case TRACE_COMPUTE_END:
        return SPAN_COMPUTE;
    case TRACE_RECV_START:
    case TRACE_RECV_END:
    case TRACE_SEND_START:
    case TRACE_SEND_END:
    case TRACE_POINT_COUNT:
        break;
    }
    return SPAN_REQUEST;
}

static void write_text_attribute(struct buf *out, uint32_t number, struct slice key, struct slice value) {
    size_t attribute = pb_write_begin(out, number);
    pb_write_bytes(out, KEY_VALUE_KEY, key);
    size_t any = pb_write_begin(out, KEY_VALUE_VALUE);
    pb_write_bytes(out, ANY_VALUE_STRING, value);
    pb_write_end(out, any);
    pb_write_end(out, attribute);
}

static void write_number_attribute(struct buf *out, uint32_t number, const char *key, int64_t value) {
    size_t attribute = pb_write_begin(out, number);
    pb_write_text(out, KEY_VALUE_KEY, key);
    size_t any = pb_write_begin(out, KEY_VALUE_VALUE);
    pb_write_int64(out, ANY_VALUE_INT, value);
    pb_write_end(out, any);
    pb_write_end(out, attribute);
}

/* A trace that is being written; offset_ns turns its times into those of the real-time clock. */
struct encoder {
    const struct trace *trace;
    uint64_t offset_ns;
    struct buf *out;
};

static void write_ids(const struct encoder *encoder, enum span span) {
    const struct trace *trace = encoder->trace;
    const char *parent = NULL;
    if (span != SPAN_REQUEST)
        parent = (const char *)trace->span_ids[span - 1];
    else if (trace->context.known)
        parent = (const char *)trace->context.parent_id;
    pb_write_bytes(encoder->out, SPAN_TRACE_ID, (struct slice){(const char *)trace->context.trace_id, TRACE_ID_SIZE});
    pb_write_bytes(encoder->out, SPAN_SPAN_ID, (struct slice){(const char *)trace->span_ids[span], SPAN_ID_SIZE});
    if (parent)
        pb_write_bytes(encoder->out, SPAN_PARENT_SPAN_ID, (struct slice){parent, SPAN_ID_SIZE});
}

static void write_events(const struct encoder *encoder, enum span span) {
    const struct trace *trace = encoder->trace;
    for (size_t i = 0; i < trace->stamp_count; i++) {
        if (span_of(trace->stamps[i].point) != span)
            continue;
        size_t event = pb_write_begin(encoder->out, SPAN_EVENTS);
        pb_write_fixed64(encoder->out, EVENT_TIME, trace->stamps[i].ns + encoder->offset_ns);
        pb_write_text(encoder->out, EVENT_NAME, trace_point_name(trace->stamps[i].point, trace->protocol));
        pb_write_end(encoder->out, event);
    }
}

static void write_model_attributes(const struct encoder *encoder) {
    const struct trace *trace = encoder->trace;
    write_text_attribute(encoder->out, SPAN_ATTRIBUTES, SLICE_LITERAL("triton.model_name"), trace->model);
    write_number_attribute(encoder->out, SPAN_ATTRIBUTES, "triton.model_version", trace->version);
    write_number_attribute(encoder->out, SPAN_ATTRIBUTES, "triton.trace_id", (int64_t)trace->id);
    write_number_attribute(encoder->out, SPAN_ATTRIBUTES, "triton.trace_parent_id", 0); /* there are no ensembles */
    if (trace->request_id.size > 0)
        write_text_attribute(encoder->out, SPAN_ATTRIBUTES, SLICE_LITERAL("triton.request_id"), trace->request_id);
}

static void write_span(const struct encoder *encoder, enum span span, struct slice name, uint64_t start_ns,
                       uint64_t end_ns) {
    const struct trace *trace = encoder->trace;
    struct buf *out = encoder->out;
    size_t mark = pb_write_begin(out, SCOPE_SPANS_SPANS);
    write_ids(encoder, span);
    pb_write_bytes(out, SPAN_NAME, name);
    pb_write_uint64(out, SPAN_KIND, span == SPAN_REQUEST ? KIND_SERVER : KIND_INTERNAL);
    pb_write_fixed64(out, SPAN_START_TIME, start_ns + encoder->offset_ns);
    pb_write_fixed64(out, SPAN_END_TIME, (end_ns > start_ns ? end_ns : start_ns) + encoder->offset_ns);
    if (span == SPAN_MODEL)
        write_model_attributes(encoder);
    write_events(encoder, span);
    if (trace->error.size > 0 && span != SPAN_COMPUTE) {
        size_t status = pb_write_begin(out, SPAN_STATUS);
        pb_write_bytes(out, STATUS_MESSAGE, trace->error);
        pb_write_uint64(out, STATUS_CODE, STATUS_CODE_ERROR);
        pb_write_end(out, status);
    }
    pb_write_end(out, mark);
}

static uint64_t either(uint64_t ns, uint64_t other_ns) {
    return ns ? ns : other_ns;
}

static void write_trace(struct trace *trace, uint64_t offset_ns, struct buf *out) {
    const struct encoder encoder = {trace, offset_ns, out};
    if (trace->stamp_count == 0)
        return;
    trace_sort(trace);
    uint64_t first_ns = trace->stamps[0].ns, last_ns = trace->stamps[trace->stamp_count - 1].ns;
    uint64_t compute_ns = trace_time_of(trace, TRACE_COMPUTE_START);
    write_span(&encoder, SPAN_REQUEST, SLICE_LITERAL("InferRequest"), first_ns, last_ns);
    write_span(&encoder, SPAN_MODEL, trace->model, either(trace_time_of(trace, TRACE_REQUEST_START), first_ns),
               either(trace_time_of(trace, TRACE_REQUEST_END), last_ns));
    if (compute_ns)
        write_span(&encoder, SPAN_COMPUTE, SLICE_LITERAL("compute"), compute_ns,
                   either(trace_time_of(trace, TRACE_COMPUTE_END), compute_ns));
}

static void write_resource(const struct otlp_config *config, struct buf *out) {
    size_t resource = pb_write_begin(out, RESOURCE_SPANS_RESOURCE);
    bool named = false;
    for (size_t i = 0; i < config->resource_count; i++) {
        named |= slice_equal_text(config->resources[i][0], "service.name");
        write_text_attribute(out, RESOURCE_ATTRIBUTES, config->resources[i][0], config->resources[i][1]);
    }
    if (!named)
        write_text_attribute(out, RESOURCE_ATTRIBUTES, SLICE_LITERAL("service.name"), SLICE_LITERAL("inferd"));
    pb_write_end(out, resource);
}

void otlp_spans_encode(struct trace *list, const struct otlp_config *config, const char *version, struct buf *out) {
    uint64_t offset_ns = clock_realtime_ns() - clock_monotonic_ns();
    size_t resource_spans = pb_write_begin(out, REQUEST_RESOURCE_SPANS);
    write_resource(config, out);
    size_t scope_spans = pb_write_begin(out, RESOURCE_SPANS_SCOPE_SPANS);
    size_t scope = pb_write_begin(out, SCOPE_SPANS_SCOPE);
    pb_write_text(out, SCOPE_NAME, "inferd");
    pb_write_text(out, SCOPE_VERSION, version);
    pb_write_end(out, scope);
    for (struct trace *trace = list; trace; trace = (struct trace *)trace->item.next)
        write_trace(trace, offset_ns, out);
    pb_write_end(out, scope_spans);
    pb_write_end(out, resource_spans);
}
