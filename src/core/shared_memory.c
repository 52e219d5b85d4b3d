#include "core/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guarded_map.h"
#include "core/shared_memory_priv.h"

struct shared_memory *shared_memory_create(const struct shared_memory_options *options) {
    struct shared_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    memory->options = *options;
    const char *library = options->cuda_library ? options->cuda_library : CUDA_DRIVER_LIBRARY;
    struct status status = options->allowed ? gpu_memory_create(library, &memory->gpus) : status_ok();
    if (!status_is_ok(&status)) {
        free(memory);
        return NULL;
    }
    pthread_mutex_init(&memory->lock, NULL);
    return memory;
}

void shared_memory_free_region(struct shared_memory_region *region) {
    if (!region)
        return;
    guarded_map_close(region->map);
    gpu_memory_close(region->gpu);
    free(region);
}

void shared_memory_destroy(struct shared_memory *memory) {
    if (!memory)
        return;
    for (size_t i = 0; i < memory->count; i++)
        shared_memory_free_region(memory->regions[i]);
    gpu_memory_destroy(memory->gpus);
    free(memory->regions);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

bool shared_memory_is_allowed(const struct shared_memory *memory) {
    return memory->options.allowed;
}

bool shared_memory_has_gpus(const struct shared_memory *memory) {
    return memory->gpus && gpu_memory_devices(memory->gpus) > 0;
}

struct status shared_memory_check_allowed(const struct shared_memory *memory) {
    if (memory->options.allowed)
        return status_ok();
    return status_error(STATUS_UNSUPPORTED,
                        "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.");
}

/* ---- the table: sorted by name, under the lock ---- */

static int compare(struct slice a, struct slice b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Where the name is, or where it would go. */
static size_t place_of(const struct shared_memory *memory, struct slice name) {
    size_t low = 0, high = memory->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(memory->regions[middle]->row.name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct shared_memory_region *shared_memory_find(const struct shared_memory *memory, struct slice name) {
    size_t place = place_of(memory, name);
    bool found = place < memory->count && slice_equal(memory->regions[place]->row.name, name);
    return found ? memory->regions[place] : NULL;
}

static struct status insert(struct shared_memory *memory, struct shared_memory_region *region) {
    if (memory->count == memory->capacity) {
        size_t capacity = memory->capacity ? memory->capacity * 2 : 16;
        struct shared_memory_region **regions =
            realloc(memory->regions, capacity * sizeof(struct shared_memory_region *));
        if (!regions)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a shared memory region");
        memory->regions = regions;
        memory->capacity = capacity;
    }
    size_t place = place_of(memory, region->row.name);
    memmove(memory->regions + place + 1, memory->regions + place,
            (memory->count - place) * sizeof(struct shared_memory_region *));
    memory->regions[place] = region;
    memory->count++;
    memory->gpu_regions += region->gpu != NULL;
    memory->mapped_bytes += region->row.byte_size;
    return status_ok();
}

static void take_out(struct shared_memory *memory, const struct shared_memory_region *region) {
    size_t place = place_of(memory, region->row.name);
    memory->count--;
    memmove(memory->regions + place, memory->regions + place + 1,
            (memory->count - place) * sizeof(struct shared_memory_region *));
    memory->gpu_regions -= region->gpu != NULL;
    memory->mapped_bytes -= region->row.byte_size;
}

/* ---- register ---- */

static struct status check_text(const char *what, struct slice text, size_t max) {
    if (text.size == 0 || text.size > max)
        return status_error(STATUS_INVALID_ARGUMENT, "%s of a shared memory region: expected 1 to %zu bytes, got %zu",
                            what, max, text.size);
    if (memchr(text.data, '\0', text.size) || !slice_is_utf8(text))
        return status_error(STATUS_INVALID_ARGUMENT, "%s of a shared memory region: expected UTF-8 text without NUL",
                            what);
    return status_ok();
}

/* The object's name as shm_open(3) wants it, with one slash in front. */
static struct status object_name(struct slice name, struct slice key, char ret[static SHARED_MEMORY_KEY_MAX + 2]) {
    static const struct slice reserved = {"triton_python_backend_shm_region_", 33};
    struct slice bare = key;
    while (bare.size > 0 && bare.data[0] == '/')
        bare = (struct slice){bare.data + 1, bare.size - 1};
    STATUS_TRY(check_text("the key", bare, SHARED_MEMORY_KEY_MAX));
    if (slice_starts_with(bare, reserved))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "cannot register shared memory region '%.*s' with key '%.*s' as the key contains the "
                            "reserved prefix '%.*s'",
                            SLICE_ARGS(name), SLICE_ARGS(key), SLICE_ARGS(reserved));
    ret[0] = '/';
    memcpy(ret + 1, bare.data, bare.size);
    ret[1 + bare.size] = '\0';
    return status_ok();
}

/* The object must be plain memory that holds the region as of now. Notes which one it is. */
static struct status take_object(int fd, struct shared_memory_region *region) {
    const struct shared_memory_row *row = &region->row;
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return status_error(STATUS_INVALID_ARGUMENT, "Invalid shared memory region: '%.*s' is no memory object",
                            SLICE_ARGS(row->key));
    uint64_t end;
    if (row->byte_size == 0 || __builtin_add_overflow(row->offset, row->byte_size, &end) ||
        end > (uint64_t)info.st_size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "failed to register shared memory region '%.*s': invalid args: expected offset + byte_size "
                            "within the %" PRId64 " bytes of '%.*s', got %" PRIu64 " + %" PRIu64,
                            SLICE_ARGS(row->name), (int64_t)info.st_size, SLICE_ARGS(row->key), row->offset,
                            row->byte_size);
    region->device = info.st_dev;
    region->inode = info.st_ino;
    return status_ok();
}

/* The object's size bounds what is asked for, so that an impossible size is told as such. */
static struct status check_bytes(const struct shared_memory *memory, const struct shared_memory_row *row) {
    if (row->byte_size > memory->options.max_mapped_bytes - memory->mapped_bytes)
        return status_error(STATUS_RESOURCE_EXHAUSTED,
                            "failed to register shared memory region '%.*s': all regions together may have %" PRIu64
                            " bytes, there are %" PRIu64 ", and this one has %" PRIu64,
                            SLICE_ARGS(row->name), memory->options.max_mapped_bytes, memory->mapped_bytes,
                            row->byte_size);
    return status_ok();
}

static struct status map_object(const char *object, struct shared_memory_region *region) {
    const struct shared_memory_row *row = &region->row;
    int fd = shm_open(object, O_RDWR, 0);
    if (fd < 0) {
        char text[128];
        return status_error(STATUS_INTERNAL, "Unable to open shared memory region: '%.*s': %s", SLICE_ARGS(row->key),
                            strerror_r(errno, text, sizeof text));
    }
    struct status status = take_object(fd, region);
    if (status_is_ok(&status))
        status = check_bytes(region->memory, row);
    if (status_is_ok(&status)) {
        status = guarded_map_open(fd, row->offset, (size_t)row->byte_size, &region->map);
        if (!status_is_ok(&status))
            status = status_prefix(status, "failed to register shared memory region '%.*s'", SLICE_ARGS(row->name));
    }
    close(fd);
    return status;
}

/* With room for copies of both texts behind it. */
static struct shared_memory_region *create_region(struct shared_memory *memory, const struct shared_memory_row *row) {
    struct shared_memory_region *region = calloc(1, sizeof *region + row->name.size + row->key.size);
    if (!region)
        return NULL;
    char *name = (char *)(region + 1), *key = name + row->name.size;
    memcpy(name, row->name.data, row->name.size);
    if (row->key.size > 0)
        memcpy(key, row->key.data, row->key.size);
    region->memory = memory;
    region->row = *row;
    region->row.name.data = name;
    region->row.key.data = key;
    return region;
}

static struct status check_room(const struct shared_memory *memory, const struct shared_memory_row *row) {
    const struct shared_memory_region *other = shared_memory_find(memory, row->name);
    if (other)
        return status_error(STATUS_ALREADY_EXISTS, "shared memory region '%.*s' already in manager%s",
                            SLICE_ARGS(row->name),
                            other->unregistered ? ": it was unregistered, but requests still use it" : "");
    if (memory->count >= memory->options.max_regions)
        return status_error(STATUS_RESOURCE_EXHAUSTED,
                            "failed to register shared memory region '%.*s': there are %zu regions, the most that may "
                            "be",
                            SLICE_ARGS(row->name), memory->count);
    return status_ok();
}

/* Opening an object in memory takes no time that would count under the lock. */
static struct status add_region(struct shared_memory *memory, struct shared_memory_region *region, const char *object) {
    STATUS_TRY(check_room(memory, &region->row));
    STATUS_TRY(map_object(object, region));
    return insert(memory, region);
}

struct status shared_memory_register(struct shared_memory *memory, struct slice name, struct slice key, uint64_t offset,
                                     uint64_t byte_size) {
    const struct shared_memory_row row = {
        .kind = SHARED_MEMORY_SYSTEM, .name = name, .key = key, .offset = offset, .byte_size = byte_size};
    char object[SHARED_MEMORY_KEY_MAX + 2];
    STATUS_TRY(shared_memory_check_allowed(memory));
    STATUS_TRY(check_text("the name", name, SHARED_MEMORY_NAME_MAX));
    STATUS_TRY(object_name(name, key, object));
    struct shared_memory_region *region = create_region(memory, &row);
    if (!region)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a shared memory region");
    pthread_mutex_lock(&memory->lock);
    struct status status = add_region(memory, region, object);
    pthread_mutex_unlock(&memory->lock);
    if (!status_is_ok(&status))
        shared_memory_free_region(region);
    return status;
}

/* ---- register memory of a GPU ---- */

static struct status check_gpu_room(struct shared_memory *memory, const struct shared_memory_row *row) {
    STATUS_TRY(check_room(memory, row));
    return check_bytes(memory, row);
}

/* The driver may take its time, so it is asked without the lock; what was free before may be taken after it. */
static struct status add_gpu_region(struct shared_memory *memory, struct shared_memory_region *region,
                                    struct slice handle) {
    const struct shared_memory_row *row = &region->row;
    pthread_mutex_lock(&memory->lock);
    struct status status = check_room(memory, row);
    pthread_mutex_unlock(&memory->lock);
    STATUS_TRY(status);
    status = gpu_memory_open(memory->gpus, handle, row->device, row->byte_size, &region->gpu);
    if (!status_is_ok(&status))
        return status_prefix(status, "failed to register CUDA shared memory region '%.*s'", SLICE_ARGS(row->name));
    pthread_mutex_lock(&memory->lock);
    status = check_gpu_room(memory, row);
    if (status_is_ok(&status))
        status = insert(memory, region);
    pthread_mutex_unlock(&memory->lock);
    return status;
}

struct status shared_memory_register_cuda(struct shared_memory *memory, struct slice name, struct slice handle,
                                          int64_t device, uint64_t byte_size) {
    const struct shared_memory_row row = {
        .kind = SHARED_MEMORY_CUDA, .name = name, .byte_size = byte_size, .device = device};
    STATUS_TRY(shared_memory_check_allowed(memory));
    STATUS_TRY(check_text("the name", name, SHARED_MEMORY_NAME_MAX));
    struct shared_memory_region *region = create_region(memory, &row);
    if (!region)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a shared memory region");
    struct status status = add_gpu_region(memory, region, handle);
    if (!status_is_ok(&status))
        shared_memory_free_region(region);
    return status;
}

/* ---- unregister and list ---- */

static bool is_kind(const struct shared_memory_region *region, enum shared_memory_kind kind) {
    return kind == SHARED_MEMORY_ANY || region->row.kind == kind;
}

struct shared_memory_region *shared_memory_drop_unused(struct shared_memory *memory,
                                                       struct shared_memory_region *region) {
    if (region->uses > 0 || !region->unregistered)
        return NULL;
    take_out(memory, region);
    return region;
}

void shared_memory_unregister(struct shared_memory *memory, enum shared_memory_kind kind, struct slice name) {
    pthread_mutex_lock(&memory->lock);
    struct shared_memory_region *region = shared_memory_find(memory, name), *unused = NULL;
    if (region && is_kind(region, kind)) {
        region->unregistered = true;
        unused = shared_memory_drop_unused(memory, region);
    }
    pthread_mutex_unlock(&memory->lock);
    shared_memory_free_region(unused);
}

void shared_memory_unregister_all(struct shared_memory *memory, enum shared_memory_kind kind) {
    struct shared_memory_region *unused = NULL;
    pthread_mutex_lock(&memory->lock);
    for (size_t i = memory->count; i-- > 0;) {
        struct shared_memory_region *region = memory->regions[i];
        if (!is_kind(region, kind))
            continue;
        region->unregistered = true;
        if (!shared_memory_drop_unused(memory, region))
            continue;
        region->next = unused;
        unused = region;
    }
    pthread_mutex_unlock(&memory->lock);
    for (struct shared_memory_region *next; unused; unused = next) {
        next = unused->next;
        shared_memory_free_region(unused);
    }
}

void shared_memory_flush(struct shared_memory *memory) {
    if (memory->gpus)
        gpu_memory_flush(memory->gpus);
}

static struct status copy_row(const struct shared_memory_region *region, struct arena *arena,
                              struct shared_memory_row *ret) {
    *ret = region->row;
    ret->name = arena_copy(arena, region->row.name);
    ret->key = arena_copy(arena, region->row.key);
    if (!ret->name.data || (!ret->key.data && region->row.key.size > 0))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the list of shared memory regions");
    return status_ok();
}

static const char *kind_name(enum shared_memory_kind kind) {
    return kind == SHARED_MEMORY_CUDA ? "CUDA" : "system";
}

static struct status list_one(struct shared_memory *memory, enum shared_memory_kind kind, struct slice name,
                              struct arena *arena, struct shared_memory_row *ret) {
    const struct shared_memory_region *region = shared_memory_find(memory, name);
    if (!region)
        return status_error(STATUS_NOT_FOUND, "Unable to find %s shared memory region: '%.*s'",
                            kind == SHARED_MEMORY_CUDA ? "cuda" : "system", SLICE_ARGS(name));
    if (!is_kind(region, kind))
        return status_error(STATUS_NOT_FOUND,
                            "The region named '%.*s' is registered as %s shared memory, not %s shared memory",
                            SLICE_ARGS(name), kind_name(region->row.kind), kind_name(kind));
    return copy_row(region, arena, ret);
}

static struct status list(struct shared_memory *memory, enum shared_memory_kind kind, struct slice name,
                          struct arena *arena, struct shared_memory_row **ret_rows, size_t *ret_count) {
    *ret_count = 0;
    *ret_rows = arena_calloc(arena, name.size ? 1 : memory->count, sizeof **ret_rows);
    if (!*ret_rows)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the list of shared memory regions");
    if (name.size) {
        *ret_count = 1;
        return list_one(memory, kind, name, arena, *ret_rows);
    }
    for (size_t i = 0; i < memory->count; i++)
        if (is_kind(memory->regions[i], kind))
            STATUS_TRY(copy_row(memory->regions[i], arena, &(*ret_rows)[(*ret_count)++]));
    return status_ok();
}

struct status shared_memory_list(struct shared_memory *memory, enum shared_memory_kind kind, struct slice name,
                                 struct arena *arena, struct shared_memory_row **ret_rows, size_t *ret_count) {
    pthread_mutex_lock(&memory->lock);
    struct status status = list(memory, kind, name, arena, ret_rows, ret_count);
    pthread_mutex_unlock(&memory->lock);
    return status;
}
