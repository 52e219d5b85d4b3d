#include "core/model_files.h"

#include "base/file.h"
#include "core/core_limits.h"

static struct status bad_path(struct slice path, const char *why) {
    return status_error(STATUS_INVALID_ARGUMENT, "file '%.*s': %s", SLICE_ARGS(path), why);
}

/* Every part is a plain name: with the folder's own path in front none can lead out of it. */
static struct status check_path(struct slice path) {
    struct slice part, rest = path;
    bool more = true;
    if (path.size > CORE_LOAD_PATH_MAX)
        return bad_path(path, "expected a path of at most 1024 bytes");
    for (int parts = 0; more; parts++) {
        if (parts == CORE_LOAD_PATH_NAMES_MAX)
            return bad_path(path, "expected at most 16 names between '/'");
        more = slice_split(rest, '/', &part, &rest);
        if (!path_is_plain_name(part))
            return bad_path(path, "expected a path below the model's folder, such as 1/model.onnx: names of up to 255 "
                                  "bytes between single '/', without '.', '..' and control characters");
    }
    if (slice_equal_text(path, "config.pbtxt"))
        return bad_path(path, "the model's configuration is that of the parameter 'config'");
    return status_ok();
}

static struct status write_file(const char *directory, const struct model_file *file, struct arena *arena) {
    STATUS_TRY(check_path(file->path));
    const char *name = arena_strdup(arena, file->path);
    char *path = name ? path_join(arena, directory, name) : NULL;
    if (!path)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the names of the model's files");
    char *slash = path;
    for (char *c = path; *c; c++)
        if (*c == '/')
            slash = c;
    *slash = '\0';
    struct status status = file_make_directories(path);
    *slash = '/';
    if (status_is_ok(&status))
        status = file_write_new(path, file->content);
    if (status.code == STATUS_ALREADY_EXISTS || status.code == STATUS_INVALID_ARGUMENT)
        return bad_path(file->path, "another file has this path, or one that leads through it");
    return status_is_ok(&status) ? status : status_prefix(status, "file '%.*s'", SLICE_ARGS(file->path));
}

struct status model_files_write(const char *parent, const struct model_file *files, size_t count, struct arena *arena,
                                const char **ret_directory) {
    if (count > CORE_LOAD_FILES_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "expected at most %d files, got %zu", CORE_LOAD_FILES_MAX, count);
    char *directory;
    STATUS_TRY(file_make_temporary_directory(parent, "inferd-model-", arena, &directory));
    for (size_t i = 0; i < count; i++) {
        struct status status = write_file(directory, &files[i], arena);
        if (status_is_ok(&status))
            continue;
        model_files_remove(directory);
        return status;
    }
    *ret_directory = directory;
    return status_ok();
}

void model_files_remove(const char *directory) {
    if (!directory)
        return;
    struct status status = file_remove_tree(directory);
    (void)status;
}
