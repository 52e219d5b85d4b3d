/* model.h: one version of one model as it is served: config, backend, instances, queue, statistics, labels.
 *
 * Owner: reference-counted (model_retain, model_release of inference_server.h); the repository holds one reference and
 * every request one. model_stop ends its threads and unloads it; what is left then, config and counters, lives until
 * the last reference goes. Thread: any, but load and stop on one thread. */
#ifndef INFERD_CORE_MODEL_H
#define INFERD_CORE_MODEL_H

#include "core/backend.h"
#include "core/inference_server.h"

struct model_load_args {
    struct model_config *config; /* finished; taken over when the load is good */
    const struct backend_ops *ops;
    void *backend;                 /* of ops->initialize, or NULL */
    const char *model_directory;   /* copied */
    const char *version_directory; /* copied */
    int64_t version;
    uint32_t max_queue_size; /* at least 1 */
    uint64_t begun_ns;       /* clock_monotonic_ns when its loading began, for the statistics */
    /* Called once, on the thread that has run a batch and without locks, when model_is_lost has become true behind it.
     * NULL: nobody listens. */
    void (*on_lost)(void *user);
    void *on_lost_user;
};

/* Loads the version and starts its instances; it accepts requests at once. */
struct status model_load(const struct model_load_args *args, struct model **ret) STATUS_MUST_CHECK;
/* Takes no more requests; those in flight go on. */
void model_refuse(struct model *model);
/* Waits until no request is in flight; DEADLINE_EXCEEDED tells how many are left. */
struct status model_wait_idle(struct model *model, uint64_t deadline_ns) STATUS_MUST_CHECK;
/* Refuses, answers what is queued with UNAVAILABLE, waits for what runs, unloads. Not while it holds locks that
 * callbacks of requests take. */
void model_stop(struct model *model);
void model_retain(struct model *model);

/* A fault has left a device of its instances useless: what they compute fails from now on. As it was last looked at. */
bool model_is_lost(struct model *model);
/* Asks the backend. True: it has become so by that. */
bool model_look_for_loss(struct model *model);

/* UNAVAILABLE when the queue is full now; a rejected request is counted then. */
struct status model_check_room(struct model *model) STATUS_MUST_CHECK;
/* Counts a request as in flight before it is submitted, so that whoever takes the model out of service right then waits
 * for it. model_submit has to follow, or model_withdraw. */
void model_admit(struct model *model);
/* The request will not be submitted after all. */
void model_withdraw(struct model *model);
/* Validates and queues an admitted request; see inference_server_submit. The caller holds a reference; a second one is
 * taken for the request. */
struct status model_submit(struct model *model, struct infer_request *request) STATUS_MUST_CHECK;
/* `why`: CANCELLED, or DEADLINE_EXCEEDED. */
void model_cancel(struct model *model, struct infer_request *request, enum status_code why);

struct slice model_metric_tags(const struct model *model);
int model_threads_per_instance(const struct model *model);

#endif
