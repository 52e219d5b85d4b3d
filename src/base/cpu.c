#include "base/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

static int affinity_count(void) {
    /* Sized for more CPUs than cpu_set_t holds, so that big machines are not cut at 1024. */
    enum { MAX_CPUS = 8192 };
    cpu_set_t *set = CPU_ALLOC(MAX_CPUS);
    if (!set)
        return 1;
    int count = 1;
    if (sched_getaffinity(0, CPU_ALLOC_SIZE(MAX_CPUS), set) == 0)
        count = CPU_COUNT_S(CPU_ALLOC_SIZE(MAX_CPUS), set);
    CPU_FREE(set);
    return count > 0 ? count : 1;
}

static bool read_line(const char *path, char *line, int size) {
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool good = fgets(line, size, file) != NULL;
    fclose(file);
    return good;
}

/* CPUs that quota/period grant, rounded up; 0 when there is no quota. */
static int quota_count(long long quota, long long period) {
    if (quota <= 0 || period <= 0)
        return 0;
    long long count = (quota + period - 1) / period;
    return count > 100000 ? 0 : (int)count;
}

static int cgroup2_quota(const char *directory) {
    char path[PATH_BYTES + 32], line[128];
    snprintf(path, sizeof path, "%s/cpu.max", directory);
    long long quota, period;
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2)
        return 0; /* "max 100000": no quota */
    return quota_count(quota, period);
}

static int cgroup1_quota(const char *directory) {
    char path[PATH_BYTES + 32], line[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", directory);
    if (!read_line(path, line, sizeof line))
        return 0;
    long long quota = strtoll(line, NULL, 10);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", directory);
    if (!read_line(path, line, sizeof line))
        return 0;
    return quota_count(quota, strtoll(line, NULL, 10));
}

/* The smallest quota from a group up to the root of its hierarchy; `limit` when none is smaller. */
static int walk_up(const char *mount, const char *group, int (*quota_of)(const char *), int limit) {
    char directory[PATH_BYTES];
    int length = snprintf(directory, sizeof directory, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof directory)
        return limit;
    for (;;) {
        int count = quota_of(directory);
        if (count > 0 && count < limit)
            limit = count;
        char *slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < strlen(mount))
            return limit;
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: "0::/a/b" (version 2) or "4:cpu,cpuacct:/a/b" (version 1). */
static int apply_cgroup_line(char *line, int limit) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return limit;
    *group++ = '\0';
    controllers++;
    group[strcspn(group, "\n")] = '\0';
    if (strcmp(group, "/") == 0)
        group[0] = '\0';
    if (controllers[0] == '\0')
        return walk_up("/sys/fs/cgroup", group, cgroup2_quota, limit);
    if (strcmp(controllers, "cpu") == 0 || strncmp(controllers, "cpu,", 4) == 0 || strstr(controllers, ",cpu,") ||
        strcmp(controllers, "cpuacct,cpu") == 0)
        return walk_up("/sys/fs/cgroup/cpu", group, cgroup1_quota, limit);
    return limit;
}

int cpu_available_count(void) {
    int count = affinity_count();
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return count;
    char line[PATH_BYTES];
    while (fgets(line, sizeof line, file))
        count = apply_cgroup_line(line, count);
    fclose(file);
    return count > 0 ? count : 1;
}

void cpu_feature_text(char *text, size_t size) {
    static const char *const wanted[] = {"avx2",        "fma",         "f16c",     "avx512f",  "avx512bw",
                                         "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"};
    char line[PATH_BYTES];
    size_t used = 0;
    text[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file)
        return;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "flags", 5) == 0)
            break;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    for (char *save = NULL, *word = strtok_r(line, " \t:", &save); word; word = strtok_r(NULL, " \t:", &save))
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (strcmp(word, wanted[i]) == 0 && used + strlen(word) + 2 < size)
                used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", word);
}
