/* table_builder.h: writes sorted string tables with right checksums around any content, so that hostile content gets
 * past them. An independent reading of LevelDB's table_format.md, checked by the fixture that TensorFlow wrote. */
#ifndef INFERD_TESTS_CHECKPOINT_TABLE_BUILDER_H
#define INFERD_TESTS_CHECKPOINT_TABLE_BUILDER_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "checkpoint/crc32c.h"

static inline void put_varint(struct buf *out, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        buf_append_char(out, (char)(value | 0x80));
    buf_append_char(out, (char)value);
}

/* An entry that shares `shared` bytes with the key before it. */
static inline void put_entry(struct buf *block, uint64_t shared, struct slice suffix, struct slice value) {
    put_varint(block, shared);
    put_varint(block, suffix.size);
    put_varint(block, value.size);
    buf_append_slice(block, suffix);
    buf_append_slice(block, value);
}

static inline void put_u32(struct buf *out, uint32_t value) {
    buf_append(out, &value, sizeof value);
}

static inline uint32_t masked_crc32c(const void *data, size_t size) {
    struct crc32c tables;
    crc32c_init(&tables);
    uint32_t crc = crc32c_extend(&tables, 0, data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* Appends the block with one restart point and its trailer to the file; its handle to `handle`. */
static inline void put_block(struct buf *file, struct slice entries, char compression, struct buf *handle) {
    size_t begin = file->size;
    buf_append_slice(file, entries);
    put_u32(file, 0);
    put_u32(file, 1);
    put_varint(handle, begin);
    put_varint(handle, file->size - begin);
    buf_append_char(file, compression);
    put_u32(file, masked_crc32c(file->data + begin, file->size - begin));
}

static inline void put_footer(struct buf *file, struct slice index_handle) {
    const uint64_t magic = UINT64_C(0xdb4775248b80fb57);
    size_t end = file->size + 40;
    put_varint(file, 0); /* metaindex: not read */
    put_varint(file, 0);
    buf_append_slice(file, index_handle);
    while (file->size < end)
        buf_append_char(file, 0);
    buf_append(file, &magic, sizeof magic);
}

/* A whole table of one data block with these entries. */
static inline void put_table(struct buf *file, struct slice entries, char compression) {
    struct buf index = BUF_EMPTY, handle = BUF_EMPTY, index_handle = BUF_EMPTY;
    put_block(file, entries, compression, &handle);
    put_entry(&index, 0, SLICE_LITERAL("\xff"), buf_slice(&handle));
    put_block(file, buf_slice(&index), 0, &index_handle);
    put_footer(file, buf_slice(&index_handle));
    buf_free(&index);
    buf_free(&handle);
    buf_free(&index_handle);
}

#endif
