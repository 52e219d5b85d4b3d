#include "http/hpack_decode.h"

#include "http/hpack_forms.h"
#include "http/hpack_huffman.h"

enum {
    DECODED_KEPT = 1 << 10, /* bytes of memory for texts that were coded */
    NUMBER_BYTES = 4,       /* more of them behind a number's first are not taken: it is below 2^28 + 127 */
    INDEX_MASK = (1 << HPACK_INDEXED_BITS) - 1,
    FAR_INDEX = HPACK_INDEXED | INDEX_MASK, /* the first byte of an index that goes on in the next ones */
    SIZE_UPDATES = 2                        /* in a block: the lowest in between, and the last (section 4.2) */
};

/* In the place of a number that is cut off or too large: more than any index, size of a text or of a table may be. */
#define NOT_A_NUMBER UINT64_MAX

void hpack_decoder_init(struct hpack_decoder *decoder) {
    *decoder = (struct hpack_decoder){.name = BUF_EMPTY, .value = BUF_EMPTY};
    hpack_table_init(&decoder->table, HPACK_TABLE_DEFAULT);
}

void hpack_decoder_free(struct hpack_decoder *decoder) {
    hpack_table_free(&decoder->table);
    buf_free(&decoder->name);
    buf_free(&decoder->value);
}

void hpack_decode_begin(struct hpack_decoder *decoder) {
    decoder->field_seen = false;
}

static inline unsigned char take_byte(struct slice *block) {
    block->size--;
    return (unsigned char)*block->data++;
}

/* The rest of a number whose first byte was not enough (section 5.1). */
static uint64_t take_long_number(struct slice *block, uint64_t number) {
    for (unsigned i = 0; i < NUMBER_BYTES && block->size > 0; i++) {
        unsigned char byte = take_byte(block);
        number += (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return number;
    }
    return NOT_A_NUMBER;
}

/* The number whose first `bits` bits are the lowest of the block's first byte. */
static inline uint64_t take_number(struct slice *block, unsigned bits) {
    if (block->size == 0)
        return NOT_A_NUMBER;
    uint64_t most = (1u << bits) - 1, number = take_byte(block) & most;
    return number < most ? number : take_long_number(block, number);
}

/* `decoded` holds the text if it is coded (section 5.2). */
static inline enum hpack_outcome take_text(struct slice *block, struct buf *decoded, struct slice *ret) {
    bool huffman = block->size > 0 && (unsigned char)*block->data & HPACK_STRING_HUFFMAN;
    uint64_t size = take_number(block, HPACK_STRING_BITS);
    if (size > block->size)
        return HPACK_BROKEN;
    *ret = (struct slice){block->data, (size_t)size};
    block->data += size;
    block->size -= (size_t)size;
    if (!huffman)
        return HPACK_FIELD;
    buf_clear(decoded);
    if (!hpack_huffman_decode(*ret, decoded))
        return buf_failed(decoded) ? HPACK_NO_MEMORY : HPACK_BROKEN;
    *ret = buf_slice(decoded);
    return HPACK_FIELD;
}

/* Apart, as is what follows: an index of one byte is by far the most frequent form, and the code for it is to stay
 * short. */
__attribute__((noinline)) static enum hpack_outcome next_literal(struct hpack_decoder *decoder, struct slice *block,
                                                                 struct hpack_field *ret) {
    bool indexed = (unsigned char)*block->data & HPACK_LITERAL_INDEXED;
    enum hpack_outcome outcome;
    uint64_t index = take_number(block, indexed ? HPACK_LITERAL_INDEXED_BITS : HPACK_LITERAL_BITS);
    if (index > 0) {
        if (!hpack_table_get(&decoder->table, index, ret))
            return HPACK_BROKEN;
    } else {
        outcome = take_text(block, &decoder->name, &ret->name);
        if (outcome != HPACK_FIELD)
            return outcome;
    }
    outcome = take_text(block, &decoder->value, &ret->value);
    if (outcome != HPACK_FIELD || !indexed)
        return outcome;
    if (!hpack_table_add(&decoder->table, *ret))
        return HPACK_NO_MEMORY;
    /* The table's copy, as a name that was borrowed from it may have moved. A field too large for it emptied it and
     * moved nothing. */
    hpack_table_get(&decoder->table, HPACK_STATIC_COUNT + 1, ret);
    return HPACK_FIELD;
}

/* The changes of the table's size that a block may begin with (section 6.3), then its first field. */
__attribute__((noinline)) static enum hpack_outcome first_field(struct hpack_decoder *decoder, struct slice *block,
                                                                struct hpack_field *ret) {
    for (int updates = 0; block->size > 0; updates++) {
        unsigned char first = (unsigned char)*block->data;
        if (first >= HPACK_LITERAL_INDEXED || first < HPACK_SIZE_UPDATE)
            break;
        uint64_t size = take_number(block, HPACK_SIZE_UPDATE_BITS);
        if (updates == SIZE_UPDATES || size > HPACK_TABLE_DEFAULT)
            return HPACK_BROKEN;
        hpack_table_set_limit(&decoder->table, (size_t)size);
    }
    decoder->field_seen = true;
    return hpack_decode_next(decoder, block, ret);
}

__attribute__((noinline)) static enum hpack_outcome next_far_index(struct hpack_decoder *decoder, struct slice *block,
                                                                   struct hpack_field *ret) {
    uint64_t index = take_number(block, HPACK_INDEXED_BITS);
    return hpack_table_get(&decoder->table, index, ret) ? HPACK_FIELD : HPACK_BROKEN;
}

/* Connections may be idle for long: they do not keep the memory of one long text. */
static inline void let_go(struct buf *decoded) {
    if (decoded->capacity > DECODED_KEPT)
        buf_free(decoded);
}

enum hpack_outcome hpack_decode_next(struct hpack_decoder *decoder, struct slice *block, struct hpack_field *ret) {
    if (!decoder->field_seen)
        return first_field(decoder, block, ret);
    if (block->size == 0) {
        let_go(&decoder->name);
        let_go(&decoder->value);
        return HPACK_END;
    }
    unsigned char first = (unsigned char)*block->data;
    if (first == FAR_INDEX)
        return next_far_index(decoder, block, ret);
    if (first >= HPACK_INDEXED) {
        block->data++;
        block->size--;
        return hpack_table_get(&decoder->table, first & INDEX_MASK, ret) ? HPACK_FIELD : HPACK_BROKEN;
    }
    if (first >= HPACK_SIZE_UPDATE && first < HPACK_LITERAL_INDEXED)
        return HPACK_BROKEN;
    return next_literal(decoder, block, ret);
}
