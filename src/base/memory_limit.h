/* memory_limit.h: how much memory this process may have. */
#ifndef INFERD_BASE_MEMORY_LIMIT_H
#define INFERD_BASE_MEMORY_LIMIT_H

#include <stdint.h>

#include "base/cgroup.h"

/* Bytes: the smaller of the machine's memory and what its control groups grant, at every level (v1 and v2), beyond
 * which the kernel ends the process. UINT64_MAX where neither is told. `paths`: CGROUP_PATHS_DEFAULT. */
uint64_t memory_limit(struct cgroup_paths paths);

#endif
