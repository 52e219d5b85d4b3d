#include "base/cgroup.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

bool cgroup_read_line(const char *directory, const char *name, char *line, int size) {
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool good = fgets(line, size, file) != NULL;
    fclose(file);
    return good;
}

/* The least that is granted from a group up to the root of its hierarchy. */
static uint64_t walk_up(const char *mount, const char *group, cgroup_grant_f *granted, uint64_t limit) {
    char directory[PATH_BYTES];
    int length = snprintf(directory, sizeof directory, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof directory)
        return limit;
    for (;;) {
        uint64_t grant = granted(directory);
        if (grant > 0 && grant < limit)
            limit = grant;
        char *slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < strlen(mount))
            return limit;
        *slash = '\0';
    }
}

/* Whether a name is among those of "cpu,cpuacct". */
static bool is_listed(const char *names, const char *name) {
    size_t length = strlen(name);
    for (const char *at = names; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

uint64_t cgroup_least(struct cgroup_paths paths, const char *controller, cgroup_grant_f *v2, cgroup_grant_f *v1,
                      uint64_t limit) {
    FILE *file = fopen(paths.groups, "re");
    if (!file)
        return limit;
    char line[PATH_BYTES], mount[PATH_BYTES];
    snprintf(mount, sizeof mount, "%s/%s", paths.mount, controller);
    while (fgets(line, sizeof line, file)) { /* "0::/a/b" (version 2) or "4:cpu,cpuacct:/a/b" (version 1) */
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        group[strcspn(group, "\n")] = '\0';
        if (strcmp(group, "/") == 0)
            group[0] = '\0';
        if (controllers[0] == '\0')
            limit = walk_up(paths.mount, group, v2, limit);
        else if (is_listed(controllers, controller))
            limit = walk_up(mount, group, v1, limit);
    }
    fclose(file);
    return limit;
}
