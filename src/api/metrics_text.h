/* metrics_text.h: GET /metrics: counters and latency histograms of all ready model versions and the machine's CPU,
 * memory and GPUs, as Prometheus text.
 *
 * Source: Prometheus text exposition format 0.0.4; names that begin with nv_ are the reference server's. Thread: any.
 */
#ifndef INFERD_API_METRICS_TEXT_H
#define INFERD_API_METRICS_TEXT_H

#include "api/machine_usage.h"
#include "base/buf.h"
#include "core/inference_server.h"

struct recorder;
struct tracer;

struct metrics_options {
    bool counter_latencies;   /* cumulated durations, nv_inference_*_duration_us */
    bool histogram_latencies; /* inferd_*_duration_seconds */
    bool cpu;                 /* nv_cpu_*: the machine's CPUs and memory */
    bool gpus;                /* nv_gpu_*, where the machine has the driver's library for them */
    uint64_t interval_ns;     /* shortest time that the use of the CPUs is measured over; how often GPUs are asked */
};
struct metrics_options metrics_options_default(void); /* all; 2 s */
/* Takes one setting of --metrics-config, "counter_latencies=false". INVALID_ARGUMENT for unknown ones. */
struct status metrics_options_apply(struct metrics_options *options, struct slice setting) STATUS_MUST_CHECK;

/* Options, and what is remembered between two readings; shared by all loops. */
struct metrics_state;
/* NULL when memory is short. `log` is told, later, why there are no figures of GPUs; it outlives the state, or is NULL.
 */
struct metrics_state *metrics_state_create(const struct metrics_options *options, const struct log *log);
void metrics_state_destroy(struct metrics_state *state); /* accepts NULL */
/* The machine's figures, for others who want to read them; lives as long as the state. */
struct machine_usage *metrics_state_machine(struct metrics_state *state);

/* Appends the whole text; `tracer` and `recorder` may be NULL. */
struct status metrics_text_write(struct inference_server *server, struct metrics_state *state, struct tracer *tracer,
                                 struct recorder *recorder, struct arena *arena, struct buf *out) STATUS_MUST_CHECK;

#endif
