#include "http/hpack_huffman.h"

struct hpack_code {
    unsigned char symbol, bits;
};

#include "http/hpack_huffman_codes.h"

enum {
    SHORTEST_BITS = 5,
    LONGEST_BITS = 30,
    MOST_PADDING = 7,  /* bits */
    NO_CODE_BITS = 255 /* more than there ever are */
};

/* What is still to be decoded: bits in `window`, the next one its highest, zeros behind them, then the bytes at `at`.
 */
struct bits {
    uint64_t window;
    unsigned count; /* in the window */
    const unsigned char *at, *end;
};

/* So that the longest code is in the window, or all there is. */
static inline void refill(struct bits *bits) {
    if (bits->end - bits->at >= 4) {
        const unsigned char *at = bits->at;
        uint32_t next = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        bits->window |= (uint64_t)next << (32 - bits->count);
        bits->count += 32;
        bits->at += 4;
        return;
    }
    for (; bits->at < bits->end; bits->count += 8)
        bits->window |= (uint64_t)*bits->at++ << (56 - bits->count);
}

static struct hpack_code long_code(uint64_t window) {
    uint32_t next = (uint32_t)(window >> 32);
    for (size_t i = 0; i < sizeof long_lengths / sizeof *long_lengths; i++) {
        const struct long_length *length = &long_lengths[i];
        if (next < length->end)
            return (struct hpack_code){long_symbols[length->symbol + (next >> (32 - length->bits)) - length->first],
                                       length->bits};
    }
    return (struct hpack_code){0, NO_CODE_BITS}; /* the end symbol: thirty ones */
}

/* The rest of a text that holds no whole code is padding: the beginning of the end symbol's code. */
static bool is_padding(const struct bits *bits) {
    uint64_t ones = ~(UINT64_MAX >> bits->count);
    return bits->count <= MOST_PADDING && bits->window == ones;
}

bool hpack_huffman_decode(struct slice coded, struct buf *text) {
    const unsigned char *begin = (const unsigned char *)coded.data;
    struct bits bits = {0, 0, begin, begin + coded.size};
    char *to = buf_reserve(text, coded.size * 8 / SHORTEST_BITS);
    if (!to)
        return false;
    for (;;) {
        if (bits.count < LONGEST_BITS)
            refill(&bits);
        struct hpack_code code = short_codes[bits.window >> 56];
        if (code.bits == 0)
            code = long_code(bits.window);
        if (code.bits > bits.count)
            break;
        *to++ = (char)code.symbol;
        bits.window <<= code.bits;
        bits.count -= code.bits;
    }
    text->size = (size_t)(to - text->data);
    return is_padding(&bits);
}
