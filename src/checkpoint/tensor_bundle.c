#include "checkpoint/tensor_bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "checkpoint/bundle_entry.h"
#include "checkpoint/crc32c.h"
#include "checkpoint/sstable.h"

enum {
    INDEX_FILE_MAX = 1 << 26,
    INDEX_MEMORY_MAX = 1 << 27, /* names and tables made of it; BERT-large with optimizer slots takes under 1 MB */
    SHARDS_MAX = 1024
};

/* What struct weight has no room for. */
struct tensor_check {
    uint32_t masked_crc32c;
    bool sliced;
};

struct tensor_bundle {
    struct arena *arena; /* all below */
    const char *prefix;
    struct crc32c crc32c;
    struct buf index;
    struct file_map *shards;
    size_t shard_count;
    struct weight *tensors;
    struct tensor_check *checks; /* beside tensors */
    size_t count;
};

static struct status no_memory(const struct tensor_bundle *bundle) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read the checkpoint %s", bundle->prefix);
}

static struct status open_shards(struct tensor_bundle *bundle, size_t count) {
    bundle->shards = arena_calloc(bundle->arena, count, sizeof *bundle->shards);
    if (!bundle->shards)
        return no_memory(bundle);
    for (size_t i = 0; i < count; i++) {
        const char *path = arena_printf(bundle->arena, "%s.data-%05zu-of-%05zu", bundle->prefix, i, count);
        if (!path)
            return no_memory(bundle);
        STATUS_TRY(file_map_open(path, &bundle->shards[i]));
        bundle->shard_count++;
    }
    return status_ok();
}

static struct status read_header(struct tensor_bundle *bundle, const struct sstable *table) {
    struct bundle_header header;
    if (table->count == 0 || table->entries[0].key.size != 0 || !bundle_header_decode(table->entries[0].value, &header))
        return status_error(STATUS_INVALID_ARGUMENT, "%s.index holds no checkpoint header", bundle->prefix);
    if (header.big_endian)
        return status_error(STATUS_UNSUPPORTED, "%s was written on a big endian machine", bundle->prefix);
    if (header.shard_count < 1 || header.shard_count > SHARDS_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%s.index: expected 1 to %d data files, got %lld", bundle->prefix,
                            SHARDS_MAX, (long long)header.shard_count);
    return open_shards(bundle, (size_t)header.shard_count);
}

static struct status bad_tensor(const struct tensor_bundle *bundle, struct slice name, const char *problem) {
    return status_error(STATUS_INVALID_ARGUMENT, "%s.index: tensor \"%.*s\": %s", bundle->prefix, SLICE_ARGS(name),
                        problem);
}

/* Finds the bytes of a tensor that is kept in one piece. */
static struct status place_tensor(const struct tensor_bundle *bundle, const struct bundle_entry *entry,
                                  struct weight *tensor) {
    size_t element_size;
    int64_t elements, bytes;
    tensor->type_name = bundle_type_name(entry->type, &tensor->type, &element_size);
    if (entry->type <= 0)
        return bad_tensor(bundle, tensor->name, "it has no type");
    if (entry->rank_too_high || !weight_element_count(entry->dims, entry->rank, &elements))
        return bad_tensor(bundle, tensor->name,
                          "its shape has a negative dimension, more than 8, or too many elements");
    tensor->rank = entry->rank;
    memcpy(tensor->dims, entry->dims, sizeof tensor->dims);
    if (entry->shard < 0 || (uint64_t)entry->shard >= bundle->shard_count)
        return bad_tensor(bundle, tensor->name, "it lies in a data file that does not exist");
    if (element_size > 0 && (__builtin_mul_overflow(elements, (int64_t)element_size, &bytes) || bytes != entry->size))
        return bad_tensor(bundle, tensor->name, "its size does not fit its type and shape");
    struct slice shard = bundle->shards[entry->shard].bytes;
    if (entry->offset < 0 || entry->size < 0 || (uint64_t)entry->offset > shard.size ||
        (uint64_t)entry->size > shard.size - (uint64_t)entry->offset)
        return status_error(STATUS_DATA_LOSS,
                            "%s: tensor \"%.*s\" (%lld bytes at byte %lld) does not lie within data file %lld of %zu "
                            "bytes; the file is cut off or damaged",
                            bundle->prefix, SLICE_ARGS(tensor->name), (long long)entry->size, (long long)entry->offset,
                            (long long)entry->shard, shard.size);
    tensor->bytes = (struct slice){shard.data ? shard.data + entry->offset : NULL, (size_t)entry->size};
    return status_ok();
}

