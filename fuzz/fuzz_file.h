/* fuzz_file.h: inputs for readers that want a path: files in memory, written anew for each input. */
#ifndef INFERD_FUZZ_FUZZ_FILE_H
#define INFERD_FUZZ_FUZZ_FILE_H

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

struct fuzz_file {
    int fd; /* of a memfd */
    char path[64];
};

static inline struct fuzz_file fuzz_file_create(void) {
    struct fuzz_file file = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};
    FUZZ_CHECK(file.fd >= 0);
    snprintf(file.path, sizeof file.path, "/proc/%d/fd/%d", (int)getpid(), file.fd);
    return file;
}

static inline void fuzz_file_fill(const struct fuzz_file *file, struct slice content) {
    FUZZ_CHECK(ftruncate(file->fd, 0) == 0);
    FUZZ_CHECK(pwrite(file->fd, content.data ? content.data : "", content.size, 0) == (ssize_t)content.size);
}

#endif
