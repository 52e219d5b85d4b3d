/* cpu.h: what this process may use of the machine. */
#ifndef INFERD_BASE_CPU_H
#define INFERD_BASE_CPU_H

#include <stddef.h>

#include "base/cgroup.h"

/* CPUs that this process may use: the smaller of its affinity mask and its cgroup's CPU quota (v1 and v2, every level,
 * rounded up), at least 1. */
int cpu_available_count(void);
/* The same by other control groups than the process's own: for tests. */
int cpu_available_count_of(struct cgroup_paths paths);
/* Space-separated names of the vector features that engines here care about ("avx2 fma avx512f ..."), into text. */
void cpu_feature_text(char *text, size_t size);

#endif
