#include "tools/export/model_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define STAGING_PREFIX ".inferd-export-"

enum { CONFIG_FILE_MAX = 1 << 20, STAGING_ATTEMPTS = 8 };

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's paths");
}

static struct status errno_status(const char *doing, const char *path) {
    char text[128];
    enum status_code code = errno == EACCES ? STATUS_PERMISSION_DENIED : STATUS_INTERNAL;
    return status_error(code, "cannot %s %s: %s", doing, path, strerror_r(errno, text, sizeof text));
}

struct status model_folder_check_name(const char *name) {
    struct slice text = slice_of(name);
    if (path_is_plain_name(text) && slice_is_utf8(text) && name[0] != '.')
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT,
                        "\"%.100s\" cannot be a model's name: expected a folder name (no '/', not beginning with '.')",
                        name);
}

struct status model_folder_plan(const char *repository, const char *name, int64_t version, bool overwrite,
                                struct arena *arena, struct model_folder *ret) {
    STATUS_TRY(model_folder_check_name(name));
    struct model_folder folder = {.arena = arena, .repository = repository, .overwrite = overwrite, .staging_lock = -1};
    folder.model_path = path_join(arena, repository, name);
    folder.version = arena_printf(arena, "%lld", (long long)version);
    if (!folder.model_path || !folder.version)
        return no_memory();
    folder.version_path = path_join(arena, folder.model_path, folder.version);
    folder.config_path = path_join(arena, folder.model_path, "config.pbtxt");
    if (!folder.version_path || !folder.config_path)
        return no_memory();
    if (!overwrite && file_exists(folder.version_path))
        return status_error(STATUS_ALREADY_EXISTS,
                            "%s exists; give --overwrite to replace it, or another --model-version or --model",
                            folder.version_path);
    *ret = folder;
    return status_ok();
}

/* ---- the configuration already there ---- */

static struct status first_difference(const char *path, struct slice old_text, struct slice new_text) {
    for (int line = 1;; line++) {
        struct slice old_line, new_line;
        slice_split(old_text, '\n', &old_line, &old_text);
        slice_split(new_text, '\n', &new_line, &new_text);
        if (!slice_equal(old_line, new_line) || (old_text.size == 0 && new_text.size == 0))
            return status_error(STATUS_FAILED_PRECONDITION,
                                "%s:%d: the model's configuration has \"%.*s\", this export would write \"%.*s\"; all "
                                "versions of a model share it: use the same settings, another --model, or --overwrite",
                                path, line, SLICE_ARGS(slice_trim(old_line)), SLICE_ARGS(slice_trim(new_line)));
    }
}

static struct status check_config(const struct model_folder *folder, struct slice config) {
    if (folder->overwrite || !file_exists(folder->config_path))
        return status_ok();
    struct buf present = BUF_EMPTY;
    struct status status = file_read(folder->config_path, CONFIG_FILE_MAX, &present);
    if (status_is_ok(&status) && !slice_equal(buf_slice(&present), config))
        status = first_difference(folder->config_path, buf_slice(&present), config);
    buf_free(&present);
    return status;
}

/* ---- staging ---- */

/* Each staging folder is locked by the process that fills it. Takes the lock of one; the descriptor, or -1 with errno:
 * EWOULDBLOCK when its owner lives, ENOENT when it is gone. */
