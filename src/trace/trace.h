/* trace.h: the record of one traced inference: when it passed which point, and, if asked for, its tensors.
 *
 * A tracer decides that an inference is traced and makes the record (tracer.h); those who handle the inference write
 * into it; trace_end hands it back, to be written where the tracer writes.
 * Owner: who has it from tracer_sample, until trace_end. Thread: any, locked inside; but trace_end comes last. All
 * functions accept NULL, an inference that is not traced, and do nothing then. When memory is short the record has less
 * in it.
 * Source: Triton's trace extension for the names; W3C Trace Context for the ids. */
#ifndef INFERD_TRACE_TRACE_H
#define INFERD_TRACE_TRACE_H

#include <stdint.h>

#include "base/slice.h"

/* Bits. */
enum trace_level { TRACE_OFF = 0, TRACE_TIMESTAMPS = 1, TRACE_TENSORS = 2 };

enum trace_protocol { TRACE_HTTP, TRACE_GRPC };

/* Points that an inference passes, in their usual order. The first two and the last two are the protocol's, and bear
 * its name where they are written. */
enum trace_point {
    TRACE_RECV_START,
    TRACE_RECV_END,
    TRACE_REQUEST_START,
    TRACE_QUEUE_START,
    TRACE_COMPUTE_START,
    TRACE_COMPUTE_INPUT_END,
    TRACE_COMPUTE_OUTPUT_START,
    TRACE_COMPUTE_END,
    TRACE_RESPONSE_COMPLETE,
    TRACE_REQUEST_END,
    TRACE_SEND_START,
    TRACE_SEND_END,
    TRACE_POINT_COUNT
};

enum trace_activity { TRACE_QUEUE_INPUT, TRACE_BACKEND_OUTPUT };

enum {
    TRACE_STAMPS_MAX = 1024,       /* of a trace: a stream of answers passes some points again and again */
    TRACE_TENSORS_MAX = 64,        /* of a trace; later ones are left out */
    TRACE_TENSOR_TEXT_MAX = 65536, /* bytes of a tensor's elements in text form */
    TRACE_TEXT_MAX = 512           /* bytes of names and messages */
};

struct trace;

/* True when tensors are to be recorded. */
bool trace_wants_tensors(const struct trace *trace);
/* The inference passed the point; ns are clock_monotonic_ns, and 0 is no time. */
void trace_stamp(struct trace *trace, enum trace_point point, uint64_t ns);
/* The id that the client gave. */
void trace_set_request_id(struct trace *trace, struct slice id);
/* The version that answers; before, it is what was asked for. */
void trace_set_version(struct trace *trace, int64_t version);
/* The inference failed. */
void trace_set_error(struct trace *trace, struct slice message);

/* A tensor on its way. `data` are its elements as a JSON array without the brackets; `cut` tells that some are missing.
 */
struct trace_tensor {
    struct slice name;
    const char *datatype; /* "FP32" */
    const int64_t *shape;
    int rank;
    struct slice data;
    bool cut;
};
void trace_add_tensor(struct trace *trace, enum trace_activity activity, const struct trace_tensor *tensor);

/* Nothing more will be recorded. */
void trace_end(struct trace *trace);

#endif
