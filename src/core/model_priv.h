/* model_priv.h: the layout of struct model, for the files that make up a model: model.c (life and submission),
 * model_instance.c (execution) and request_completion.c (answers). Others use model.h. */
#ifndef INFERD_CORE_MODEL_PRIV_H
#define INFERD_CORE_MODEL_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/backend.h"
#include "core/dynamic_batcher.h"
#include "core/model.h"
#include "core/model_labels.h"
#include "core/response_order.h"
#include "core/statistics.h"

struct model_instance;

struct model {
    atomic_size_t references;
    struct model_config *config; /* owned; its arena holds the texts below */
    int64_t version;
    const struct backend_ops *ops;
    void *backend_model; /* of ops->load */
    bool loaded;
    struct backend_model_args backend_args;
    struct model_instance **instances;
    int instance_count;
    struct dynamic_batcher *batcher;
    struct response_order *order; /* NULL: responses go out as they come */
    struct statistics *statistics;
    struct model_labels *labels;
    struct slice metric_tags;
    struct model_memory *memory;
    size_t memory_count;
    bool quick; /* executions are short enough for the thread that submits */
    bool keyed; /* requests need a shape key to be joined */
    uint64_t key_seed;
    uint64_t load_ns; /* what loading it took */

    atomic_bool is_lost; /* as the backend has told */
    void (*on_lost)(void *user);
    void *on_lost_user;

    atomic_bool accepting;   /* submissions */
    atomic_size_t in_flight; /* requests accepted and not yet released */
    atomic_bool awaited;     /* somebody waits, or has waited, for in_flight to become 0 */
    pthread_mutex_t idle_lock;
    pthread_cond_t idle;
};

/* One request fewer in flight. */
void model_request_done(struct model *model);

#endif
