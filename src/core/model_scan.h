/* model_scan.h: which folders of the repositories are models, by their names alone; what is in them is model_loader.h's
 * matter. Thread: any; no state. */
#ifndef INFERD_CORE_MODEL_SCAN_H
#define INFERD_CORE_MODEL_SCAN_H

#include "base/arena.h"
#include "base/status.h"

struct model_repositories {
    const char *const *paths; /* folders of models */
    size_t count;
};

/* Names of all models, ascending bytewise, each once; memory from the arena. Folders whose name begins with '.' are
 * none. An error: a repository cannot be read. */
struct status model_scan_names(const struct model_repositories *repositories, struct arena *arena,
                               const char *const **ret_names, size_t *ret_count) STATUS_MUST_CHECK;
/* Where the model of that name lies. NOT_FOUND: in no repository; ALREADY_EXISTS: in two folders, so that it cannot be
 * told which is meant; one folder may be reached in several ways. Any name may be asked for: one that cannot be a
 * folder's is not found. */
struct status model_scan_find(const struct model_repositories *repositories, struct slice name, struct arena *arena,
                              const char **ret_path) STATUS_MUST_CHECK;

#endif
