#include "tools/engines/engines.h"

#include <limits.h>
#include <unistd.h>

#include "backends/bert/bert_backend.h"
#include "backends/identity/identity.h"
#include "base/file.h"

void engines_builtin(const struct backend_ops *ret[ENGINES_BUILTIN_COUNT]) {
    ret[0] = bert_backend();
    ret[1] = identity_backend();
}

/* The folder that the program's file is in. */
static const char *program_directory(struct arena *arena) {
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path);
    while (size > 1 && path[size - 1] != '/')
        size--;
    if (size <= 1)
        return arena_strdup(arena, SLICE_LITERAL("/"));
    return arena_strdup(arena, (struct slice){path, (size_t)size - 1});
}

const char *engines_default_directory(struct arena *arena) {
    const char *program = program_directory(arena);
    const char *beside = program ? path_join(arena, program, "lib/inferd") : NULL;
    if (!beside || file_is_directory(beside))
        return beside;
    return path_join(arena, program, "../lib/inferd");
}

void engines_print(const char *directory, FILE *out) {
    static const struct slice prefix = {"inferd_backend_", 15}, suffix = {".so", 3};
    const struct backend_ops *builtin[ENGINES_BUILTIN_COUNT];
    engines_builtin(builtin);
    for (size_t i = 0; i < ENGINES_BUILTIN_COUNT; i++)
        fprintf(out, "engine %s: %s (compiled in)\n", builtin[i]->name, builtin[i]->description);
    struct arena *arena = arena_create(0);
    const char *const *names;
    size_t count;
    struct status status =
        arena ? file_list(directory, arena, &names, &count) : status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; status_is_ok(&status) && i < count; i++) {
        struct slice name = slice_of(names[i]);
        if (!slice_starts_with(name, prefix) || !slice_ends_with(name, suffix))
            continue;
        name = (struct slice){name.data + prefix.size, name.size - prefix.size - suffix.size};
        fprintf(out, "engine %.*s: plug-in %s/%s\n", SLICE_ARGS(name), directory, names[i]);
    }
    arena_destroy(arena);
}
