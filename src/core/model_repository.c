#include "core/model_repository.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/model_repository_priv.h"

/* ---- life ---- */

static bool copy_texts(struct arena *arena, const char *const *texts, size_t count, const char *const **ret) {
    const char **copies = arena_calloc(arena, count, sizeof(const char *));
    bool copied = copies != NULL;
    for (size_t i = 0; i < count && copied; i++) {
        copies[i] = arena_strdup(arena, slice_of(texts[i]));
        copied = copies[i] != NULL;
    }
    *ret = copies;
    return copied;
}

static bool copy_options(struct model_repository_options *options, struct arena *arena) {
    const char *temporary = options->temporary_directory;
    options->temporary_directory =
        arena_strdup(arena, temporary && temporary[0] ? slice_of(temporary) : SLICE_LITERAL("/tmp"));
    return options->temporary_directory &&
           copy_texts(arena, options->folders.paths, options->folders.count, &options->folders.paths) &&
           copy_texts(arena, options->names, options->name_count, &options->names);
}

static void log_lost(const struct model_repository *repository, const struct model *model) {
    const struct model_config *config = model_config_of(model);
    LOG_ERROR(repository->options.loader.log,
              "'%.*s' version %" PRId64 " is not ready any more: a device that it computes on has failed, and computes "
              "nothing for this process any more: restart the server",
              SLICE_ARGS(config->name), model_version_of(model));
}

/* The next model that has lost its device and of which nobody has been told, marked as told, with a reference. NULL:
 * there is none, or the repository is taken apart. Under the lock. */
static struct model *pin_untold(struct model_repository *repository) {
    for (size_t i = 0; !repository->refusing && i < repository->table.count; i++) {
        const struct model_set *set = repository->table.entries[i]->set;
        for (size_t v = 0; set && v < set->count; v++) {
            struct version_row *row = &set->rows[v];
            if (row->state != MODEL_READY || row->is_told_lost)
                continue;
            (void)model_look_for_loss(row->model);
            row->is_told_lost = model_is_lost(row->model);
            if (!row->is_told_lost)
                continue;
            model_retain(row->model);
            return row->model;
        }
    }
    return NULL;
}

/* A model has lost its device: others may have, too. The log may make its writers wait, so not under the lock. */
static void tell_lost(void *user) {
    struct model_repository *repository = user;
    struct model *model;
    pthread_mutex_lock(&repository->lock);
    while ((model = pin_untold(repository)) != NULL) {
        pthread_mutex_unlock(&repository->lock);
        log_lost(repository, model);
        model_release(model);
        pthread_mutex_lock(&repository->lock);
    }
    model_repository_unlock_changed(repository);
}

struct status model_repository_create(const struct model_repository_options *options, struct model_repository **ret) {
    struct model_repository *repository = calloc(1, sizeof *repository);
    struct arena *arena = repository ? arena_create(0) : NULL;
    if (arena)
        repository->options = *options;
    if (!arena || !copy_options(&repository->options, arena)) {
        arena_destroy(arena);
        free(repository);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model repository");
    }
    repository->arena = arena;
    repository->options.loader.on_lost = tell_lost;
    repository->options.loader.on_lost_user = repository;
    pthread_mutex_init(&repository->lock, NULL);
    pthread_cond_init(&repository->released, NULL);
    *ret = repository;
    return status_ok();
}

void model_repository_destroy(struct model_repository *repository) {
    if (!repository)
        return;
    model_repository_refuse(repository);
    for (size_t i = 0; i < repository->table.count; i++) {
        model_control_discard(repository->table.entries[i]->set);
        repository->table.entries[i]->set = NULL;
    }
    model_table_free(&repository->table);
    pthread_cond_destroy(&repository->released);
    pthread_mutex_destroy(&repository->lock);
    arena_destroy(repository->arena);
    free(repository);
}

void model_repository_unlock_changed(struct model_repository *repository) {
    pthread_mutex_unlock(&repository->lock);
    if (repository->options.on_change)
        repository->options.on_change(repository->options.on_change_user);
}

/* ---- the end ---- */

void model_repository_refuse_loads(struct model_repository *repository) {
    pthread_mutex_lock(&repository->lock);
    repository->refusing_loads = true;
    pthread_mutex_unlock(&repository->lock);
}

void model_repository_refuse(struct model_repository *repository) {
    pthread_mutex_lock(&repository->lock);
    repository->refusing_loads = repository->refusing = true;
    for (size_t i = 0; i < repository->table.count; i++) {
        const struct model_set *set = repository->table.entries[i]->set;
        for (size_t v = 0; set && v < set->count; v++)
            if (set->rows[v].model)
                model_refuse(set->rows[v].model);
    }
    model_repository_unlock_changed(repository);
}

