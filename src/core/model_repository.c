#include "core/model_repository.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "core/worker_thread.h"

enum { LOADER_THREADS_MAX = 4 };

/* A version, or the model as a whole (version -1) when none could be chosen. */
struct version_row {
    int64_t version;
    enum model_state state;
    struct slice reason;
    struct model *model; /* a reference, in MODEL_READY */
};

struct model_entry {
    const char *name, *path;
    const char *second_path;  /* the same name in another repository: neither is served */
    struct version_row *rows; /* ascending by version */
    size_t row_count;
};

struct model_repository {
    struct model_loader loader;
    const char *const *paths;
    size_t path_count;

    pthread_mutex_t lock; /* of all that follows, and of the arena */
    struct arena *arena;
    struct model_entry *entries; /* ascending by name */
    size_t entry_count;
    bool loaded, refusing;
};

struct status model_repository_create(const struct model_loader *loader, const char *const *paths, size_t path_count,
                                      struct model_repository **ret) {
    struct model_repository *repository = calloc(1, sizeof *repository);
    struct arena *arena = repository ? arena_create(0) : NULL;
    const char **copies = arena ? arena_calloc(arena, path_count, sizeof(const char *)) : NULL;
    bool copied = copies != NULL;
    for (size_t i = 0; i < path_count && copied; i++) {
        copies[i] = arena_strdup(arena, slice_of(paths[i]));
        copied = copies[i] != NULL;
    }
    if (!copied) {
        arena_destroy(arena);
        free(repository);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model repository");
    }
    repository->loader = *loader;
    repository->arena = arena;
    repository->paths = copies;
    repository->path_count = path_count;
    pthread_mutex_init(&repository->lock, NULL);
    *ret = repository;
    return status_ok();
}

void model_repository_destroy(struct model_repository *repository) {
    if (!repository)
        return;
    model_repository_refuse(repository);
    for (size_t i = 0; i < repository->entry_count; i++) {
        struct model_entry *entry = &repository->entries[i];
        for (size_t v = 0; v < entry->row_count; v++) {
            if (entry->rows[v].model)
                model_stop(entry->rows[v].model);
            model_release(entry->rows[v].model);
        }
    }
    pthread_mutex_destroy(&repository->lock);
    arena_destroy(repository->arena);
    free(repository);
}

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model repository");
}

/* --- Finding models --- */

static struct status find_in_folder(struct arena *arena, const char *path, struct model_entry **entries,
                                    size_t *count) {
    const char *const *names;
    size_t name_count;
    struct status status = file_list(path, arena, &names, &name_count);
    if (!status_is_ok(&status))
        return status_prefix(status, "model repository");
    struct model_entry *all = arena_calloc(arena, *count + name_count, sizeof *all);
    if (!all)
        return no_memory();
    if (*count)
        memcpy(all, *entries, *count * sizeof *all);
    for (size_t i = 0; i < name_count; i++) {
        const char *model_path = path_join(arena, path, names[i]);
        if (!model_path)
            return no_memory();
        if (names[i][0] != '.' && file_is_directory(model_path))
            all[(*count)++] = (struct model_entry){.name = names[i], .path = model_path};
    }
    *entries = all;
    return status_ok();
}

static int compare_entries(const void *a, const void *b) {
    const struct model_entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->path, y->path);
}

/* Sorts, and makes one entry of those with the same name. */
static size_t merge_entries(struct model_entry *entries, size_t count) {
    qsort(entries, count, sizeof *entries, compare_entries);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept && strcmp(entries[kept - 1].name, entries[i].name) == 0)
            entries[kept - 1].second_path = entries[i].path;
        else
            entries[kept++] = entries[i];
    }
    return kept;
}

