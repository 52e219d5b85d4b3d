/* trace_priv.h: the layout of a trace, for the files of this folder that make and write one. */
#ifndef INFERD_TRACE_TRACE_PRIV_H
#define INFERD_TRACE_TRACE_PRIV_H

#include <pthread.h>

#include <stdatomic.h>

#include "base/arena.h"
#include "base/spool.h"
#include "trace/trace.h"
#include "trace/trace_config.h"
#include "trace/trace_file.h"
#include "trace/traceparent.h"

struct trace_writer;

/* What held for an inference when it was sampled. A change of settings makes a new one; the old one lives on with the
 * traces that were made under it. */
struct trace_setting {
    atomic_size_t references;
    struct trace_settings values; /* count goes down, under the tracer's lock */
    unsigned own;                 /* which values are its own, not those of the level above (tracer.c) */
    uint64_t samples;             /* inferences that asked, under the tracer's lock */
    struct trace_file file;       /* of log_frequency; the writer's */
};
void trace_setting_release(struct trace_setting *setting); /* accepts NULL */

struct trace_stamp {
    enum trace_point point;
    uint64_t ns; /* clock_monotonic_ns */
};

struct recorded_tensor {
    enum trace_activity activity;
    struct slice name, data, shape; /* memory of the arena; shape as "1,16" */
    const char *datatype;
    bool cut;
};

enum { TRACE_SPANS = 3 }; /* request, model, compute */

struct trace {
    struct spool_item item; /* of the writer's queue; the first member */
    struct trace_writer *writer;
    struct trace_setting *setting; /* a reference */
    uint64_t id;                   /* from 1 */
    enum trace_protocol protocol;
    unsigned level;

    /* OpenTelemetry's; the parent is the client's span, if it told one. */
    struct trace_context context;
    unsigned char span_ids[TRACE_SPANS][SPAN_ID_SIZE];

    pthread_mutex_t lock; /* of what follows */
    struct arena *arena;  /* holds this struct too */
    struct slice model, request_id, error;
    int64_t version;
    struct trace_stamp *stamps;
    size_t stamp_count, stamp_capacity;
    struct recorded_tensor *tensors;
    size_t tensor_count;
};

/* An empty record; NULL when memory is short. */
struct trace *trace_create(struct slice model);
void trace_destroy(struct trace *trace); /* accepts NULL */
/* Orders the stamps by time, equal ones as they were recorded. */
void trace_sort(struct trace *trace);
/* "HTTP_RECV_START". */
const char *trace_point_name(enum trace_point point, enum trace_protocol protocol);
/* "TENSOR_QUEUE_INPUT". */
const char *trace_activity_name(enum trace_activity activity);
/* Time of the first stamp for a point; 0: none. */
uint64_t trace_time_of(const struct trace *trace, enum trace_point point);

#endif
