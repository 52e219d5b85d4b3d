/* otlp_spans.h: traces as OpenTelemetry's spans, in protobuf: an ExportTraceServiceRequest.
 *
 * Each trace becomes three spans: InferRequest (kind SERVER; its parent is the client's span, if it told one), one that
 * is named after the model, and compute, which is left out if the inference never got there. The points of the trace
 * are their events; times become those of the real-time clock.
 * Source: opentelemetry-proto, collector/trace/v1/trace_service.proto and trace/v1/trace.proto; the division into
 * spans, their names and attributes are Triton's. */
#ifndef INFERD_TRACE_OTLP_SPANS_H
#define INFERD_TRACE_OTLP_SPANS_H

#include "base/buf.h"
#include "trace/trace.h"
#include "trace/trace_config.h"

/* `list` is linked by trace->item. Sorts the stamps. Shortage of memory shows in buf_failed. */
void otlp_spans_encode(struct trace *list, const struct otlp_config *config, const char *version, struct buf *out);

#endif
