/* block_memory.h: large, aligned, zeroed blocks, on huge pages where the system has them to spare. */
#ifndef INFERD_ENGINE_MODEL_BLOCK_MEMORY_H
#define INFERD_ENGINE_MODEL_BLOCK_MEMORY_H

#include <stddef.h>

/* NULL when memory is short. Freed by block_free, which accepts NULL. */
void *block_alloc(size_t size);
void block_free(void *block, size_t size);
/* Bytes from row to row of `size` bytes: whole cache lines, an odd number of them, so that the same column of many rows
 * does not fall into one set of the cache. */
size_t block_stride(size_t size);

#endif