static int lock_folder(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    if (fd < 0)
        return -1;
    int error = flock(fd, LOCK_EX | LOCK_NB) != 0 ? errno : fstat(fd, &info) != 0 || info.st_nlink == 0 ? ENOENT : 0;
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

/* What cannot be removed is no reason to give up: it costs room, no more. */
static void remove_dead_staging(const struct model_folder *folder) {
    const char *const *names;
    size_t count;
    struct status status = file_list(folder->repository, folder->arena, &names, &count);
    for (size_t i = 0; status_is_ok(&status) && i < count; i++) {
        if (!slice_starts_with(slice_of(names[i]), SLICE_LITERAL(STAGING_PREFIX)))
            continue;
        const char *path = path_join(folder->arena, folder->repository, names[i]);
        int lock = path ? lock_folder(path) : -1;
        if (lock < 0)
            continue;
        struct status removed = file_remove_tree(path);
        (void)removed;
        close(lock);
    }
}

/* Makes the folder and locks it. Another export may have seen it between the two and removed it: then once more. */
static struct status make_locked_folder(struct model_folder *folder) {
    for (int attempt = 0; attempt < STAGING_ATTEMPTS; attempt++) {
        char *path = path_join(folder->arena, folder->repository, STAGING_PREFIX "XXXXXX");
        if (!path)
            return no_memory();
        if (!mkdtemp(path))
            return errno_status("make a folder in", folder->repository);
        folder->staging_lock = lock_folder(path);
        bool taken = folder->staging_lock < 0 && (errno == EWOULDBLOCK || errno == ENOENT);
        if (taken)
            continue;
        folder->staging = path; /* also where the file system has no locks, and nobody removes dead ones */
        return status_ok();
    }
    return status_error(STATUS_INTERNAL, "cannot make a folder in %s: it is removed each time", folder->repository);
}

static struct status make_staging(struct model_folder *folder) {
    STATUS_TRY(file_make_directories(folder->repository));
    remove_dead_staging(folder);
    STATUS_TRY(make_locked_folder(folder));
    const char *path = folder->staging;
    if (chmod(path, 0755) != 0)
        return errno_status("make readable", path);
    folder->staged_version = path_join(folder->arena, path, folder->version);
    return folder->staged_version ? file_make_directories(folder->staged_version) : no_memory();
}

struct status model_folder_stage(struct model_folder *folder, struct slice config) {
    STATUS_TRY(check_config(folder, config));
    STATUS_TRY(make_staging(folder));
    const char *path = path_join(folder->arena, folder->staging, "config.pbtxt");
    return path ? file_write_atomic(path, config) : no_memory();
}

/* ---- into place ---- */

/* Moves `from` to `to`. When that exists and may be replaced, the old one lies at `from` afterwards; when it may not
 * (it was not there a moment ago), the rename fails, since the folder is not empty. */
static struct status swap_in(const char *from, const char *to, bool replace) {
    if (!replace || !file_exists(to))
        return rename(from, to) == 0 ? status_ok() : errno_status("make", to);
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        return status_ok();
    if (errno != EINVAL && errno != ENOSYS) /* what file systems without the exchange answer */
        return errno_status("replace", to);
    char aside[4096];
    int length = snprintf(aside, sizeof aside, "%s.replaced", from);
    if (length < 0 || (size_t)length >= sizeof aside)
        return status_error(STATUS_INVALID_ARGUMENT, "the path %.200s... is too long", from);
    if (rename(to, aside) != 0)
        return errno_status("move away", to);
    if (rename(from, to) != 0) {
        struct status status = errno_status("replace", to);
        return rename(aside, to) == 0 ? status : status_prefix(status, "the old version now lies at %s", aside);
    }
    return rename(aside, from) == 0 ? status_ok() : errno_status("remove", aside);
}

struct status model_folder_commit(struct model_folder *folder) {
    if (!file_exists(folder->model_path)) {
        if (rename(folder->staging, folder->model_path) != 0)
            return errno_status("make", folder->model_path);
        folder->staging = NULL;
        return status_ok();
    }
    const char *config = path_join(folder->arena, folder->staging, "config.pbtxt");
    if (!config)
        return no_memory();
    STATUS_TRY(swap_in(folder->staged_version, folder->version_path, folder->overwrite));
    return rename(config, folder->config_path) == 0 ? status_ok() : errno_status("write", folder->config_path);
}

/* ---- out of sight ---- */

/* Than the version and the configuration. */
static struct status holds_more(const struct model_folder *folder, bool *ret) {
    const char *const *names;
    size_t count;
    STATUS_TRY(file_list(folder->model_path, folder->arena, &names, &count));
    *ret = false;
    for (size_t i = 0; i < count; i++)
        *ret = *ret || (strcmp(names[i], folder->version) != 0 && strcmp(names[i], "config.pbtxt") != 0);
    return status_ok();
}

/* By one rename into the staging folder, which is removed at leisure. */
struct status model_folder_retire(struct model_folder *folder) {
    bool more;
    STATUS_TRY(holds_more(folder, &more));
    STATUS_TRY(make_staging(folder));
    const char *from = more ? folder->version_path : folder->model_path;
    const char *to = path_join(folder->arena, folder->staging, "retired");
    if (!to)
        return no_memory();
    return rename(from, to) == 0 ? status_ok() : errno_status("remove", from);
}

void model_folder_close(struct model_folder *folder) {
    if (folder->staging) {
        struct status removed = file_remove_tree(folder->staging);
        (void)removed; /* a hidden folder is left behind; there is nobody to tell who could do more */
        folder->staging = NULL;
    }
    if (folder->staging_lock >= 0)
        close(folder->staging_lock);
    folder->staging_lock = -1;
}
