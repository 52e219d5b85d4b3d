#include "engine/model/block_memory.h"

#include <sys/mman.h>

enum { LINE = 64 };

void *block_alloc(size_t size) {
    void *block = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    (void)madvise(block, size, MADV_HUGEPAGE); /* where it is refused, small pages do */
    return block;
}

void block_free(void *block, size_t size) {
    if (block)
        munmap(block, size ? size : 1);
}

size_t block_stride(size_t size) {
    size_t lines = (size + LINE - 1) / LINE;
    return (lines | 1) * LINE;
}
