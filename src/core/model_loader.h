/* model_loader.h: from a model's folder to a running version: finds versions and config, asks the engine to complete
 * what the config leaves out, loads. Called by the repository, on its loader threads; has no state of its own. */
#ifndef INFERD_CORE_MODEL_LOADER_H
#define INFERD_CORE_MODEL_LOADER_H

#include "base/log.h"
#include "core/backend_registry.h"
#include "core/model.h"

struct model_loader {
    struct backend_registry *registry;
    uint32_t max_queue_size;
    const struct log *log;
    void (*on_lost)(void *user); /* as in model.h; the repository's own */
    void *on_lost_user;
};

/* <repository>/<name>, as it was found. */
struct model_folder {
    const char *name, *path; /* borrowed */
    bool has_config;
    bool config_is_json; /* given with the load, in place of a config.pbtxt */
    struct slice config_text;
    const int64_t *versions; /* ascending: the folders named by a decimal number without a leading 0 */
    size_t version_count;
};

/* Reads the folder; memory from the arena. `config` (JSON, borrowed) stands for the config.pbtxt that is there; NULL:
 * none does. NOT_FOUND when it has no version, INVALID_ARGUMENT when its name cannot be a model's. */
struct status model_folder_open(const char *path, const char *name, const struct slice *config, struct arena *arena,
                                struct model_folder *ret) STATUS_MUST_CHECK;
/* The versions that the config's version_policy asks for, ascending, whether they are there or not. Errors of the
 * config. */
struct status model_folder_choose(const struct model_folder *folder, struct arena *arena, const int64_t **ret_versions,
                                  size_t *ret_count) STATUS_MUST_CHECK;
/* Loads one version and logs how it runs. */
struct status model_loader_load(const struct model_loader *loader, const struct model_folder *folder, int64_t version,
                                struct model **ret) STATUS_MUST_CHECK;

#endif
