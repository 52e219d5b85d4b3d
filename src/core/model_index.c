/* model_index.c: what a repository knows of its models, told and brought up to date. */
#include "core/model_repository_priv.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the index of the models");
}

/* ---- told ---- */

static struct status ready_versions(const struct model_repository *repository, struct slice name, struct arena *arena,
                                    int64_t **ret_versions, size_t *ret_count) {
    const struct model_entry *entry = model_table_find(&repository->table, name);
    if (!entry)
        return model_repository_unknown(name, "");
    const struct model_set *set = entry->set;
    int64_t *versions = arena_calloc(arena, set ? set->count : 0, sizeof *versions);
    if (!versions)
        return no_memory();
    size_t count = 0;
    for (size_t i = 0; set && i < set->count; i++)
        if (version_row_now(&set->rows[i]).state == MODEL_READY)
            versions[count++] = set->rows[i].version;
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

static struct status copy_row(const struct model_entry *entry, const struct version_row *kept, struct arena *arena,
                              struct model_index_row *ret) {
    const struct version_row now = version_row_now(kept), *row = &now;
    struct slice tags = row->state == MODEL_READY ? model_metric_tags(row->model) : (struct slice){NULL, 0};
    *ret = (struct model_index_row){.name = arena_copy(arena, model_entry_name(entry)),
                                    .version = row->version,
                                    .state = row->state,
                                    .reason = arena_copy(arena, row->reason),
                                    .metric_tags = arena_copy(arena, tags)};
    bool copied = ret->name.size == entry->name_size && ret->reason.size == row->reason.size &&
                  ret->metric_tags.size == tags.size;
    return copied ? status_ok() : no_memory();
}

static struct status copy_index(const struct model_repository *repository, struct arena *arena,
                                struct model_index_row **ret_rows, size_t *ret_count) {
    static const struct version_row never_loaded = {.version = -1, .state = MODEL_UNKNOWN};
    size_t count = 0;
    for (size_t i = 0; i < repository->table.count; i++)
        count += repository->table.entries[i]->set ? repository->table.entries[i]->set->count : 1;
    struct model_index_row *rows = arena_calloc(arena, count, sizeof *rows);
    if (!rows)
        return no_memory();
    size_t filled = 0;
    for (size_t i = 0; i < repository->table.count; i++) {
        const struct model_entry *entry = repository->table.entries[i];
        for (size_t v = 0; entry->set && v < entry->set->count; v++)
            STATUS_TRY(copy_row(entry, &entry->set->rows[v], arena, &rows[filled++]));
        if (!entry->set && entry->listed)
            STATUS_TRY(copy_row(entry, &never_loaded, arena, &rows[filled++]));
    }
    *ret_rows = rows;
    *ret_count = filled;
    return status_ok();
}

struct status model_repository_index(struct model_repository *repository, struct arena *arena,
                                     struct model_index_row **ret_rows, size_t *ret_count) {
    pthread_mutex_lock(&repository->lock);
    struct status status = copy_index(repository, arena, ret_rows, ret_count);
    pthread_mutex_unlock(&repository->lock);
    return status;
}

/* ---- brought up to date ---- */

/* Nothing that was asked for is told by the entry: it may go with its folder. */
static bool is_idle(const struct model_entry *entry) {
    for (size_t i = 0; entry->set && i < entry->set->count; i++)
        if (!entry->set->rows[i].unloaded)
            return false;
    return !entry->claimed;
}

/* Under the lock. Whatever a load or unload is at work on is left to that. */
static struct status merge(struct model_repository *repository, const char *const *names, size_t count) {
    struct model_table *table = &repository->table;
    for (size_t i = 0; i < table->count; i++)
        if (!table->entries[i]->claimed)
            table->entries[i]->listed = false;
    for (size_t i = 0; i < count; i++) {
        struct model_entry *entry = model_table_obtain(table, slice_of(names[i]));
        if (!entry)
            return no_memory();
        if (!entry->claimed)
            entry->listed = true;
    }
    for (size_t i = table->count; i > 0; i--) {
        struct model_entry *entry = table->entries[i - 1];
        if (!entry->listed && is_idle(entry))
            model_table_remove(table, entry);
    }
    return status_ok();
}

struct status model_repository_rescan(struct model_repository *repository) {
    struct arena *scratch = arena_create(0);
    const char *const *names;
    size_t count;
    struct status status =
        scratch ? model_scan_names(&repository->options.folders, scratch, &names, &count) : no_memory();
    if (status_is_ok(&status)) {
        pthread_mutex_lock(&repository->lock);
        status = merge(repository, names, count);
        pthread_mutex_unlock(&repository->lock);
    }
    arena_destroy(scratch);
    return status;
}
