#include "tools/serve/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static bool watch_folder_of(int fd, const char *file) {
    char folder[PATH_MAX];
    const char *slash = strrchr(file, '/');
    int length = slash ? (int)(slash - file) : 0;
    int size = snprintf(folder, sizeof folder, "%.*s", length, file);
    if (size < 0 || (size_t)size >= sizeof folder)
        return false;
    const char *path = !slash ? "." : length == 0 ? "/" : folder;
    return inotify_add_watch(fd, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB) >= 0;
}

struct status file_watch_open(const char *const *files, size_t count, int *ret_fd) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    bool good = fd >= 0;
    for (size_t i = 0; good && i < count; i++) {
        char *target = realpath(files[i], NULL);
        good = watch_folder_of(fd, files[i]) && (!target || watch_folder_of(fd, target));
        free(target);
    }
    if (good) {
        *ret_fd = fd;
        return status_ok();
    }
    struct status status = status_error(STATUS_UNAVAILABLE, "cannot watch files for changes: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

void file_watch_drain(int fd) {
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (read(fd, events, sizeof events) > 0)
        continue;
}
