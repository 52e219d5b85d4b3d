#include "core/model_table.h"

#include <stdlib.h>
#include <string.h>

#include "core/model.h"

/* ---- sets ---- */

static struct model_set *create_set(size_t count) {
    struct arena *arena = arena_create(0);
    struct model_set *set = arena ? arena_calloc(arena, 1, sizeof *set) : NULL;
    struct version_row *rows = set ? arena_calloc(arena, count, sizeof *rows) : NULL;
    if (!rows) {
        arena_destroy(arena);
        return NULL;
    }
    *set = (struct model_set){.arena = arena, .rows = rows, .count = count};
    return set;
}

struct model_set *model_set_create(const int64_t *versions, size_t count) {
    struct model_set *set = create_set(count);
    for (size_t i = 0; set && i < count; i++)
        set->rows[i] = (struct version_row){.version = versions[i], .state = MODEL_LOADING};
    return set;
}

struct model_set *model_set_create_unloaded(const struct model_set *set) {
    struct model_set *rest = set->rows[0].version < 0 ? NULL : create_set(set->count);
    for (size_t i = 0; rest && i < rest->count; i++)
        rest->rows[i] = (struct version_row){.version = set->rows[i].version,
                                             .state = MODEL_UNAVAILABLE,
                                             .unloaded = true,
                                             .reason = SLICE_LITERAL("unloaded")};
    return rest;
}

void model_set_destroy(struct model_set *set) {
    if (set)
        arena_destroy(set->arena);
}

struct version_row version_row_now(const struct version_row *row) {
    struct version_row now = *row;
    if (row->state == MODEL_READY && model_is_lost(row->model)) {
        now.state = MODEL_UNAVAILABLE;
        now.reason = SLICE_LITERAL("a device that it computes on has failed: restart the server");
    }
    return now;
}

bool model_set_is_serving(const struct model_set *set) {
    for (size_t i = 0; set && i < set->count; i++)
        if (set->rows[i].state == MODEL_READY)
            return true;
    return false;
}

size_t model_set_count_failed(const struct model_set *set) {
    size_t failed = 0;
    for (size_t i = 0; set && i < set->count; i++) {
        const struct version_row row = version_row_now(&set->rows[i]);
        failed += row.state == MODEL_LOADING || (row.state == MODEL_UNAVAILABLE && !row.unloaded);
    }
    return failed;
}

void model_set_fail(struct model_set *set, struct version_row *row, struct slice reason) {
    row->state = MODEL_UNAVAILABLE;
    row->reason = arena_copy(set->arena, reason);
    if (!row->reason.size)
        row->reason = SLICE_LITERAL("failed to load; the reason is in the log");
}

/* ---- entries ---- */

/* Where the name stands, or would have to. */
static size_t position(const struct model_table *table, struct slice name, bool *ret_found) {
    size_t low = 0, high = table->count;
    *ret_found = false;
    while (low < high && !*ret_found) {
        size_t middle = (low + high) / 2;
        struct slice at = model_entry_name(table->entries[middle]);
        size_t common = at.size < name.size ? at.size : name.size;
        int order = common ? memcmp(at.data, name.data, common) : 0;
        if (order == 0 && at.size == name.size) {
            *ret_found = true;
            low = middle;
        } else if (order < 0 || (order == 0 && at.size < name.size)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct model_entry *model_table_find(const struct model_table *table, struct slice name) {
    bool found;
    size_t at = position(table, name, &found);
    return found ? table->entries[at] : NULL;
}

static bool grow(struct model_table *table) {
    if (table->count < table->capacity)
        return true;
    size_t capacity = table->capacity ? 2 * table->capacity : 16;
    struct model_entry **entries = realloc(table->entries, capacity * sizeof(struct model_entry *));
    if (!entries)
        return false;
    table->entries = entries;
    table->capacity = capacity;
    return true;
}

struct model_entry *model_table_obtain(struct model_table *table, struct slice name) {
    bool found;
    size_t at = position(table, name, &found);
    if (found)
        return table->entries[at];
    struct model_entry *entry = grow(table) ? calloc(1, sizeof *entry + name.size + 1) : NULL;
    if (!entry)
        return NULL;
    if (name.size)
        memcpy(entry->name, name.data, name.size);
    entry->name_size = name.size;
    memmove(table->entries + at + 1, table->entries + at, (table->count - at) * sizeof(struct model_entry *));
    table->entries[at] = entry;
    table->count++;
    return entry;
}

static void free_entry(struct model_entry *entry) {
    model_set_destroy(entry->set);
    free(entry);
}

void model_table_remove(struct model_table *table, struct model_entry *entry) {
    bool found;
    size_t at = position(table, model_entry_name(entry), &found);
    table->count--;
    memmove(table->entries + at, table->entries + at + 1, (table->count - at) * sizeof(struct model_entry *));
    free_entry(entry);
}

void model_table_free(struct model_table *table) {
    for (size_t i = 0; i < table->count; i++)
        free_entry(table->entries[i]);
    free(table->entries);
    *table = (struct model_table){NULL, 0, 0};
}
