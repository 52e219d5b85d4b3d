#include "http/hpack_encode.h"

#include "http/hpack_forms.h"

enum {
    NUMBER_ROOM = 11,                               /* bytes that a number of 64 bits takes at most */
    ONE_BYTE_INDEX = (1 << HPACK_INDEXED_BITS) - 1, /* less than this is */
    INDEXED_SHARE = 2 /* a field that takes more than one part in so many of the table drives too much out of it */
};

void hpack_encoder_init(struct hpack_encoder *encoder) {
    *encoder = (struct hpack_encoder){.limit = HPACK_TABLE_DEFAULT, .lowest_limit = HPACK_TABLE_DEFAULT};
    hpack_table_init(&encoder->table, HPACK_TABLE_DEFAULT);
}

void hpack_encoder_free(struct hpack_encoder *encoder) {
    hpack_table_free(&encoder->table);
}

void hpack_encoder_set_limit(struct hpack_encoder *encoder, uint32_t bytes) {
    encoder->limit = bytes < HPACK_TABLE_DEFAULT ? bytes : HPACK_TABLE_DEFAULT;
    if (encoder->limit < encoder->lowest_limit)
        encoder->lowest_limit = encoder->limit;
    encoder->update_due = encoder->limit != encoder->table.limit || encoder->lowest_limit < encoder->table.limit;
}

/* Section 5.1: `kind` is the first byte's upper part. */
static inline char *put_number(char *to, unsigned kind, unsigned bits, uint64_t number) {
    uint64_t most = (1u << bits) - 1;
    if (number < most) {
        *to++ = (char)(kind | number);
        return to;
    }
    *to++ = (char)(kind | most);
    for (number -= most; number >= 0x80; number >>= 7)
        *to++ = (char)(0x80 | (number & 0x7f));
    *to++ = (char)number;
    return to;
}

/* Plain: the Huffman code would cost us more than the bytes it saves are worth. */
static inline char *put_text(char *to, struct slice text) {
    to = put_number(to, 0, HPACK_STRING_BITS, text.size);
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    return to + text.size;
}

static void put_size_update(struct hpack_encoder *encoder, size_t size, struct buf *out) {
    hpack_table_set_limit(&encoder->table, size);
    char *to = buf_reserve(out, NUMBER_ROOM);
    if (to)
        out->size = (size_t)(put_number(to, HPACK_SIZE_UPDATE, HPACK_SIZE_UPDATE_BITS, size) - out->data);
}

void hpack_encode_begin(struct hpack_encoder *encoder, struct buf *out) {
    if (!encoder->update_due)
        return;
    if (encoder->lowest_limit < encoder->limit && encoder->lowest_limit < encoder->table.limit)
        put_size_update(encoder, encoder->lowest_limit, out);
    put_size_update(encoder, encoder->limit, out);
    encoder->lowest_limit = encoder->limit;
    encoder->update_due = false;
}

__attribute__((noinline)) static void put_far_index(uint64_t index, struct buf *out) {
    char *to = buf_reserve(out, NUMBER_ROOM);
    if (to)
        out->size = (size_t)(put_number(to, HPACK_INDEXED, HPACK_INDEXED_BITS, index) - out->data);
}

/* Apart: most fields of most answers are indexed. */
__attribute__((noinline)) static void put_literal(struct hpack_encoder *encoder, const struct hpack_field *field,
                                                  uint64_t name, bool index, struct buf *out) {
    size_t texts = field->name.size + field->value.size;
    index = index && texts + HPACK_ENTRY_OVERHEAD <= encoder->table.limit / INDEXED_SHARE;
    char *to = buf_reserve(out, texts + 3 * NUMBER_ROOM);
    if (!to)
        return;
    to = index ? put_number(to, HPACK_LITERAL_INDEXED, HPACK_LITERAL_INDEXED_BITS, name)
               : put_number(to, HPACK_LITERAL, HPACK_LITERAL_BITS, name);
    if (name == 0)
        to = put_text(to, field->name);
    to = put_text(to, field->value);
    out->size = (size_t)(to - out->data);
    if (index && !hpack_table_add(&encoder->table, *field))
        out->failed = true;
}

void hpack_encode(struct hpack_encoder *encoder, struct hpack_field field, bool index, struct buf *out) {
    struct hpack_match match = hpack_table_find(&encoder->table, &field);
    if (match.index == 0)
        put_literal(encoder, &field, match.name, index, out);
    else if (match.index < ONE_BYTE_INDEX)
        buf_append_char(out, (char)(HPACK_INDEXED | match.index));
    else
        put_far_index(match.index, out);
}