static struct status find_models(struct model_repository *repository) {
    struct model_entry *entries = NULL;
    size_t count = 0;
    struct arena *arena = repository->arena;
    for (size_t i = 0; i < repository->path_count; i++)
        STATUS_TRY(find_in_folder(arena, repository->paths[i], &entries, &count));
    count = count ? merge_entries(entries, count) : 0;
    /* Each begins with one row for the model as a whole. */
    for (size_t i = 0; i < count; i++) {
        entries[i].rows = arena_calloc(arena, 1, sizeof *entries[i].rows);
        if (!entries[i].rows)
            return no_memory();
        entries[i].rows[0] = (struct version_row){.version = -1, .state = MODEL_LOADING};
        entries[i].row_count = 1;
    }
    repository->entries = entries;
    repository->entry_count = count;
    return status_ok();
}

/* --- Loading them --- */

static void set_failed(struct model_repository *repository, struct model_entry *entry, struct version_row *row,
                       struct status status) {
    if (row->version < 0)
        LOG_ERROR(repository->loader.log, "failed to load '%s': %s", entry->name, status.message);
    else
        LOG_ERROR(repository->loader.log, "failed to load '%s' version %" PRId64 ": %s", entry->name, row->version,
                  status.message);
    pthread_mutex_lock(&repository->lock);
    row->reason = arena_copy(repository->arena, slice_of(status.message));
    if (!row->reason.size)
        row->reason = SLICE_LITERAL("failed to load; the reason is in the log");
    row->state = MODEL_UNAVAILABLE;
    pthread_mutex_unlock(&repository->lock);
}

/* Puts the row of each chosen version in place of the one for the whole model. */
static struct status set_versions(struct model_repository *repository, struct model_entry *entry,
                                  const int64_t *versions, size_t count) {
    pthread_mutex_lock(&repository->lock);
    struct version_row *rows = arena_calloc(repository->arena, count, sizeof *rows);
    for (size_t i = 0; i < count && rows; i++)
        rows[i] = (struct version_row){.version = versions[i], .state = MODEL_LOADING};
    if (rows) {
        entry->rows = rows;
        entry->row_count = count;
    }
    pthread_mutex_unlock(&repository->lock);
    return rows ? status_ok() : no_memory();
}

static struct status choose_versions(struct model_repository *repository, struct model_entry *entry,
                                     struct arena *scratch, struct model_folder *folder) {
    if (entry->second_path)
        return status_error(STATUS_ALREADY_EXISTS, "two repositories have a model of this name: %s and %s", entry->path,
                            entry->second_path);
    const int64_t *versions;
    size_t count;
    STATUS_TRY(model_folder_open(entry->path, entry->name, scratch, folder));
    STATUS_TRY(model_folder_choose(folder, scratch, &versions, &count));
    return set_versions(repository, entry, versions, count);
}

static bool is_refusing(struct model_repository *repository) {
    pthread_mutex_lock(&repository->lock);
    bool refusing = repository->refusing;
    pthread_mutex_unlock(&repository->lock);
    return refusing;
}

static void load_row(struct model_repository *repository, struct model_entry *entry, struct version_row *row,
                     const struct model_folder *folder) {
    struct model *model = NULL;
    struct status status = status_error(STATUS_UNAVAILABLE, "the server is stopping");
    if (!is_refusing(repository))
        status = model_loader_load(&repository->loader, folder, row->version, &model);
    if (!status_is_ok(&status)) {
        set_failed(repository, entry, row, status);
        return;
    }
    pthread_mutex_lock(&repository->lock);
    if (repository->refusing)
        model_refuse(model);
    row->model = model;
    row->state = MODEL_READY;
    pthread_mutex_unlock(&repository->lock);
}

static void load_entry(struct model_repository *repository, struct model_entry *entry) {
    struct arena *scratch = arena_create(0);
    struct model_folder folder = {0};
    struct status status = scratch ? choose_versions(repository, entry, scratch, &folder) : no_memory();
    if (status_is_ok(&status))
        for (size_t i = 0; i < entry->row_count; i++)
            load_row(repository, entry, &entry->rows[i], &folder);
    else
        set_failed(repository, entry, &entry->rows[0], status);
    arena_destroy(scratch);
}

