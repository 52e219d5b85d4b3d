/* statistics.h: what a model version has done so far; cumulative since its load.
 *
 * Thread: booked by instance workers, read by anyone; locked inside. Rules of counting: KServe v2 / Triton statistics
 * extension: a success is booked per request, execution_count once per executed batch, each request of a batch is given
 * the batch's whole compute times. Responses of decoupled models are booked one by one as well, each as it comes. The
 * per-request-batch-size table is TRTIS v1's form of the same facts. */
#ifndef INFERD_CORE_STATISTICS_H
#define INFERD_CORE_STATISTICS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "core/latency_histogram.h"

struct duration_stat {
    uint64_t count, ns;
};

struct batch_stat { /* one executed batch size (v2) */
    uint32_t batch_size;
    struct duration_stat compute_input, compute_infer, compute_output;
};

struct request_batch_stat { /* one batch size as requests asked for it (v1) */
    uint32_t batch_size;
    struct duration_stat success, failed, compute, queue;
};

enum { RESPONSE_STATS_MAX = 1024 }; /* responses of a request that are told apart; those behind them are not counted */

struct response_stat { /* the responses of one index in their requests, of decoupled models (v2) */
    struct duration_stat compute_infer, compute_output, success, fail, empty_response, cancel;
};

enum failure_reason { FAILURE_REJECTED, FAILURE_CANCELED, FAILURE_BACKEND, FAILURE_OTHER, FAILURE_REASON_COUNT };

struct model_statistics {
    uint64_t last_inference_ms; /* since 1970 */
    uint64_t inference_count, execution_count, pending_count;
    struct duration_stat success, fail, queue, compute_input, compute_infer, compute_output;
    uint64_t failures[FAILURE_REASON_COUNT];
    struct latency_histogram request_latency, queue_latency, compute_latency; /* of the successes */
    uint64_t load_ns;                                                         /* what loading the version took */
    struct batch_stat *batches;                                               /* ascending by size */
    size_t batch_count;
    struct request_batch_stat *request_batches;
    size_t request_batch_count;
    struct response_stat *responses; /* by index; none unless the model is decoupled */
    size_t response_count;
};

/* How one request ended; times in ns. */
struct request_outcome {
    uint32_t items; /* batch size as the request asked for it */
    bool failed;
    enum failure_reason reason; /* when it failed */
    uint64_t total_ns;          /* from submission to the final response */
    uint64_t queue_ns;          /* from submission to compute_start; the rest only where it succeeded */
    uint64_t compute_input_ns, compute_infer_ns, compute_output_ns; /* of the batch that it ran in */
};

/* One execution of a batch. */
struct batch_outcome {
    uint32_t items;
    uint64_t compute_input_ns, compute_infer_ns, compute_output_ns;
    uint64_t ended_ms; /* since 1970 */
};

/* One response to a request of a decoupled model. */
struct response_outcome {
    size_t index; /* the request's first is 0 */
    enum response_kind { RESPONSE_SUCCESS, RESPONSE_FAIL, RESPONSE_EMPTY, RESPONSE_CANCEL } kind;
    uint64_t compute_infer_ns;  /* from the response before, or the begin of the execution */
    uint64_t compute_output_ns; /* while its outputs were made; 0 for those without any */
};

struct statistics; /* the counters of one model version */

struct statistics *statistics_create(void);             /* NULL when memory is short */
void statistics_destroy(struct statistics *statistics); /* accepts NULL */
/* Books an execution (NULL: none) and requests that ended, in one step, so that a copy never shows one without the
 * other. */
void statistics_book(struct statistics *statistics, const struct batch_outcome *batch,
                     const struct request_outcome *requests, size_t request_count);
void statistics_book_response(struct statistics *statistics, const struct response_outcome *response);
/* A consistent copy, but for pending_count and load_ns, which the statistics do not know (0); tables in memory of the
 * arena. */
struct status statistics_snapshot(struct statistics *statistics, struct arena *arena,
                                  struct model_statistics *ret) STATUS_MUST_CHECK;

#endif