/* The entries behind the header; they are in the order of a weight_set already. */
static struct status read_tensors(struct tensor_bundle *bundle, const struct sstable *table) {
    size_t count = table->count - 1;
    bundle->tensors = arena_calloc(bundle->arena, count, sizeof *bundle->tensors);
    bundle->checks = arena_calloc(bundle->arena, count, sizeof *bundle->checks);
    if (!bundle->tensors || !bundle->checks)
        return no_memory(bundle);
    for (size_t i = 0; i < count; i++) {
        const struct sstable_entry *row = &table->entries[i + 1];
        struct weight *tensor = &bundle->tensors[i];
        struct bundle_entry entry;
        *tensor = (struct weight){.name = row->key};
        if (!bundle_entry_decode(row->value, &entry))
            return bad_tensor(bundle, row->key, "its entry is malformed");
        bundle->checks[i] = (struct tensor_check){entry.masked_crc32c, entry.sliced};
        if (entry.sliced)
            tensor->type_name = bundle_type_name(entry.type, &tensor->type, &(size_t){0});
        else
            STATUS_TRY(place_tensor(bundle, &entry, tensor));
        bundle->count++;
    }
    return status_ok();
}

static struct status read_bundle(struct tensor_bundle *bundle) {
    const char *path = arena_printf(bundle->arena, "%s.index", bundle->prefix);
    if (!path)
        return no_memory(bundle);
    struct sstable table;
    STATUS_TRY(file_read(path, INDEX_FILE_MAX, &bundle->index));
    STATUS_TRY(sstable_read(buf_slice(&bundle->index), path, &bundle->crc32c, bundle->arena, &table));
    STATUS_TRY(read_header(bundle, &table));
    return read_tensors(bundle, &table);
}

struct status tensor_bundle_open(const char *prefix, struct tensor_bundle **ret) {
    struct tensor_bundle *bundle = calloc(1, sizeof *bundle);
    struct arena *arena = arena_create(INDEX_MEMORY_MAX);
    const char *kept = arena ? arena_strdup(arena, slice_of(prefix)) : NULL;
    if (!bundle || !kept) {
        free(bundle);
        arena_destroy(arena);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read the checkpoint %s", prefix);
    }
    bundle->arena = arena;
    bundle->prefix = kept;
    crc32c_init(&bundle->crc32c);
    struct status status = read_bundle(bundle);
    if (status_is_ok(&status))
        *ret = bundle;
    else
        tensor_bundle_close(bundle);
    return status;
}

void tensor_bundle_close(struct tensor_bundle *bundle) {
    if (!bundle)
        return;
    for (size_t i = 0; i < bundle->shard_count; i++)
        file_unmap(&bundle->shards[i]);
    buf_free(&bundle->index);
    arena_destroy(bundle->arena);
    free(bundle);
}

bool tensor_bundle_is_lost(const struct tensor_bundle *bundle) {
    for (size_t i = 0; i < bundle->shard_count; i++)
        if (file_map_is_lost(&bundle->shards[i]))
            return true;
    return false;
}

struct weight_set tensor_bundle_tensors(const struct tensor_bundle *bundle) {
    return (struct weight_set){bundle->tensors, bundle->count};
}

struct status tensor_bundle_verify(const struct tensor_bundle *bundle, const struct weight *tensor) {
    const struct tensor_check *check = &bundle->checks[tensor - bundle->tensors];
    if (check->sliced)
        return status_error(STATUS_UNSUPPORTED,
                            "%s: tensor \"%.*s\" is stored in slices (a partitioned variable); save it in one piece",
                            bundle->prefix, SLICE_ARGS(tensor->name));
    if (crc32c_extend(&bundle->crc32c, 0, tensor->bytes.data, tensor->bytes.size) !=
        crc32c_unmask(check->masked_crc32c))
        return status_error(STATUS_DATA_LOSS, "%s: tensor \"%.*s\" is damaged: its checksum is wrong", bundle->prefix,
                            SLICE_ARGS(tensor->name));
    return status_ok();
}
