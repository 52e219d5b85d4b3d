/* server_statistics.h: what a server says about its own part of the work: the difference of two snapshots.
 *
 * A snapshot is the sum over the versions of a model, for the model itself and for each model of an ensemble. */
#ifndef INFERD_TOOLS_PERF_SERVER_STATISTICS_H
#define INFERD_TOOLS_PERF_SERVER_STATISTICS_H

#include "client/infer_client.h"

enum { SERVER_MODELS_MAX = 16 }; /* the model and the steps of an ensemble */

struct server_snapshot {
    bool valid;
    size_t count;
    struct infer_statistics models[SERVER_MODELS_MAX]; /* in the order of the names; name and version are unused */
};

/* Names whose statistics are gathered; [0] is the model under test. */
struct server_models {
    struct slice version; /* of the model under test; empty: all */
    size_t batch_size;    /* of its requests, for servers that count by it */
    size_t count;
    struct slice names[SERVER_MODELS_MAX];
};

/* Picks the models of `models` out of what the server sent. */
void server_snapshot_take(const struct server_models *models, const struct infer_statistics *items, size_t count,
                          struct server_snapshot *ret);
/* after - before, model by model; not valid unless both are, and nothing went backwards (a model that was loaded anew
 * counts from zero). */
struct server_snapshot server_snapshot_difference(const struct server_snapshot *before,
                                                  const struct server_snapshot *after);
/* Adds another difference; the result is valid when both are. */
void server_snapshot_add(struct server_snapshot *sum, const struct server_snapshot *more);

/* Mean times of a request in one model, in ns. */
struct server_breakdown {
    uint64_t requests; /* that succeeded */
    uint64_t inferences, executions;
    uint64_t request_ns, queue_ns, compute_input_ns, compute_infer_ns, compute_output_ns;
    uint64_t cache_hits, cache_misses;
    uint64_t cache_hit_ns, cache_miss_ns; /* spread over all requests */
};
struct server_breakdown server_breakdown_of(const struct infer_statistics *difference);

#endif
