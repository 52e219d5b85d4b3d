/* shared_memory_priv.h: the table of regions (shared_memory.c) for the file that ties requests to it
 * (shared_memory_use.c). Private to core/. */
#ifndef INFERD_CORE_SHARED_MEMORY_PRIV_H
#define INFERD_CORE_SHARED_MEMORY_PRIV_H

#include <pthread.h>

#include "base/guarded_map.h"
#include "core/shared_memory.h"

struct shared_memory_region {
    struct shared_memory *memory;
    struct shared_memory_row row; /* of memory behind this struct */
    struct guarded_map *map;
    size_t uses;       /* parts of requests; under the lock */
    bool unregistered; /* goes with the last use; under the lock */
};

struct shared_memory {
    struct shared_memory_options options;
    pthread_mutex_t lock;
    struct shared_memory_region **regions; /* by name */
    size_t count, capacity;
    uint64_t mapped_bytes;
    uint64_t input_bytes; /* of all attached requests */
};

struct status shared_memory_check_allowed(const struct shared_memory *memory) STATUS_MUST_CHECK;
/* Both under the lock. The region of that name, or NULL. */
struct shared_memory_region *shared_memory_find(const struct shared_memory *memory, struct slice name);
/* The region, taken out of the table, for the caller to free; or NULL when it stays. */
struct shared_memory_region *shared_memory_drop_unused(struct shared_memory *memory,
                                                       struct shared_memory_region *region);
/* Unmaps it; without the lock. Accepts NULL. */
void shared_memory_free_region(struct shared_memory_region *region);

#endif
