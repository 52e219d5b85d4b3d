/* metrics_text.h: GET /metrics: counters of all ready model versions and the machine's CPU and memory, as Prometheus
 * text.
 *
 * Source: Prometheus text exposition format 0.0.4; names are the reference server's. Thread: any. */
#ifndef INFERD_API_METRICS_TEXT_H
#define INFERD_API_METRICS_TEXT_H

#include "base/buf.h"
#include "core/inference_server.h"

/* What is remembered between two readings, shared by all loops: CPU use is a rate. */
struct metrics_state;
struct metrics_state *metrics_state_create(void);        /* NULL when memory is short */
void metrics_state_destroy(struct metrics_state *state); /* accepts NULL */

/* Appends the whole text. */
struct status metrics_text_write(struct inference_server *server, struct metrics_state *state, struct arena *arena,
                                 struct buf *out) STATUS_MUST_CHECK;

/* Share of CPU time in use between two readings of /proc/stat's first line ("cpu  user nice system idle iowait irq
 * softirq steal ..."), and memory in bytes from /proc/meminfo. False when the text has another form. */
struct cpu_ticks {
    uint64_t busy, total;
};
bool metrics_parse_cpu(struct slice proc_stat, struct cpu_ticks *ret);
bool metrics_parse_memory(struct slice proc_meminfo, uint64_t *ret_total, uint64_t *ret_used);

#endif
