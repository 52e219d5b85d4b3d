/* batch_run.h: sends the planned requests, so many in flight, and collects the logits of every window. */
#ifndef INFERD_TOOLS_SQUAD_BATCH_RUN_H
#define INFERD_TOOLS_SQUAD_BATCH_RUN_H

#include "client/infer_client.h"
#include "text/squad/squad_answer.h"
#include "tools/squad/batch_plan.h"
#include "tools/squad/progress.h"

struct batch_run_config {
    struct slice model;
    struct slice model_version;
    bool takes_unique_ids;
    size_t concurrency;
    enum progress_style style;
};

struct batch_run {
    /* Set by batch_run_execute. */
    struct squad_logits *logits; /* per window of the data set; NULL members: no answer came */
    uint64_t *latencies;         /* nanoseconds, one per answered request */
    size_t answered;             /* requests */
    size_t answered_windows;
    double seconds;         /* from the first request to the last answer */
    char model_version[32]; /* that answered, as the server says */
    /* When it failed: */
    struct status first_error;
    size_t failed; /* requests that were sent and got no good answer */
};

/* Runs the plan. All memory is the arena's. The first request that fails ends it: nothing more is sent, what is in
 * flight is waited for. Errors: the first failure, with the number of the request. Counts in `ret` are right in either
 * case. Progress goes to `out`. */
struct status batch_run_execute(struct infer_client *client, const struct batch_run_config *config,
                                const struct squad_windows *windows, const struct batch_plan *plan, struct arena *arena,
                                FILE *out, struct batch_run *ret) STATUS_MUST_CHECK;
/* Questions of which at least one window has no logits; the first of them in *ret_first. */
size_t batch_run_count_lost(const struct batch_run *run, const struct squad_windows *windows, uint32_t *ret_first);

#endif
