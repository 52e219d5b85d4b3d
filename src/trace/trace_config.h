/* trace_config.h: what --trace-config says. The grammar is Triton's: "level=TIMESTAMPS", "rate=100", "count=10",
 * "mode=opentelemetry", and with the mode in front what belongs to one of them: "triton,file=trace.json",
 * "triton,log-frequency=50", "opentelemetry,url=http://localhost:4318/v1/traces",
 * "opentelemetry,resource=service.name=bert", "opentelemetry,bsp_max_queue_size=2048", bsp_schedule_delay (ms),
 * bsp_max_export_batch_size. Source: Triton's documentation, "Triton Server Trace". */
#ifndef INFERD_TRACE_TRACE_CONFIG_H
#define INFERD_TRACE_TRACE_CONFIG_H

#include "base/arena.h"
#include "base/status.h"
#include "trace/trace.h"

enum trace_mode { TRACE_MODE_TRITON, TRACE_MODE_OPENTELEMETRY };

/* The settings that the trace extension may change while the server runs, and models may have of their own. */
struct trace_settings {
    unsigned level;         /* enum trace_level bits */
    uint32_t rate;          /* one inference in so many is traced */
    int32_t count;          /* traces still to be made; -1: no bound */
    uint32_t log_frequency; /* traces of a file <file>.<n>; 0: all go to <file> */
};

enum { TRACE_RESOURCES_MAX = 32 };

/* Whose spans are sent where, and in which portions. */
struct otlp_config {
    const char *url;                                /* as it was given */
    const char *host, *port, *path;                 /* its parts; host without brackets */
    struct slice resources[TRACE_RESOURCES_MAX][2]; /* attributes, key and value */
    size_t resource_count;
    uint32_t max_queue_size, schedule_delay_ms, max_export_batch_size; /* in spans */
};

struct trace_config {
    struct trace_settings settings;
    enum trace_mode mode;
    const char *file; /* NULL: none */
    struct otlp_config otlp;
};

struct trace_config trace_config_default(void);
/* Takes one --trace-config; texts with memory from the arena. INVALID_ARGUMENT tells what was expected. */
struct status trace_config_apply(struct trace_config *config, struct slice setting,
                                 struct arena *arena) STATUS_MUST_CHECK;
/* A copy with memory of its own. */
struct status trace_config_copy(const struct trace_config *config, struct arena *arena,
                                struct trace_config *ret) STATUS_MUST_CHECK;
/* Whether all of it together makes sense; at the end. */
struct status trace_config_check(const struct trace_config *config) STATUS_MUST_CHECK;
/* Whether traces can be made with these settings: INVALID_ARGUMENT tells what is missing. An OFF level is always good.
 */
struct status trace_settings_check(const struct trace_config *config,
                                   const struct trace_settings *settings) STATUS_MUST_CHECK;

/* "TIMESTAMPS" -> its bit; false for other names than OFF, TIMESTAMPS and TENSORS. */
bool trace_level_from_name(struct slice name, unsigned *ret);
/* "triton" or "opentelemetry". */
const char *trace_mode_name(enum trace_mode mode);

#endif
