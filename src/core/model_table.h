/* model_table.h: the models that a repository knows, by name, with the state of each of their versions.
 *
 * Owner and lock: the repository's (model_repository_priv.h); nothing here locks. A model's versions come and go as a
 * set, made by one load, so that a reload takes over in one step. Private to the files of the repository. */
#ifndef INFERD_CORE_MODEL_TABLE_H
#define INFERD_CORE_MODEL_TABLE_H

#include "core/inference_server.h"

struct version_row {
    int64_t version; /* -1: the model as a whole, as long as no version could be chosen */
    enum model_state state;
    bool unloaded;       /* UNAVAILABLE because that was asked for */
    bool is_told_lost;   /* in MODEL_READY: the log says that its device has failed */
    struct slice reason; /* in MODEL_UNAVAILABLE; memory of the set */
    struct model *model; /* a reference, in MODEL_READY and MODEL_UNLOADING */
};

/* The row as it is to be told: one that is ready but whose model is lost is UNAVAILABLE, for that reason. */
struct version_row version_row_now(const struct version_row *row);

/* What one load has made. */
struct model_set {
    struct arena *arena;      /* owned; the set lies in it */
    struct version_row *rows; /* ascending by version; at least one */
    size_t count;
    const char *directory; /* of files that came with the load, removed with the set; NULL: the repository's */
};

/* A set of rows in MODEL_LOADING; NULL when memory is short. */
struct model_set *model_set_create(const int64_t *versions, size_t count);
/* What stays of a set that is unloaded: its versions by name. NULL: it had none, or memory is short. */
struct model_set *model_set_create_unloaded(const struct model_set *set);
/* Frees a set that holds no models any more. Accepts NULL. */
void model_set_destroy(struct model_set *set);
/* Some version is ready. Accepts NULL. */
bool model_set_is_serving(const struct model_set *set);
/* Versions that should be ready and are not. Accepts NULL. */
size_t model_set_count_failed(const struct model_set *set);
/* The row becomes UNAVAILABLE for that reason (copied). */
void model_set_fail(struct model_set *set, struct version_row *row, struct slice reason);

struct model_entry {
    struct model_set *set; /* owned; NULL: never loaded */
    bool listed;           /* a folder of a repository has this name */
    bool claimed;          /* a load or unload is at work on it, and alone may change `set` and `listed` */
    size_t name_size;
    char name[]; /* NUL-terminated */
};

struct model_table {
    struct model_entry **entries; /* ascending by name */
    size_t count, capacity;
};

static inline struct slice model_entry_name(const struct model_entry *entry) {
    return (struct slice){entry->name, entry->name_size};
}

/* NULL when there is none. */
struct model_entry *model_table_find(const struct model_table *table, struct slice name);
/* The entry of that name, new (never loaded, not listed) if there was none; NULL when memory is short. */
struct model_entry *model_table_obtain(struct model_table *table, struct slice name);
/* Removes an entry whose set holds no models. */
void model_table_remove(struct model_table *table, struct model_entry *entry);
void model_table_free(struct model_table *table); /* likewise all of them */

#endif
