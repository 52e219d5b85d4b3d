/* model_repository.h: the models of all repository folders: what is there, in which state, and the table that requests
 * look their model up in. Each model's failure is its own reason and stops nothing else. Loads and unloads of one model
 * happen one after the other, of different models side by side.
 *
 * Files: model_repository.c (looking up, the end), model_startup.c (what is loaded at start), model_control.c and
 * model_replace.c (load and unload), model_index.c (what is known); beneath them model_table.h, model_scan.h and
 * model_files.h. Thread: any, but for create and destroy; the lock is never held while a model is loaded or stopped. */
#ifndef INFERD_CORE_MODEL_REPOSITORY_H
#define INFERD_CORE_MODEL_REPOSITORY_H

#include "core/inference_server.h"
#include "core/model_loader.h"
#include "core/model_scan.h"

struct model_repository;

struct model_repository_options {
    struct model_loader loader; /* what it points to outlives the repository */
    struct model_repositories folders;
    bool load_all; /* at start; otherwise only `names` */
    const char *const *names;
    size_t name_count;
    size_t loader_count;             /* models loaded at once at start; 0: chosen */
    const char *temporary_directory; /* for files that come with a load; NULL: /tmp */
    void (*on_change)(void *user);   /* as in inference_server.h; NULL: nobody listens */
    void *on_change_user;
};

/* Texts are copied. */
struct status model_repository_create(const struct model_repository_options *options,
                                      struct model_repository **ret) STATUS_MUST_CHECK;
/* Finds all models and loads those that are to be there at start, several at a time; once. *ret_failed: versions that
 * should be ready and are not, and models of which no version could even be chosen. An error: a folder could not be
 * read, or memory is short. */
struct status model_repository_start(struct model_repository *repository, size_t *ret_failed) STATUS_MUST_CHECK;
/* From now on no version begins to load. */
void model_repository_refuse_loads(struct model_repository *repository);
/* And those that are ready take no requests. */
void model_repository_refuse(struct model_repository *repository);
/* Waits until no request is in flight; DEADLINE_EXCEEDED names a model that has some. */
struct status model_repository_wait_idle(struct model_repository *repository, uint64_t deadline_ns) STATUS_MUST_CHECK;
/* Stops and unloads all models. No load or unload is under way. Accepts NULL. */
void model_repository_destroy(struct model_repository *repository);

/* True when the start is over and (strict) every version that should be ready is. */
bool model_repository_is_ready(struct model_repository *repository, bool strict);
/* As inference_server_acquire_model. */
struct status model_repository_acquire(struct model_repository *repository, struct slice name, int64_t version,
                                       struct model **ret) STATUS_MUST_CHECK;
/* The same for a request that is about to be submitted: counts it as in flight (model_admit), so that a model that is
 * replaced or unloaded meanwhile waits for it. */
struct status model_repository_admit(struct model_repository *repository, struct slice name, int64_t version,
                                     struct model **ret) STATUS_MUST_CHECK;
/* These as in inference_server.h. */
struct status model_repository_versions(struct model_repository *repository, struct slice name, struct arena *arena,
                                        int64_t **ret_versions, size_t *ret_count) STATUS_MUST_CHECK;
struct status model_repository_index(struct model_repository *repository, struct arena *arena,
                                     struct model_index_row **ret_rows, size_t *ret_count) STATUS_MUST_CHECK;
/* Looks which folders there are now: new ones become known, and those that are gone and not loaded are forgotten. */
struct status model_repository_rescan(struct model_repository *repository) STATUS_MUST_CHECK;
struct status model_repository_load(struct model_repository *repository, struct slice name,
                                    const struct model_override *override) STATUS_MUST_CHECK;
struct status model_repository_unload(struct model_repository *repository, struct slice name) STATUS_MUST_CHECK;

#endif
