/* tracer.h: decides which inferences are traced, by settings that clients may change while the server runs.
 *
 * Settings are those of the server, and each model may have some of its own; what is not its own is the server's. A
 * tracer that is off costs one relaxed load.
 * Thread: any, but create and destroy. Source: Triton's trace extension; W3C Trace Context for what clients decide. */
#ifndef INFERD_TRACE_TRACER_H
#define INFERD_TRACE_TRACER_H

#include <stdatomic.h>

#include "trace/trace_config.h"
#include "trace/trace_writer.h"
#include "trace/traceparent.h"

/* Models with settings of their own. */
enum { TRACE_MODELS_MAX = 1024 };
/* How long the end of a tracer may take. */
enum { TRACE_FLUSH_S = 3 };

struct tracer {
    atomic_bool on;           /* some inferences may be traced */
    struct tracer_state *own; /* tracer.c's */
};

/* `version` is the program's. The config is copied; the others are borrowed. */
struct status tracer_create(const struct trace_config *config, const char *version, const struct log *log,
                            struct tracer **ret) STATUS_MUST_CHECK;
/* Writes what is waiting, within a few seconds. All traces have ended. Accepts NULL. */
void tracer_destroy(struct tracer *tracer);

const struct trace_config *tracer_config(const struct tracer *tracer);
/* What holds for a model, which may have nothing of its own; for an empty name: for the server. */
struct trace_settings tracer_settings(struct tracer *tracer, struct slice model);

enum trace_change { TRACE_KEEP, TRACE_CLEAR, TRACE_SET };
struct trace_update {
    enum trace_change level, rate, count, log_frequency;
    struct trace_settings values; /* of those that are set */
};
/* Changes settings: of a model, where clearing makes it follow the server's again, or of the server (empty name), where
 * clearing goes back to what it was started with. Counting begins anew. INVALID_ARGUMENT when no trace could be made
 * so; nothing is changed then. */
struct status tracer_update(struct tracer *tracer, struct slice model,
                            const struct trace_update *update) STATUS_MUST_CHECK;

static inline bool tracer_is_on(const struct tracer *tracer) {
    return tracer && atomic_load_explicit(&tracer->on, memory_order_relaxed);
}
/* A record for an inference on its way to a model, or NULL: it is not traced. In opentelemetry mode a client that told
 * its own trace decides; else one inference in so many is. */
struct trace *tracer_sample(struct tracer *tracer, struct slice model, enum trace_protocol protocol,
                            const struct trace_context *client);
/* So far. */
struct spool_counts tracer_counts(struct tracer *tracer);

#endif
