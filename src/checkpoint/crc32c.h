/* crc32c.h: the Castagnoli checksum that TensorFlow's checkpoint files carry, in plain C, eight bytes a step.
 *
 * Source: M. Kounavis, F. Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation" (slicing by
 * 8); polynomial 0x1EDC6F41 (RFC 3720).
 */
#ifndef INFERD_CHECKPOINT_CRC32C_H
#define INFERD_CHECKPOINT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The lookup tables; made once by their user, read-only afterwards. */
struct crc32c {
    uint32_t table[8][256];
};

void crc32c_init(struct crc32c *ret);
/* The checksum of `size` bytes that follow bytes whose checksum is `crc` (0 for none). */
uint32_t crc32c_extend(const struct crc32c *tables, uint32_t crc, const void *data, size_t size);
/* Undoes LevelDB's masking, which keeps checksums of data that holds checksums from degenerating. */
uint32_t crc32c_unmask(uint32_t masked);

#endif
