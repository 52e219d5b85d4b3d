/* model_repository.h: the models of all repository folders: what is there, in which state, and the table that requests
 * look their model up in. Rows are made by one load; each model's failure is its own reason and stops nothing else.
 * Thread: any, but for create and destroy; the lock is never held while a model is loaded. */
#ifndef INFERD_CORE_MODEL_REPOSITORY_H
#define INFERD_CORE_MODEL_REPOSITORY_H

#include "core/inference_server.h"
#include "core/model_loader.h"

struct model_repository;

/* `loader` is copied; what it points to outlives the repository. Paths are copied. */
struct status model_repository_create(const struct model_loader *loader, const char *const *paths, size_t path_count,
                                      struct model_repository **ret) STATUS_MUST_CHECK;
/* Finds all models and loads them, several at a time; once. *ret_failed: versions that are not ready, and models of
 * which no version could even be chosen. An error: a folder could not be read, or memory is short. */
struct status model_repository_load(struct model_repository *repository, size_t *ret_failed) STATUS_MUST_CHECK;
/* From now on no version becomes ready, and those that are take no requests. */
void model_repository_refuse(struct model_repository *repository);
/* Waits until no request is in flight; DEADLINE_EXCEEDED names a model that has some. */
struct status model_repository_wait_idle(struct model_repository *repository, uint64_t deadline_ns) STATUS_MUST_CHECK;
/* Stops and unloads all models. Accepts NULL. */
void model_repository_destroy(struct model_repository *repository);

/* True when the load is over and (strict) every row is ready. */
bool model_repository_is_ready(struct model_repository *repository, bool strict);
/* These three as in inference_server.h. */
struct status model_repository_acquire(struct model_repository *repository, struct slice name, int64_t version,
                                       struct model **ret) STATUS_MUST_CHECK;
struct status model_repository_versions(struct model_repository *repository, struct slice name, struct arena *arena,
                                        int64_t **ret_versions, size_t *ret_count) STATUS_MUST_CHECK;
struct status model_repository_index(struct model_repository *repository, struct arena *arena,
                                     struct model_index_row **ret_rows, size_t *ret_count) STATUS_MUST_CHECK;

#endif
