#include "base/freed_memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

static size_t resident_bytes(void) {
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    bool read = fscanf(file, "%llu %llu", &total, &resident) == 2;
    fclose(file);
    return read ? (size_t)resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* What is in memory and was not given out by the allocator; less than none when what it gave out is not yet touched. */
static int64_t beyond_use(void) {
    struct mallinfo2 info = mallinfo2();
    return (int64_t)resident_bytes() - (int64_t)(info.uordblks + info.hblkhd);
}

bool freed_memory_return(struct freed_memory *freed, size_t worth_bytes) {
    int64_t beyond = beyond_use();
    bool worth = beyond - freed->rest_bytes > (int64_t)worth_bytes;
    if (worth)
        malloc_trim(0);
    if (worth || beyond < freed->rest_bytes)
        freed->rest_bytes = beyond_use();
    return worth;
}
