/* model_control.c: loads and unloads of one model, one after the other, while the others serve. */
#include <inttypes.h>

#include "base/file.h"
#include "core/core_limits.h"
#include "core/model_files.h"
#include "core/model_repository_priv.h"

/* ---- claims: whoever works on a model has claimed its entry ---- */

static bool has_room(const struct model_repository *repository) {
    size_t foreign = 0;
    for (size_t i = 0; i < repository->table.count; i++)
        foreign += !repository->table.entries[i]->listed;
    return foreign < CORE_FOREIGN_MODELS_MAX;
}

/* Waits until nobody else works on the model. NULL: it is not known, and was not to be made or there is no room. */
static struct model_entry *claim(struct model_repository *repository, struct slice name, bool make) {
    struct model_entry *entry;
    pthread_mutex_lock(&repository->lock);
    while ((entry = model_table_find(&repository->table, name)) != NULL && entry->claimed)
        pthread_cond_wait(&repository->released, &repository->lock);
    if (!entry && make && has_room(repository))
        entry = model_table_obtain(&repository->table, name);
    if (entry)
        entry->claimed = true;
    pthread_mutex_unlock(&repository->lock);
    return entry;
}

static void release(struct model_repository *repository, struct model_entry *entry) {
    pthread_mutex_lock(&repository->lock);
    entry->claimed = false;
    if (!entry->listed && !entry->set)
        model_table_remove(&repository->table, entry);
    pthread_cond_broadcast(&repository->released);
    model_repository_unlock_changed(repository);
}

struct model_set *model_control_exchange(struct model_repository *repository, struct model_entry *entry,
                                         struct model_set *set) {
    pthread_mutex_lock(&repository->lock);
    struct model_set *before = entry->set;
    entry->set = set;
    model_repository_unlock_changed(repository);
    return before;
}

/* ---- out of service ---- */

void model_control_wait_answered(const struct model_set *set) {
    for (size_t i = 0; set && i < set->count; i++) {
        if (!set->rows[i].model)
            continue;
        struct status status = model_wait_idle(set->rows[i].model, UINT64_MAX);
        (void)status; /* without a deadline it can only end well */
    }
}

void model_control_discard(struct model_set *set) {
    for (size_t i = 0; set && i < set->count; i++) {
        if (set->rows[i].model)
            model_stop(set->rows[i].model);
        model_release(set->rows[i].model);
    }
    if (set)
        model_files_remove(set->directory);
    model_set_destroy(set);
}

/* ---- load ---- */

/* *ret_failed: versions that should be ready and are not, or 1 when none could even be chosen. */
static struct status load(struct model_repository *repository, struct slice name, const struct model_override *override,
                          bool at_start, size_t *ret_failed) {
    *ret_failed = 1;
    struct model_entry *entry = claim(repository, name, true);
    if (!entry)
        return status_error(STATUS_RESOURCE_EXHAUSTED,
                            "no room for model '%.*s': memory is short, or there are %d models that are in no "
                            "repository already",
                            SLICE_ARGS(name), CORE_FOREIGN_MODELS_MAX);
    struct status status = model_replace(repository, entry, override, at_start);
    pthread_mutex_lock(&repository->lock);
    *ret_failed = model_set_count_failed(entry->set);
    pthread_mutex_unlock(&repository->lock);
    release(repository, entry);
    return status;
}

size_t model_control_load_at_start(struct model_repository *repository, struct slice name) {
    size_t failed;
    struct status status = load(repository, name, NULL, true, &failed);
    (void)status; /* logged, and kept as the model's reason */
    return failed;
}

struct status model_repository_load(struct model_repository *repository, struct slice name,
                                    const struct model_override *override) {
    if (!path_is_plain_name(name) || !slice_is_utf8(name) || name.data[0] == '.')
        return status_error(STATUS_INVALID_ARGUMENT,
                            "a model's name is that of its folder: expected UTF-8 of up to 255 bytes without '/', "
                            "control characters and a '.' in front, got '%.*s'",
                            SLICE_ARGS(name));
    if (override && override->file_count > 0 && !override->has_config)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "files were given for model '%.*s' without the configuration that goes with them",
                            SLICE_ARGS(name));
    size_t failed;
    return load(repository, name, override, false, &failed);
}

/* ---- unload ---- */

static void begin_unload(struct model_repository *repository, struct model_set *set) {
    pthread_mutex_lock(&repository->lock);
    for (size_t i = 0; i < set->count; i++)
        if (set->rows[i].state == MODEL_READY)
            set->rows[i].state = MODEL_UNLOADING;
    model_repository_unlock_changed(repository);
}

/* Whether a repository has the model's folder, now. */
static bool is_there(const struct model_repository *repository, const struct model_entry *entry) {
    struct arena *scratch = arena_create(0);
    const char *path;
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to look for a folder");
    if (scratch)
        status = model_scan_find(&repository->options.folders, model_entry_name(entry), scratch, &path);
    arena_destroy(scratch);
    return status.code == STATUS_NOT_FOUND ? false : status.code != STATUS_RESOURCE_EXHAUSTED || entry->listed;
}

static void unload_claimed(struct model_repository *repository, struct model_entry *entry) {
    struct model_set *set = entry->set;
    begin_unload(repository, set);
    model_control_wait_answered(set);
    for (size_t i = 0; i < set->count; i++)
        if (set->rows[i].model)
            LOG_INFO(repository->options.loader.log, "unloaded '%s' version %" PRId64, entry->name,
                     set->rows[i].version);
    bool listed = is_there(repository, entry);
    struct model_set *rest = listed ? model_set_create_unloaded(set) : NULL;
    pthread_mutex_lock(&repository->lock);
    entry->listed = listed;
    entry->set = rest;
    model_repository_unlock_changed(repository);
    model_control_discard(set);
}

struct status model_repository_unload(struct model_repository *repository, struct slice name) {
    struct model_entry *entry = claim(repository, name, false);
    if (!entry)
        return status_ok();
    if (entry->set)
        unload_claimed(repository, entry);
    release(repository, entry);
    return status_ok();
}
