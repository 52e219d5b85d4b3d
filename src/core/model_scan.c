#include "core/model_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model repository");
}

/* Appends the models of one repository to `names`, an array of pointers into the arena. */
static struct status list_repository(const char *path, struct arena *arena, struct buf *names) {
    const char *const *children;
    size_t count;
    struct status status = file_list(path, arena, &children, &count);
    if (!status_is_ok(&status))
        return status_prefix(status, "model repository");
    for (size_t i = 0; i < count; i++) {
        const char *model_path = path_join(arena, path, children[i]);
        if (!model_path)
            return no_memory();
        if (children[i][0] != '.' && file_is_directory(model_path))
            buf_append(names, &children[i], sizeof children[i]);
    }
    return buf_failed(names) ? no_memory() : status_ok();
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, and drops the second of equal names. */
static size_t unite(const char **names, size_t count) {
    qsort(names, count, sizeof *names, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    return kept;
}

struct status model_scan_names(const struct model_repositories *repositories, struct arena *arena,
                               const char *const **ret_names, size_t *ret_count) {
    struct buf found = BUF_EMPTY;
    struct status status = status_ok();
    for (size_t i = 0; i < repositories->count && status_is_ok(&status); i++)
        status = list_repository(repositories->paths[i], arena, &found);
    size_t count = found.size / sizeof(const char *);
    const char **names = arena_alloc(arena, found.size);
    if (status_is_ok(&status) && !names)
        status = no_memory();
    if (status_is_ok(&status) && count > 0) {
        memcpy(names, found.data, found.size);
        count = unite(names, count);
    }
    buf_free(&found);
    if (!status_is_ok(&status))
        return status;
    *ret_names = names;
    *ret_count = count;
    return status_ok();
}

/* Whether joining it to a folder's path gives the path of something in that folder. */
static bool names_a_child(struct slice name) {
    return name.size > 0 && name.data[0] != '.' && !memchr(name.data, '/', name.size) &&
           !memchr(name.data, '\0', name.size);
}

struct status model_scan_find(const struct model_repositories *repositories, struct slice name, struct arena *arena,
                              const char **ret_path) {
    const char *text = arena_strdup(arena, name), *found = NULL;
    if (!text)
        return no_memory();
    for (size_t i = 0; i < repositories->count && names_a_child(name); i++) {
        const char *path = path_join(arena, repositories->paths[i], text);
        if (!path)
            return no_memory();
        if (!file_is_directory(path) || (found && file_is_same(found, path)))
            continue;
        if (found) {
            bool ordered = strcmp(found, path) < 0;
            return status_error(STATUS_ALREADY_EXISTS, "two repositories have a model of this name: %s and %s",
                                ordered ? found : path, ordered ? path : found);
        }
        found = path;
    }
    if (!found)
        return status_error(STATUS_NOT_FOUND, "no model repository has a folder '%.*s'", SLICE_ARGS(name));
    *ret_path = found;
    return status_ok();
}