/* The entries that are still to be loaded, shared by the loader threads. */
struct load_job {
    struct model_repository *repository;
    atomic_size_t next;
};

static void *loader_run(void *argument) {
    struct load_job *job = argument;
    size_t index;
    while ((index = atomic_fetch_add(&job->next, 1)) < job->repository->entry_count)
        load_entry(job->repository, &job->repository->entries[index]);
    return NULL;
}

static void load_entries(struct model_repository *repository) {
    struct load_job job = {.repository = repository};
    atomic_init(&job.next, 0);
    pthread_t helpers[LOADER_THREADS_MAX - 1];
    size_t wanted = (size_t)cpu_available_count();
    if (wanted > LOADER_THREADS_MAX)
        wanted = LOADER_THREADS_MAX;
    if (wanted > repository->entry_count)
        wanted = repository->entry_count;
    size_t started = 0;
    while (started + 1 < wanted) {
        struct status status = worker_thread_start(&helpers[started], loader_run, &job, "loader");
        if (!status_is_ok(&status))
            break; /* fewer do it too */
        started++;
    }
    loader_run(&job);
    for (size_t i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
}

static size_t count_failed(const struct model_repository *repository) {
    size_t failed = 0;
    for (size_t i = 0; i < repository->entry_count; i++)
        for (size_t v = 0; v < repository->entries[i].row_count; v++)
            failed += repository->entries[i].rows[v].state != MODEL_READY;
    return failed;
}

struct status model_repository_load(struct model_repository *repository, size_t *ret_failed) {
    pthread_mutex_lock(&repository->lock);
    struct status status = find_models(repository);
    pthread_mutex_unlock(&repository->lock);
    if (!status_is_ok(&status))
        return status;
    load_entries(repository);
    pthread_mutex_lock(&repository->lock);
    repository->loaded = true;
    *ret_failed = count_failed(repository);
    pthread_mutex_unlock(&repository->lock);
    return status_ok();
}

/* --- Stopping --- */

void model_repository_refuse(struct model_repository *repository) {
    pthread_mutex_lock(&repository->lock);
    repository->refusing = true;
    for (size_t i = 0; i < repository->entry_count; i++)
        for (size_t v = 0; v < repository->entries[i].row_count; v++)
            if (repository->entries[i].rows[v].model)
                model_refuse(repository->entries[i].rows[v].model);
    pthread_mutex_unlock(&repository->lock);
}

/* The next loaded model from the cursor on, with a reference, so that it can be waited for without the lock. NULL at
 * the end. */
static struct model *pin_next(struct model_repository *repository, size_t *entry, size_t *row) {
    struct model *model = NULL;
    pthread_mutex_lock(&repository->lock);
    while (!model && *entry < repository->entry_count) {
        if (*row < repository->entries[*entry].row_count) {
            model = repository->entries[*entry].rows[(*row)++].model;
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

/* --- Looking up --- */

static struct model_entry *find_entry(const struct model_repository *repository, struct slice name) {
    size_t low = 0, high = repository->entry_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct slice at = slice_of(repository->entries[middle].name);
        size_t common = at.size < name.size ? at.size : name.size;
        int order = common ? memcmp(at.data, name.data, common) : 0;
        if (order == 0 && at.size == name.size)
            return &repository->entries[middle];
        if (order < 0 || (order == 0 && at.size < name.size))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The row that a request means: the version, or for -1 the latest that is ready, else the latest. NULL: no such
 * version. */
static struct version_row *find_row(struct model_entry *entry, int64_t version) {
    if (version < 0) {
        for (size_t i = entry->row_count; i > 0; i--)
            if (entry->rows[i - 1].state == MODEL_READY)
                return &entry->rows[i - 1];
        return &entry->rows[entry->row_count - 1];
    }
    for (size_t i = 0; i < entry->row_count; i++)
        if (entry->rows[i].version == version || entry->rows[i].version < 0)
            return &entry->rows[i];
    return NULL;
}

static struct slice reason_of(const struct version_row *row) {
    return row->state == MODEL_LOADING ? SLICE_LITERAL("it is being loaded") : row->reason;
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

static struct status not_found(struct slice name) {
    return status_error(STATUS_NOT_FOUND, "Request for unknown model: '%.*s' is not found", SLICE_ARGS(name));
}

static struct status acquire(struct model_repository *repository, struct slice name, int64_t version,
                             struct model **ret) {
    struct model_entry *entry = find_entry(repository, name);
    if (!entry)
        return not_found(name);
    struct version_row *row = find_row(entry, version);
    if (!row)
        return status_error(STATUS_NOT_FOUND, "Request for unknown model: '%.*s' version %" PRId64 " is not found",
                            SLICE_ARGS(name), version);
    if (row->state != MODEL_READY)
        return not_ready(name, row);
    model_retain(row->model);
    *ret = row->model;
    return status_ok();
}

struct status model_repository_acquire(struct model_repository *repository, struct slice name, int64_t version,
                                       struct model **ret) {
    pthread_mutex_lock(&repository->lock);
    struct status status = acquire(repository, name, version, ret);
    pthread_mutex_unlock(&repository->lock);
    return status;
}

static struct status ready_versions(struct model_repository *repository, struct slice name, struct arena *arena,
                                    int64_t **ret_versions, size_t *ret_count) {
    const struct model_entry *entry = find_entry(repository, name);
    if (!entry)
        return not_found(name);
    int64_t *versions = arena_calloc(arena, entry->row_count, sizeof *versions);
    if (!versions)
        return no_memory();
    size_t count = 0;
    for (size_t i = 0; i < entry->row_count; i++)
        if (entry->rows[i].state == MODEL_READY)
            versions[count++] = entry->rows[i].version;
    *ret_versions = versions;
    *ret_count = count;
    return status_ok();
}

struct status model_repository_versions(struct model_repository *repository, struct slice name, struct arena *arena,
                                        int64_t **ret_versions, size_t *ret_count) {
    pthread_mutex_lock(&repository->lock);
    struct status status = ready_versions(repository, name, arena, ret_versions, ret_count);
    pthread_mutex_unlock(&repository->lock);
    return status;
}

static struct status copy_index(struct model_repository *repository, struct arena *arena,
                                struct model_index_row **ret_rows, size_t *ret_count) {
    size_t count = 0;
    for (size_t i = 0; i < repository->entry_count; i++)
        count += repository->entries[i].row_count;
    struct model_index_row *rows = arena_calloc(arena, count, sizeof *rows);
    if (!rows)
        return no_memory();
    struct model_index_row *to = rows;
    for (size_t i = 0; i < repository->entry_count; i++) {
        const struct model_entry *entry = &repository->entries[i];
        for (size_t v = 0; v < entry->row_count; v++, to++) {
            const struct version_row *row = &entry->rows[v];
            struct slice tags = row->model ? model_metric_tags(row->model) : (struct slice){NULL, 0};
            to->name = arena_copy(arena, slice_of(entry->name));
            to->version = row->version;
            to->state = row->state;
            to->reason = arena_copy(arena, row->reason);
            to->metric_tags = arena_copy(arena, tags);
            if (!to->name.size || to->reason.size != row->reason.size || to->metric_tags.size != tags.size)
                return no_memory();
        }
    }
    *ret_rows = rows;
    *ret_count = count;
    return status_ok();
}

struct status model_repository_index(struct model_repository *repository, struct arena *arena,
                                     struct model_index_row **ret_rows, size_t *ret_count) {
    pthread_mutex_lock(&repository->lock);
    struct status status = copy_index(repository, arena, ret_rows, ret_count);
    pthread_mutex_unlock(&repository->lock);
    return status;
}

bool model_repository_is_ready(struct model_repository *repository, bool strict) {
    pthread_mutex_lock(&repository->lock);
    bool ready = repository->loaded && !repository->refusing && (!strict || count_failed(repository) == 0);
    pthread_mutex_unlock(&repository->lock);
    return ready;
}
