/* profile.h: the times of every good request, in the form of perf_analyzer's --profile-export-file:
 *
 *   {"experiments":[{"experiment":{"mode":"concurrency","value":4},"requests":[{"timestamp":T,"request_inputs":{},
 *     "response_timestamps":[T],"response_outputs":[{}]}],"window_boundaries":[T]}],"version","service_kind","endpoint"}
 *
 * Times are nanoseconds since 1970. A request's timestamp is when it was due. The values of inputs and outputs are kept
 * only where that is wanted (`workload`): {"IN":[1,2]}, flat, strings for BYTES, and of several answers those of the
 * last; numbers that JSON has not are the strings "NaN", "Infinity" and "-Infinity". Else their places are empty.
 * Bounds: PROFILE_RECORDS_MAX of an experiment, further requests are left out; PROFILE_VALUES_MAX of the file, the
 * places of further values are empty. Both are counted.
 */
#ifndef INFERD_TOOLS_PERF_PROFILE_H
#define INFERD_TOOLS_PERF_PROFILE_H

#include "base/buf.h"
#include "tools/perf/generator.h"

enum { PROFILE_RECORDS_MAX = 1 << 24, PROFILE_VALUES_MAX = 1 << 30 /* bytes of JSON of inputs and outputs */ };

/* A request as it is kept until the experiment ends. */
struct profile_request {
    uint64_t due_ns;
    uint64_t sequence_id; /* 0: none */
    size_t response_count;
    size_t entry;
    size_t values_size; /* of its outputs in `values` */
    bool cut;           /* they were left out */
};

struct profile {
    const char *service_kind, *endpoint, *version; /* borrowed */
    uint64_t epoch_ns;                             /* from the monotonic clock to the time of day */
    struct buf json;                               /* owned: the experiments that are complete */
    size_t experiment_count;
    struct buf records;              /* owned: struct profile_request, of the experiment under way */
    struct buf responses;            /* owned: uint64_t, of the requests in order */
    struct buf boundaries;           /* owned: uint64_t */
    const struct workload *workload; /* borrowed: where inputs are; NULL: no values are kept */
    struct buf values;               /* owned: JSON of outputs, of the requests in order */
    size_t values_max;               /* PROFILE_VALUES_MAX */
    size_t values_size;              /* kept so far: inputs and outputs of all experiments */
    bool full;                       /* something did not fit: nothing that comes later is kept */
    size_t dropped;                  /* requests past the bound */
    size_t cut;                      /* requests without all their values, past the other */
};

/* All are borrowed. `workload`: NULL, or where the values of inputs are, which must not change. */
void profile_begin(struct profile *profile, const char *service_kind, const char *endpoint, const char *version,
                   const struct workload *workload);
void profile_free(struct profile *profile);
void profile_add_record(struct profile *profile, const struct generator_record *record);
void profile_add_boundary(struct profile *profile, uint64_t time_ns); /* start or end of a window */
/* Ends an experiment: what was added since the one before is its. `mode` is "concurrency" or "request_rate"; not valid:
 * the generator was the bottleneck. */
void profile_end_experiment(struct profile *profile, const char *mode, double value, bool valid);
/* The whole file; buf_failed(out) when memory was short. */
void profile_write(const struct profile *profile, struct buf *out);

#endif
