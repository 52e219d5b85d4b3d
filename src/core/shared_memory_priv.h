/* shared_memory_priv.h: the table of regions (shared_memory.c) for the files that tie requests to it
 * (shared_memory_use.c), also where it is memory of GPUs (shared_memory_gpu.c). Private to core/. */
#ifndef INFERD_CORE_SHARED_MEMORY_PRIV_H
#define INFERD_CORE_SHARED_MEMORY_PRIV_H

#include <pthread.h>
#include <sys/types.h>

#include "base/guarded_map.h"
#include "core/gpu_memory.h"
#include "core/shared_memory.h"

struct shared_memory_region {
    struct shared_memory *memory;
    struct shared_memory_row row; /* of memory behind this struct */
    struct guarded_map *map;      /* of system memory, else NULL */
    dev_t device;                 /* with the inode the object of a map: regions may share it */
    ino_t inode;
    struct gpu_mapping *gpu;           /* of CUDA's, else NULL */
    size_t uses;                       /* parts of requests; under the lock */
    bool unregistered;                 /* goes with the last use; under the lock */
    struct shared_memory_region *next; /* of those that shared_memory_unregister_all is to free */
};

struct shared_memory {
    struct shared_memory_options options;
    pthread_mutex_t lock;
    struct shared_memory_region **regions; /* by name */
    size_t count, capacity;
    struct gpu_memory *gpus; /* NULL: clients may not register memory */
    size_t gpu_regions;
    uint64_t mapped_bytes;
    uint64_t input_bytes; /* of all attached requests */
};

/* What an attached request holds; in its arena. */
struct shared_memory_uses {
    struct shared_memory *memory;
    struct shared_memory_region **regions; /* one a part, so some may be there several times */
    size_t count;
    uint64_t input_bytes;
    char *copies; /* of inputs, one behind the other; owned */

    /* Of results that go to a GPU. */
    bool has_gpu_outputs;
    struct infer_request *request;
    struct gpu_task task;
    shared_memory_copied_f *copied;
    struct infer_response *first, **last; /* responses that wait for the copy; under the lock */
    bool posted;                          /* the task has been; under the lock */
};

/* Inputs and outputs that name a region. */
size_t shared_memory_count_parts(const struct infer_request *request);
struct status shared_memory_check_allowed(const struct shared_memory *memory) STATUS_MUST_CHECK;
/* Both under the lock. The region of that name, or NULL. */
struct shared_memory_region *shared_memory_find(const struct shared_memory *memory, struct slice name);
/* The region, taken out of the table, for the caller to free; or NULL when it stays. */
struct shared_memory_region *shared_memory_drop_unused(struct shared_memory *memory,
                                                       struct shared_memory_region *region);
/* shared_memory_attach, also for parts on a GPU, whose inputs have no data then. */
struct status shared_memory_attach_all(struct shared_memory *memory, struct infer_request *request) STATUS_MUST_CHECK;
/* Unmaps it, or has it closed; without the lock. Accepts NULL. */
void shared_memory_free_region(struct shared_memory_region *region);

#endif
