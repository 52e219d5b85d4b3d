/* trace_writer.h: the thread that writes finished traces, to files or to a collector, so that no inference waits for
 * either. Its queue is bounded: what does not fit is dropped and counted. */
#ifndef INFERD_TRACE_TRACE_WRITER_H
#define INFERD_TRACE_TRACE_WRITER_H

#include "base/spool.h"
#include "trace/trace_config.h"

/* Bounds of the queue in triton mode; in opentelemetry mode max_queue_size spans are the first. */
enum { TRACE_QUEUE_MAX = 2048, TRACE_QUEUE_MAX_BYTES = 64 << 20 };
/* How long a collector may take. */
enum { TRACE_EXPORT_TIMEOUT_S = 10 };

struct trace_writer;

/* The config is copied; `version` (of the program) and `log` are borrowed. */
struct status trace_writer_create(const struct trace_config *config, const char *version, const struct log *log,
                                  struct trace_writer **ret) STATUS_MUST_CHECK;
const struct trace_config *trace_writer_config(const struct trace_writer *writer); /* lives as long as the writer */
/* Starts the thread, once; good when it runs already. */
struct status trace_writer_start(struct trace_writer *writer) STATUS_MUST_CHECK;
/* Takes the trace over, and destroys it when it is written or dropped. Thread: any; never waits. */
void trace_writer_push(struct trace_writer *writer, struct trace *trace);
struct spool_counts trace_writer_counts(struct trace_writer *writer);
/* Writes what is queued, for at most wait_ns, and ends. A thread that the system holds up longer (the look-up of a
 * host's name) is left behind with what it has. Accepts NULL. */
void trace_writer_destroy(struct trace_writer *writer, uint64_t wait_ns);

#endif
