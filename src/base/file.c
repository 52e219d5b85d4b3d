#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guarded_map.h"
#include "base/inflate.h"

enum { READ_STEP = 1 << 20, TREE_DEPTH_MAX = 64 };

static struct status errno_status(const char *doing, const char *path) {
    enum status_code code = errno == ENOENT    ? STATUS_NOT_FOUND
                            : errno == EEXIST  ? STATUS_ALREADY_EXISTS
                            : errno == EACCES  ? STATUS_PERMISSION_DENIED
                            : errno == ENOMEM  ? STATUS_RESOURCE_EXHAUSTED
                            : errno == ENOTDIR ? STATUS_INVALID_ARGUMENT
                                               : STATUS_INTERNAL;
    char text[128];
    return status_error(code, "cannot %s %s: %s", doing, path, strerror_r(errno, text, sizeof text));
}

/* Opens a regular file whose mode has none of the forbidden bits, and tells its size. */
static struct status open_regular(const char *path, mode_t forbidden, int *ret_fd, size_t *ret_size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* NONBLOCK: a FIFO must not hang us */
    if (fd < 0)
        return errno_status("open", path);
    struct stat info;
    if (fstat(fd, &info) != 0) {
        struct status status = errno_status("stat", path);
        close(fd);
        return status;
    }
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return status_error(STATUS_INVALID_ARGUMENT, "%s is not a regular file", path);
    }
    if (info.st_mode & forbidden) {
        close(fd);
        return status_error(STATUS_PERMISSION_DENIED,
                            "%s holds a secret, but its mode %04o lets everybody use it: expected 0640 or less", path,
                            (unsigned)info.st_mode & 07777);
    }
    *ret_fd = fd;
    *ret_size = (size_t)info.st_size;
    return status_ok();
}

struct status file_map_open(const char *path, struct file_map *ret) {
    int fd;
    size_t size;
    STATUS_TRY(open_regular(path, 0, &fd, &size));
    struct file_map map = {.bytes = {NULL, size}};
    struct status status = size > 0 ? guarded_map_open_read(fd, size, &map.guard) : status_ok();
    close(fd);
    if (!status_is_ok(&status))
        return status_prefix(status, "%s", path);
    if (map.guard)
        map.bytes.data = guarded_map_data(map.guard);
    *ret = map;
    return status_ok();
}

bool file_map_is_lost(const struct file_map *map) {
    return map->guard && guarded_map_is_lost(map->guard);
}

void file_unmap(struct file_map *map) {
    guarded_map_close(map->guard);
    *map = (struct file_map){0};
}

static struct status read_file(const char *path, mode_t forbidden, size_t max_bytes, struct buf *ret) {
    int fd;
    size_t size;
    buf_clear(ret);
    STATUS_TRY(open_regular(path, forbidden, &fd, &size));
    struct status status = status_ok();
    if (size > max_bytes)
        status = status_error(STATUS_TOO_LARGE, "%s has %zu bytes, more than the %zu allowed", path, size, max_bytes);
    while (status_is_ok(&status)) {
        size_t want = size > ret->size ? size - ret->size : 1; /* the 1 finds the end, or growth under our feet */
        char *to = buf_reserve(ret, want > READ_STEP ? READ_STEP : want);
        if (!to) {
            status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %s (%zu bytes)", path, size);
            break;
        }
        ssize_t got = read(fd, to, want > READ_STEP ? READ_STEP : want);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = errno_status("read", path);
        if (got <= 0)
            break;
        ret->size += (size_t)got;
        if (ret->size > max_bytes)
            status = status_error(STATUS_TOO_LARGE, "%s has more than the %zu bytes allowed", path, max_bytes);
    }
    close(fd);
    return status;
}

struct status file_read(const char *path, size_t max_bytes, struct buf *ret) {
    return read_file(path, 0, max_bytes, ret);
}

struct status file_read_secret(const char *path, size_t max_bytes, struct buf *ret) {
    return read_file(path, S_IRWXO, max_bytes, ret);
}

static struct status unpacked_status(const char *path, const struct inflate_outcome *outcome, size_t max_bytes) {
    const char *reason = outcome->reason;
    switch (outcome->end) {
    case INFLATE_WHOLE:
    case INFLATE_NO_ROOM: /* no gate was given */
        return status_ok();
    case INFLATE_TOO_LARGE:
        return status_error(STATUS_TOO_LARGE, "%s unpacks to more than the %zu bytes allowed", path, max_bytes);
    case INFLATE_NO_MEMORY:
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to unpack %s", path);
    case INFLATE_CUT_SHORT:
        reason = "it ends too early";
        break;
    case INFLATE_FOLLOWED:
        reason = "more follows its end";
        break;
    case INFLATE_BROKEN:
        break;
    }
    return status_error(STATUS_INVALID_ARGUMENT, "%s is not a whole gzip file (%s)", path, reason);
}

