#include "checkpoint/sstable.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "codec/pb_wire.h"

enum {
    FOOTER_BYTES = 48,
    TRAILER_BYTES = 5, /* behind each block: compression type, masked checksum */
    KEY_MAX = 4096     /* TensorFlow's names are far shorter */
};
static const uint64_t TABLE_MAGIC = UINT64_C(0xdb4775248b80fb57);

enum { COMPRESSION_NONE = 0, COMPRESSION_SNAPPY = 1 };

/* What the functions below share while one table is read. */
struct reader {
    struct slice bytes;
    const char *path;
    const struct crc32c *tables;
    struct arena *arena;
    struct buf entries; /* struct sstable_entry, in order */
    uint64_t data_end;  /* of the data blocks read so far */
};

/* Where a block lies. */
struct handle {
    uint64_t offset, size;
};

typedef struct status (*on_entry)(struct reader *reader, struct slice key, struct slice value);

static struct status damaged(const struct reader *reader, const char *problem) {
    return status_error(STATUS_DATA_LOSS, "%s is cut off or damaged: %s", reader->path, problem);
}

/* Numbers are base-128, as in protocol buffers. */
static bool take_handle(struct pb_reader *rest, struct handle *ret) {
    return pb_read_varint(rest, &ret->offset) && pb_read_varint(rest, &ret->size);
}

/* Takes the next `size` bytes; false when there are fewer. */
static bool take_bytes(struct pb_reader *rest, uint64_t size, struct slice *ret) {
    if (size > (size_t)(rest->end - rest->at))
        return false;
    *ret = (struct slice){(const char *)rest->at, (size_t)size};
    rest->at += size;
    return true;
}

static struct status load_block(const struct reader *reader, struct handle handle, struct slice *ret) {
    uint64_t end;
    if (__builtin_add_overflow(handle.offset, handle.size, &end) || end > reader->bytes.size ||
        reader->bytes.size - end < TRAILER_BYTES)
        return status_error(STATUS_DATA_LOSS,
                            "%s is cut off or damaged: a block of %" PRIu64 " bytes at byte %" PRIu64
                            " does not fit its %zu bytes",
                            reader->path, handle.size, handle.offset, reader->bytes.size);
    struct slice block = {reader->bytes.data + handle.offset, (size_t)handle.size};
    const char *trailer = block.data + block.size;
    uint32_t masked;
    memcpy(&masked, trailer + 1, sizeof masked);
    if (crc32c_extend(reader->tables, 0, block.data, block.size + 1) != crc32c_unmask(masked))
        return status_error(STATUS_DATA_LOSS, "%s is damaged: wrong checksum of the block at byte %" PRIu64,
                            reader->path, handle.offset);
    if (trailer[0] == COMPRESSION_SNAPPY)
        return status_error(STATUS_UNSUPPORTED,
                            "%s: its blocks are compressed with snappy; save the checkpoint again without compression",
                            reader->path);
    if (trailer[0] != COMPRESSION_NONE)
        return status_error(STATUS_UNSUPPORTED, "%s: unknown compression type %d", reader->path, trailer[0]);
    *ret = block;
    return status_ok();
}

/* The entries of a block end where its restart points (for searching, which is not done here) begin. */
static struct status block_entries(const struct reader *reader, struct slice block, struct slice *ret) {
    uint32_t restarts;
    if (block.size < sizeof restarts)
        return damaged(reader, "a block without restart points");
    memcpy(&restarts, block.data + block.size - sizeof restarts, sizeof restarts);
    if (restarts > (block.size - sizeof restarts) / sizeof restarts)
        return damaged(reader, "a block with more restart points than bytes");
    *ret = (struct slice){block.data, block.size - (1 + (size_t)restarts) * sizeof restarts};
    return status_ok();
}

