/* sample.h: what the client saw of the requests of one window: latencies, times inside a request, failures by class.
 *
 * Latency counts from the moment a request was due: in closed loop that is when it was sent, in open loop what the
 * schedule says, so that a server that stalls is charged for all who had to wait. */
#ifndef INFERD_TOOLS_PERF_SAMPLE_H
#define INFERD_TOOLS_PERF_SAMPLE_H

#include "client/infer_client.h"
#include "tools/perf/histogram.h"

enum {
    SAMPLE_STATUS_CODES = 0
#define STATUS_CODE(name, text) +1
#include "base/status.def"
#undef STATUS_CODE
    ,
    SAMPLE_SLICES = 10 /* parts of a window, for the confidence interval */
};

struct sample_failures {
    uint64_t count;
    struct status first;
};

/* Requests that ended in one part of a window. */
struct sample_slice {
    uint64_t count, inferences;
    double latency_ns; /* sum */
};

struct sample {
    struct histogram latency;    /* of the good ones, from due to the end */
    struct histogram send_delay; /* of all, from due to the start of sending */
    double mean_ns, squares_ns;  /* of the latencies: mean, and sum of squared distances from it (Welford) */
    double sent_latency_ns;      /* sum of latencies from the real send */
    double send_ns, receive_ns;  /* sums: start to sent; first byte of the answer to the end */
    uint64_t inferences;         /* a batch is several */
    uint64_t timely;             /* inferences within the goal */
    uint64_t responses;          /* of decoupled models there are any number to a request */
    uint64_t failed;
    struct sample_failures failures[SAMPLE_STATUS_CODES]; /* by status_code */
    struct sample_slice slices[SAMPLE_SLICES];
};

struct sample_request {
    uint64_t due_ns;
    struct infer_timing timing;
    struct status status; /* of a wrong answer too */
    uint64_t inferences;
    uint64_t goal_ns; /* of the latency; 0: none */
    uint64_t responses;
    size_t slice;
};

void sample_clear(struct sample *sample);
void sample_record(struct sample *sample, const struct sample_request *request);
/* Adds all that `from` holds but its slices. */
void sample_add(struct sample *sample, const struct sample *from);
double sample_deviation_ns(const struct sample *sample); /* standard deviation of the latencies */

#endif