struct status file_read_maybe_gzip(const char *path, size_t max_bytes, struct buf *ret) {
    STATUS_TRY(file_read(path, max_bytes, ret));
    if (ret->size < 2 || memcmp(ret->data, "\x1f\x8b", 2) != 0)
        return status_ok();
    struct buf unpacked = BUF_EMPTY;
    struct inflate_outcome outcome =
        inflate_data(INFLATE_GZIP, buf_slice(ret), max_bytes, (struct inflate_gate){.take = NULL}, &unpacked);
    if (outcome.end != INFLATE_WHOLE)
        return unpacked_status(path, &outcome, max_bytes);
    buf_free(ret);
    *ret = unpacked;
    return status_ok();
}

static bool write_all(int fd, struct slice content) {
    size_t done = 0;
    while (done < content.size) {
        ssize_t wrote = write(fd, content.data + done, content.size - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        done += (size_t)wrote;
    }
    return true;
}

struct status file_write_atomic(const char *path, struct slice content) {
    char temporary[4096];
    struct stat info;
    if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* a rename would replace a link or a device itself */
        return status_error(STATUS_INVALID_ARGUMENT, "%s exists and is not a regular file", path);
    int length = snprintf(temporary, sizeof temporary, "%s.tmp.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return status_error(STATUS_INVALID_ARGUMENT, "the path %.200s... is too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return errno_status("create a file beside", path);
    bool good = write_all(fd, content) && fchmod(fd, 0644) == 0 && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    good = good && rename(temporary, path) == 0;
    if (good)
        return status_ok();
    struct status status = errno_status("write", path);
    unlink(temporary);
    return status;
}

/* ---- outputs that a user names ---- */

enum output_kind { OUTPUT_FILE, OUTPUT_STREAM, OUTPUT_STANDARD };

static struct status output_kind_of(const char *path, enum output_kind *ret) {
    struct stat info, standard;
    *ret = OUTPUT_FILE;
    if (lstat(path, &info) != 0 || S_ISREG(info.st_mode)) /* if it is no new name, creating it will tell */
        return status_ok();
    if (stat(path, &info) != 0)
        return errno_status("write", path);
    if (S_ISDIR(info.st_mode))
        return status_error(STATUS_INVALID_ARGUMENT, "cannot write %s: it is a folder", path);
    *ret = OUTPUT_STREAM;
    if (fstat(STDOUT_FILENO, &standard) == 0 && standard.st_dev == info.st_dev && standard.st_ino == info.st_ino)
        *ret = OUTPUT_STANDARD; /* perhaps a file, which opening would cut */
    else if (S_ISREG(info.st_mode))
        return status_error(STATUS_INVALID_ARGUMENT, "cannot write %s: it is a link to a file", path);
    return status_ok();
}

struct status file_write_output(const char *path, struct slice content) {
    enum output_kind kind;
    STATUS_TRY(output_kind_of(path, &kind));
    if (kind == OUTPUT_FILE)
        return file_write_atomic(path, content);
    if (kind == OUTPUT_STANDARD)
        return fflush(stdout) == 0 && write_all(STDOUT_FILENO, content) ? status_ok() : errno_status("write", path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno_status("open", path);
    bool good = write_all(fd, content);
    good = close(fd) == 0 && good;
    return good ? status_ok() : errno_status("write", path);
}

struct status file_check_output(const char *path) {
    char folder[4096];
    enum output_kind kind;
    STATUS_TRY(output_kind_of(path, &kind));
    if (kind != OUTPUT_FILE)
        return access(path, W_OK) == 0 ? status_ok() : errno_status("write", path);
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (size >= sizeof folder || path[0] == '\0' || (slash != NULL && slash[1] == '\0'))
        return status_error(STATUS_INVALID_ARGUMENT, "cannot write \"%.200s\": it is no name of a file", path);
    memcpy(folder, path, size);
    memcpy(folder + size, size == 0 ? "." : "", size == 0 ? 2 : 1);
    if (access(folder, F_OK) == 0 && !file_is_directory(folder))
        return status_error(STATUS_INVALID_ARGUMENT, "cannot write %s: %s is no folder", path, folder);
    return access(folder, W_OK | X_OK) == 0 ? status_ok() : errno_status("write", path);
}

struct status file_write_new(const char *path, struct slice content) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno_status("create", path);
    bool good = write_all(fd, content);
    good = close(fd) == 0 && good;
    if (good)
        return status_ok();
    struct status status = errno_status("write", path);
    unlink(path);
    return status;
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool file_is_directory(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool file_is_same(const char *path, const char *other) {
    struct stat one, two;
    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

struct status file_stamp(const char *path, enum file_time time, struct file_stamp *ret) {
    struct stat info;
    if (stat(path, &info) != 0)
        return errno_status("look at", path);
    const struct timespec *since = time == FILE_CHANGED ? &info.st_ctim : &info.st_mtim;
    *ret = (struct file_stamp){info.st_dev, info.st_ino, (uint64_t)info.st_size, since->tv_sec, since->tv_nsec};
    return status_ok();
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds;
}

struct status file_make_directories(const char *path) {
    char part[4096];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part)
        return status_error(STATUS_INVALID_ARGUMENT, "cannot make a folder of a name of %zu bytes", size);
    memcpy(part, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return errno_status("make the folder", part);
        part[i] = kept;
    }
    if (!file_is_directory(path))
        return status_error(STATUS_ALREADY_EXISTS, "%s exists and is not a folder", path);
    return status_ok();
}

struct status file_make_temporary_directory(const char *parent, const char *prefix, struct arena *arena,
                                            char **ret_path) {
    const char *name = arena_printf(arena, "%sXXXXXX", prefix);
    char *path = name ? path_join(arena, parent, name) : NULL;
    if (!path)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the name of a folder in %s", parent);
    if (!mkdtemp(path))
        return errno_status("make a folder in", parent);
    *ret_path = path;
    return status_ok();
}

static struct status remove_entry(int parent, const char *name, int depth, const char *shown);

static struct status remove_children(int folder, int depth, const char *shown) {
    if (depth > TREE_DEPTH_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%s is nested deeper than %d folders", shown, TREE_DEPTH_MAX);
    DIR *listing = fdopendir(folder);
    if (!listing) {
        struct status status = errno_status("list", shown);
        close(folder);
        return status;
    }
    struct status status = status_ok();
    struct dirent *entry;
    while (status_is_ok(&status) && (entry = readdir(listing)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = remove_entry(dirfd(listing), entry->d_name, depth + 1, shown);
    closedir(listing);
    return status;
}

static struct status remove_entry(int parent, const char *name, int depth, const char *shown) {
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0) {
        STATUS_TRY(remove_children(folder, depth, shown));
        return unlinkat(parent, name, AT_REMOVEDIR) == 0 ? status_ok() : errno_status("remove", shown);
    }
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return status_ok();
    return errno_status("remove", shown);
}

struct status file_remove_tree(const char *path) {
    return remove_entry(AT_FDCWD, path, 0, path);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct status file_list(const char *path, struct arena *arena, const char *const **ret_names, size_t *ret_count) {
    DIR *listing = opendir(path);
    if (!listing)
        return errno_status("list", path);
    struct buf names = BUF_EMPTY; /* an array of pointers into the arena */
    bool short_of_memory = false;
    struct dirent *entry;
    while (!short_of_memory && (entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *name = arena_strdup(arena, slice_of(entry->d_name));
        short_of_memory = !name;
        buf_append(&names, &name, sizeof name);
    }
    closedir(listing);
    size_t count = names.size / sizeof(char *);
    char **sorted = arena_alloc(arena, names.size);
    short_of_memory = short_of_memory || buf_failed(&names) || !sorted;
    if (!short_of_memory && count > 0) {
        memcpy(sorted, names.data, names.size);
        qsort(sorted, count, sizeof *sorted, compare_names);
    }
    buf_free(&names);
    if (short_of_memory)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to list %s", path);
    *ret_names = (const char *const *)sorted;
    *ret_count = count;
    return status_ok();
}

char *path_join(struct arena *arena, const char *directory, const char *name) {
    size_t length = strlen(directory);
    const char *separator = length > 0 && directory[length - 1] == '/' ? "" : "/";
    return arena_printf(arena, "%s%s%s", directory, separator, name);
}

bool path_is_plain_name(struct slice name) {
    if (name.size == 0 || name.size > FILE_NAME_BYTES_MAX || slice_equal_text(name, ".") ||
        slice_equal_text(name, ".."))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < 0x20 || c == 0x7f || c == '/')
            return false;
    }
    return true;
}