/* The next loaded model from the cursor on, with a reference, so that it can be waited for without the lock. NULL at
 * the end. */
static struct model *pin_next(struct model_repository *repository, size_t *entry, size_t *row) {
    struct model *model = NULL;
    pthread_mutex_lock(&repository->lock);
    while (!model && *entry < repository->table.count) {
        const struct model_set *set = repository->table.entries[*entry]->set;
        if (set && *row < set->count) {
            model = set->rows[(*row)++].model;
        } else {
            ++*entry;
            *row = 0;
        }
    }
    if (model)
        model_retain(model);
    pthread_mutex_unlock(&repository->lock);
    return model;
}

struct status model_repository_wait_idle(struct model_repository *repository, uint64_t deadline_ns) {
    size_t entry = 0, row = 0;
    struct model *model;
    while ((model = pin_next(repository, &entry, &row)) != NULL) {
        struct status status = model_wait_idle(model, deadline_ns);
        model_release(model);
        if (!status_is_ok(&status))
            return status;
    }
    return status_ok();
}

/* ---- looking up ---- */

/* The row that a request means: the version, or for -1 the latest that is ready, else the latest. NULL: no such
 * version. */
static struct version_row *find_row(const struct model_set *set, int64_t version) {
    if (version < 0) {
        for (size_t i = set->count; i > 0; i--)
            if (version_row_now(&set->rows[i - 1]).state == MODEL_READY)
                return &set->rows[i - 1];
        return &set->rows[set->count - 1];
    }
    for (size_t i = 0; i < set->count; i++)
        if (set->rows[i].version == version || set->rows[i].version < 0)
            return &set->rows[i];
    return NULL;
}

struct status model_repository_unknown(struct slice name, const char *why) {
    char room[SLICE_SHOWN_BYTES];
    struct slice shown = slice_shown(name, room);
    return status_error(STATUS_NOT_FOUND, "Request for unknown model: '%.*s' is not found%s", SLICE_ARGS(shown), why);
}

static struct slice reason_of(const struct version_row *row) {
    if (row->state == MODEL_LOADING)
        return SLICE_LITERAL("it is being loaded");
    return row->state == MODEL_UNLOADING ? SLICE_LITERAL("it is being unloaded") : row->reason;
}

static struct status not_ready(struct slice name, const struct version_row *row) {
    struct slice reason = reason_of(row); /* no longer than a status message */
    if (row->version < 0)
        return status_error(STATUS_UNAVAILABLE, "Request for unknown model: '%.*s' is not at ready state: %.*s",
                            SLICE_ARGS(name), (int)reason.size, reason.data);
    return status_error(STATUS_UNAVAILABLE,
                        "Request for unknown model: '%.*s' version %" PRId64 " is not at ready state: %.*s",
                        SLICE_ARGS(name), row->version, (int)reason.size, reason.data);
}

/* Under the lock. */
static struct status find_ready(const struct model_repository *repository, struct slice name, int64_t version,
                                struct model **ret) {
    const struct model_entry *entry = model_table_find(&repository->table, name);
    if (!entry || !entry->set)
        return model_repository_unknown(
            name, entry && entry->listed ? ": it is in the repository, but has not been loaded" : "");
    struct version_row *row = find_row(entry->set, version);
    if (!row)
        return status_error(STATUS_NOT_FOUND, "Request for unknown model: '%.*s' version %" PRId64 " is not found",
                            SLICE_ARGS(name), version);
    const struct version_row now = version_row_now(row);
    if (now.state != MODEL_READY)
        return not_ready(name, &now);
    *ret = row->model;
    return status_ok();
}

struct status model_repository_acquire(struct model_repository *repository, struct slice name, int64_t version,
                                       struct model **ret) {
    pthread_mutex_lock(&repository->lock);
    struct status status = find_ready(repository, name, version, ret);
    if (status_is_ok(&status))
        model_retain(*ret);
    pthread_mutex_unlock(&repository->lock);
    return status;
}

struct status model_repository_admit(struct model_repository *repository, struct slice name, int64_t version,
                                     struct model **ret) {
    pthread_mutex_lock(&repository->lock);
    struct status status = find_ready(repository, name, version, ret);
    if (status_is_ok(&status)) {
        model_retain(*ret);
        model_admit(*ret);
    }
    pthread_mutex_unlock(&repository->lock);
    return status;
}

bool model_repository_is_ready(struct model_repository *repository, bool strict) {
    pthread_mutex_lock(&repository->lock);
    bool ready = repository->started && !repository->refusing;
    for (size_t i = 0; strict && ready && i < repository->table.count; i++)
        ready = model_set_count_failed(repository->table.entries[i]->set) == 0;
    pthread_mutex_unlock(&repository->lock);
    return ready;
}
