/* otlp_exporter.h: sends an encoded ExportTraceServiceRequest to a collector, over plain HTTP/1.1.
 *
 * Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP", binary protobuf. Thread: the writer's; it blocks. */
#ifndef INFERD_TRACE_OTLP_EXPORTER_H
#define INFERD_TRACE_OTLP_EXPORTER_H

#include <stdatomic.h>

#include "trace/trace_config.h"

/* One POST on a connection of its own. Good when the collector answers 2xx before the deadline (clock_monotonic_ns),
 * which may be moved while this waits, and bounds everything but the system's look-up of a host's name. */
struct status otlp_post(const struct otlp_config *config, struct slice body,
                        const atomic_uint_fast64_t *deadline_ns) STATUS_MUST_CHECK;

#endif
