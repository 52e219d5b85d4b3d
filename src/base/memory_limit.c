#include "base/memory_limit.h"

#include <stdlib.h>
#include <unistd.h>

static uint64_t read_bytes(const char *directory, const char *file) {
    char line[64];
    return cgroup_read_line(directory, file, line, sizeof line) ? strtoull(line, NULL, 10) : 0; /* "max": 0 */
}

static uint64_t cgroup2_bytes(const char *directory) {
    return read_bytes(directory, "memory.max");
}

static uint64_t cgroup1_bytes(const char *directory) {
    return read_bytes(directory, "memory.limit_in_bytes");
}

uint64_t memory_limit(struct cgroup_paths paths) {
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
    return cgroup_least(paths, "memory", cgroup2_bytes, cgroup1_bytes, machine);
}
