/* sstable.h: reads a sorted string table, the file that TensorFlow took over from LevelDB for the index of its
 * checkpoints.
 *
 * A table is data blocks (sorted keys, each sharing a prefix with the one before), an index block that tells where the
 * data blocks lie, and a footer of 48 bytes that tells where the index block lies. Behind each block stand its
 * compression type and a checksum. Blocks that are compressed (snappy) are refused: TensorFlow writes none. Source:
 * LevelDB, doc/table_format.md; TensorFlow, tsl/lib/io/table.
 */
#ifndef INFERD_CHECKPOINT_SSTABLE_H
#define INFERD_CHECKPOINT_SSTABLE_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "checkpoint/crc32c.h"

struct sstable_entry {
    struct slice key;   /* the arena's */
    struct slice value; /* points into the table's bytes */
};

struct sstable {
    struct sstable_entry *entries; /* ascending by key, bytewise, each key once; the arena's */
    size_t count;
};

/* Reads all entries of the table in `bytes`. `path` is for messages. The arena's limit bounds what a hostile file can
 * make of prefix compression. Errors: DATA_LOSS for cut off or damaged files and wrong checksums, INVALID_ARGUMENT for
 * files that are no table, UNSUPPORTED for compressed blocks, RESOURCE_EXHAUSTED at the arena's limit. */
struct status sstable_read(struct slice bytes, const char *path, const struct crc32c *tables, struct arena *arena,
                           struct sstable *ret) STATUS_MUST_CHECK;

#endif
