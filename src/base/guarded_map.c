#include "base/guarded_map.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A row of the table. `version` is odd while `start` and `size` change, so that the handler, which may look at the row
 * of another map at any moment, never takes the start of one life with the size of the next. */
struct guarded_map {
    atomic_uint version;
    atomic_uintptr_t start; /* of the first page; 0: the row is free */
    atomic_size_t size;     /* whole pages */
    atomic_bool lost;
    char *data; /* what the caller asked for, inside the pages */
};

struct map_block {
    struct guarded_map maps[64];
    _Atomic(struct map_block *) next;
};

static struct {
    pthread_mutex_t lock; /* of opening and closing; not the handler's */
    struct map_block first;
    struct sigaction previous;
    bool installed;
    uintptr_t page;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the handler: only atomics and system calls ---- */

/* Where the pages of the map that holds `address` end; 0 when it is not this map's. */
static uintptr_t end_around(struct guarded_map *map, uintptr_t address) {
    unsigned version = atomic_load(&map->version);
    uintptr_t start = atomic_load(&map->start);
    size_t size = atomic_load(&map->size);
    if ((version & 1) || version != atomic_load(&map->version))
        return 0; /* being opened or closed: nobody touches it */
    return start && address >= start && address - start < size ? start + size : 0;
}

/* The bare system call: the library promises nothing for mmap in a handler. */
static bool put_zeros(uintptr_t page, uintptr_t end) {
    return syscall(SYS_mmap, page, end - page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != -1;
}

static bool replace_pages(uintptr_t address) {
    for (struct map_block *block = &table.first; block; block = atomic_load(&block->next)) {
        for (size_t i = 0; i < sizeof block->maps / sizeof block->maps[0]; i++) {
            uintptr_t end = end_around(&block->maps[i], address);
            if (!end)
                continue;
            uintptr_t page = address - address % table.page;
            atomic_store(&block->maps[i].lost, true);
            /* A system that promises no more memory than it has may have one page and not all. */
            return put_zeros(page, end) || put_zeros(page, page + table.page);
        }
    }
    return false;
}

static void pass_on(int number, siginfo_t *info, void *context) {
    if (table.previous.sa_flags & SA_SIGINFO) {
        table.previous.sa_sigaction(number, info, context);
    } else if (table.previous.sa_handler != SIG_DFL && table.previous.sa_handler != SIG_IGN) {
        table.previous.sa_handler(number);
    } else {
        /* The access is repeated on return, and ends the process this time. */
        sigaction(SIGBUS, &table.previous, NULL);
        if (info->si_code <= 0) /* sent by a process: there is no access */
            raise(SIGBUS);
    }
}

static void on_sigbus(int number, siginfo_t *info, void *context) {
    int saved = errno;
    if (info->si_code <= 0 || !replace_pages((uintptr_t)info->si_addr))
        pass_on(number, info, context);
    errno = saved;
}

/* ---- opening and closing, under the lock ---- */

static struct status install(void) {
    if (table.installed)
        return status_ok();
    long page = sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    /* Read before: a map of a plug-in's own may fault as soon as the handler is ours. */
    if (page <= 0 || sigaction(SIGBUS, NULL, &table.previous) != 0 || sigaction(SIGBUS, &action, NULL) != 0)
        return status_error(STATUS_INTERNAL, "cannot handle SIGBUS");
    table.page = (uintptr_t)page;
    table.installed = true;
    return status_ok();
}

static struct guarded_map *find_free(void) {
    for (struct map_block *block = &table.first;; block = atomic_load(&block->next)) {
        for (size_t i = 0; i < sizeof block->maps / sizeof block->maps[0]; i++)
            if (atomic_load(&block->maps[i].start) == 0)
                return &block->maps[i];
        if (!atomic_load(&block->next)) {
            struct map_block *more = calloc(1, sizeof *more);
            if (!more)
                return NULL;
            atomic_store(&block->next, more);
        }
    }
}

static void set_row(struct guarded_map *map, uintptr_t start, size_t size) {
    atomic_fetch_add(&map->version, 1);
    atomic_store(&map->start, start);
    atomic_store(&map->size, size);
    atomic_fetch_add(&map->version, 1);
}

static struct status open_row(int fd, uint64_t offset, size_t size, int access, struct guarded_map **ret) {
    STATUS_TRY(install());
    struct guarded_map *map = find_free();
    if (!map)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a map");
    size_t before = (size_t)(offset % table.page), whole;
    if (size == 0 || offset - before > INT64_MAX || __builtin_add_overflow(size, before, &whole) ||
        __builtin_add_overflow(whole, table.page - 1, &whole))
        return status_error(STATUS_INTERNAL, "a map of %zu bytes cannot be", size);
    whole -= whole % table.page;
    void *pages = mmap(NULL, whole, access, MAP_SHARED, fd, (off_t)(offset - before));
    if (pages == MAP_FAILED) {
        char text[128];
        return status_error(errno == ENOMEM ? STATUS_RESOURCE_EXHAUSTED : STATUS_INTERNAL, "cannot map %zu bytes: %s",
                            size, strerror_r(errno, text, sizeof text));
    }
    map->data = (char *)pages + before;
    atomic_store(&map->lost, false);
    set_row(map, (uintptr_t)pages, whole);
    *ret = map;
    return status_ok();
}

static struct status open_locked(int fd, uint64_t offset, size_t size, int access, struct guarded_map **ret) {
    pthread_mutex_lock(&table.lock);
    struct status status = open_row(fd, offset, size, access, ret);
    pthread_mutex_unlock(&table.lock);
    return status;
}

struct status guarded_map_open(int fd, uint64_t offset, size_t size, struct guarded_map **ret) {
    return open_locked(fd, offset, size, PROT_READ | PROT_WRITE, ret);
}

struct status guarded_map_open_read(int fd, size_t size, struct guarded_map **ret) {
    return open_locked(fd, 0, size, PROT_READ, ret);
}

void guarded_map_close(struct guarded_map *map) {
    if (!map)
        return;
    pthread_mutex_lock(&table.lock);
    void *pages = (void *)atomic_load(&map->start);
    size_t size = atomic_load(&map->size);
    set_row(map, 0, 0);
    pthread_mutex_unlock(&table.lock);
    munmap(pages, size);
}

char *guarded_map_data(const struct guarded_map *map) {
    return map->data;
}

bool guarded_map_is_lost(const struct guarded_map *map) {
    return atomic_load(&map->lost);
}
