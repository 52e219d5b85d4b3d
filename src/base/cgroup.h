/* cgroup.h: what the control groups of this process grant it, in either version of Linux's (cgroups(7)). */
#ifndef INFERD_BASE_CGROUP_H
#define INFERD_BASE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* What the group of a folder grants of something; 0: all there is. */
typedef uint64_t cgroup_grant_f(const char *directory);

/* Where this process's groups are told ("/proc/self/cgroup"), and where their folders are ("/sys/fs/cgroup"). */
struct cgroup_paths {
    const char *groups, *mount;
};
#define CGROUP_PATHS_DEFAULT ((struct cgroup_paths){"/proc/self/cgroup", "/sys/fs/cgroup"})

/* The least of `limit` and what the process's group and those above it grant, by `v2` or, for the controller of that
 * name, by `v1`. In a container whose own group is mounted without those above it, that one is looked at. */
uint64_t cgroup_least(struct cgroup_paths paths, const char *controller, cgroup_grant_f *v2, cgroup_grant_f *v1,
                      uint64_t limit);
/* The first line of a group's file; false when there is none. For a cgroup_grant_f. */
bool cgroup_read_line(const char *directory, const char *file, char *line, int size);

#endif
