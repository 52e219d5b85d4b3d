/* model_repository_priv.h: the layout of the repository, and what the files that make it up (model_repository.h) know
 * of each other. */
#ifndef INFERD_CORE_MODEL_REPOSITORY_PRIV_H
#define INFERD_CORE_MODEL_REPOSITORY_PRIV_H

#include <pthread.h>

#include "core/model_repository.h"
#include "core/model_table.h"

struct model_repository {
    struct model_repository_options options; /* texts in `arena` */
    struct arena *arena;

    pthread_mutex_t lock;    /* of all that follows */
    pthread_cond_t released; /* an entry that was claimed is not any more */
    struct model_table table;
    bool started;        /* what is loaded at start has been */
    bool refusing_loads; /* the server is being stopped */
    bool refusing;       /* requests too */
};

/* model_repository.c: leaves the lock after a change of a model's state, or of the repository's, and tells of it. */
void model_repository_unlock_changed(struct model_repository *repository);

/* The same file's error for a model that is not there; `why` comes behind it, or is "". */
struct status model_repository_unknown(struct slice name, const char *why);

/* model_control.c: the load of one model at start. Versions that load are served although others do not, and a failure
 * stays as the model's reason also when no repository has it. Returns how many versions failed; 1 when none could be
 * chosen. */
size_t model_control_load_at_start(struct model_repository *repository, struct slice name);
/* Gives a claimed entry another set (or none); the one that it had. */
struct model_set *model_control_exchange(struct model_repository *repository, struct model_entry *entry,
                                         struct model_set *set);
/* Waits until the versions of a set that no new request can reach have answered those that they have, queued ones too.
 */
void model_control_wait_answered(const struct model_set *set);
/* Stops the versions of a set that nobody can find any more, and frees it with its files. NULL is none. */
void model_control_discard(struct model_set *set);

/* model_replace.c: loads a claimed model. */
struct status model_replace(struct model_repository *repository, struct model_entry *entry,
                            const struct model_override *override, bool at_start) STATUS_MUST_CHECK;

#endif
