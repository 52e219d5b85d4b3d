#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4096 };

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

/* CPUs that quota/period grant, rounded up; 0 when there is no quota. */
static uint64_t quota_count(long long quota, long long period) {
    if (quota <= 0 || period <= 0)
        return 0;
    return ((uint64_t)quota + (uint64_t)period - 1) / (uint64_t)period;
}

static uint64_t cgroup2_quota(const char *directory) {
    char line[128];
    long long quota, period;
    if (!cgroup_read_line(directory, "cpu.max", line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2)
        return 0; /* "max 100000": no quota */
    return quota_count(quota, period);
}

static uint64_t cgroup1_quota(const char *directory) {
    char quota[64], period[64];
    if (!cgroup_read_line(directory, "cpu.cfs_quota_us", quota, sizeof quota) ||
        !cgroup_read_line(directory, "cpu.cfs_period_us", period, sizeof period))
        return 0;
    return quota_count(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

int cpu_available_count_of(struct cgroup_paths paths) {
    return (int)cgroup_least(paths, "cpu", cgroup2_quota, cgroup1_quota, (uint64_t)affinity_count());
}

int cpu_available_count(void) {
    return cpu_available_count_of(CGROUP_PATHS_DEFAULT);
}

void cpu_feature_text(char *text, size_t size) {
    static const char *const wanted[] = {"avx2",        "fma",         "f16c",     "avx512f",  "avx512bw",
                                         "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"};
    char line[LINE_BYTES];
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