/* Calls `each` for the entries of one block, in order. */
static struct status walk_block(struct reader *reader, struct handle handle, on_entry each) {
    struct slice block, entries;
    char key[KEY_MAX];
    size_t key_size = 0;
    STATUS_TRY(load_block(reader, handle, &block));
    STATUS_TRY(block_entries(reader, block, &entries));
    struct pb_reader rest = pb_reader_on(entries);
    while (!pb_reader_done(&rest)) {
        uint64_t shared, unshared, value_size;
        struct slice suffix, value;
        if (!pb_read_varint(&rest, &shared) || !pb_read_varint(&rest, &unshared) ||
            !pb_read_varint(&rest, &value_size) || shared > key_size || !take_bytes(&rest, unshared, &suffix) ||
            !take_bytes(&rest, value_size, &value))
            return damaged(reader, "an entry of a block does not fit into it");
        if (suffix.size > KEY_MAX - shared)
            return status_error(STATUS_INVALID_ARGUMENT, "%s: a key is longer than %d bytes", reader->path, KEY_MAX);
        if (suffix.size > 0)
            memcpy(key + shared, suffix.data, suffix.size);
        key_size = (size_t)shared + suffix.size;
        STATUS_TRY(each(reader, (struct slice){key, key_size}, value));
    }
    return status_ok();
}

static bool ascending(struct slice a, struct slice b) {
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    return order < 0 || (order == 0 && a.size < b.size);
}

/* Keeps an entry of a data block. */
static struct status keep_entry(struct reader *reader, struct slice key, struct slice value) {
    size_t count = reader->entries.size / sizeof(struct sstable_entry);
    if (count > 0) {
        const struct sstable_entry *entries = (const void *)reader->entries.data;
        if (!ascending(entries[count - 1].key, key))
            return damaged(reader, "its keys are not in order");
    }
    struct sstable_entry entry = {{arena_strdup(reader->arena, key), key.size}, value};
    buf_append(&reader->entries, &entry, sizeof entry);
    if (!entry.key.data || buf_failed(&reader->entries))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the entries of %s", reader->path);
    return status_ok();
}

/* An entry of the index block: its value is the handle of a data block. */
static struct status follow_index_entry(struct reader *reader, struct slice key, struct slice value) {
    (void)key; /* lies between the last key of that block and the first of the next */
    struct handle handle;
    struct pb_reader rest = pb_reader_on(value);
    if (!take_handle(&rest, &handle))
        return damaged(reader, "the index holds something else than block positions");
    if (handle.offset < reader->data_end) /* else a small file could name one block a million times */
        return damaged(reader, "its data blocks are not in order");
    STATUS_TRY(walk_block(reader, handle, keep_entry));
    reader->data_end = handle.offset + handle.size; /* within the file: the block was read */
    return status_ok();
}

static struct status read_index_handle(const struct reader *reader, struct handle *ret) {
    struct slice bytes = reader->bytes;
    uint64_t magic = 0;
    if (bytes.size >= FOOTER_BYTES)
        memcpy(&magic, bytes.data + bytes.size - sizeof magic, sizeof magic);
    if (magic != TABLE_MAGIC)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "%s is cut off, or no index of a TensorFlow checkpoint: it does not end in the mark of a table",
            reader->path);
    struct pb_reader footer =
        pb_reader_on((struct slice){bytes.data + bytes.size - FOOTER_BYTES, FOOTER_BYTES - sizeof magic});
    struct handle metaindex; /* filters, which TensorFlow does not write */
    if (!take_handle(&footer, &metaindex) || !take_handle(&footer, ret))
        return damaged(reader, "the footer holds no block positions");
    return status_ok();
}

struct status sstable_read(struct slice bytes, const char *path, const struct crc32c *tables, struct arena *arena,
                           struct sstable *ret) {
    struct reader reader = {bytes, path, tables, arena, BUF_EMPTY, 0};
    struct handle index;
    struct status status = read_index_handle(&reader, &index);
    if (status_is_ok(&status))
        status = walk_block(&reader, index, follow_index_entry);
    struct slice entries = {NULL, 0};
    if (status_is_ok(&status)) {
        entries = arena_copy(arena, buf_slice(&reader.entries));
        if (reader.entries.size > 0 && !entries.data)
            status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the entries of %s", path);
    }
    buf_free(&reader.entries);
    if (status_is_ok(&status))
        *ret = (struct sstable){(struct sstable_entry *)(uintptr_t)entries.data,
                                entries.size / sizeof(struct sstable_entry)};
    return status;
}
