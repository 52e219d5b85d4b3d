/* freed_memory.h: memory that the program has freed and its allocator still keeps, and giving it back to the system. */
#ifndef INFERD_BASE_FREED_MEMORY_H
#define INFERD_BASE_FREED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a process has in memory beyond what its allocator has given out, when memory was last looked at. */
struct freed_memory {
    int64_t rest_bytes; /* program text, stacks, what engines have mapped: no trim makes it less */
};

/* Gives freed memory back to the system when there are over `worth_bytes` of it; true when it did. The allocator stands
 * still for some milliseconds meanwhile. Memory that is mapped elsewhere between two calls looks like freed memory: it
 * costs one needless trim. Not for two threads at once. */
bool freed_memory_return(struct freed_memory *freed, size_t worth_bytes);

#endif
