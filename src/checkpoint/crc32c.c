#include "checkpoint/crc32c.h"

#include <string.h>

#define POLYNOMIAL_REFLECTED 0x82f63b78u
#define MASK_DELTA 0xa282ead8u

void crc32c_init(struct crc32c *ret) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1u ? POLYNOMIAL_REFLECTED : 0u);
        ret->table[0][byte] = crc;
    }
    /* table[k][b]: the checksum of byte b with k zero bytes behind it */
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t shorter = ret->table[k - 1][byte];
            ret->table[k][byte] = (shorter >> 8) ^ ret->table[0][shorter & 0xffu];
        }
}

static uint32_t eight_bytes(const struct crc32c *tables, uint32_t crc, const unsigned char *from) {
    uint64_t word;
    memcpy(&word, from, sizeof word); /* little endian, like the rest of checkpoint/ */
    word ^= crc;
    uint32_t mixed = 0;
    for (int k = 7; k >= 0; k--, word >>= 8)
        mixed ^= tables->table[k][word & 0xffu];
    return mixed;
}

uint32_t crc32c_extend(const struct crc32c *tables, uint32_t crc, const void *data, size_t size) {
    const unsigned char *from = data;
    crc = ~crc;
    for (; size >= 8; from += 8, size -= 8)
        crc = eight_bytes(tables, crc, from);
    for (; size > 0; from++, size--)
        crc = (crc >> 8) ^ tables->table[0][(crc ^ *from) & 0xffu];
    return ~crc;
}

uint32_t crc32c_unmask(uint32_t masked) {
    uint32_t rotated = masked - MASK_DELTA;
    return (rotated >> 17) | (rotated << 15);
}
