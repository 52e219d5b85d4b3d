/* Header blocks of HPACK. Input: blocks, each behind two bytes of its length and one that says which of its fields our
 * encoder indexes and what limit it is given. Holds: our decoder and nghttp2's find the same fields and have tables of
 * the same size; where one of them refuses a block the other does, but for what RFC 7541 leaves open (see may_differ);
 * what was decoded is encoded by ours, and that decoded again, by both, to the same. */
#include <nghttp2/nghttp2.h>

#include "fuzz.h"
#include "http/hpack_decode.h"
#include "http/hpack_encode.h"

enum { BLOCK_MAX = 4096 };

struct sides {
    struct hpack_decoder decoder, back;
    struct hpack_encoder encoder;
    nghttp2_hd_inflater *inflater, *inflater_back;
};

/* A field in a form that tells all of them apart. */
static void put_field(struct buf *out, struct slice name, struct slice value) {
    size_t sizes[2] = {name.size, value.size};
    buf_append(out, sizes, sizeof sizes);
    buf_append_slice(out, name);
    buf_append_slice(out, value);
}

/* From memory of just the block's size. */
static enum hpack_outcome decode(struct hpack_decoder *decoder, struct slice block, struct buf *fields) {
    char *copy = fuzz_copy(block);
    struct slice rest = {copy, block.size};
    struct hpack_field field;
    enum hpack_outcome outcome;
    hpack_decode_begin(decoder);
    while ((outcome = hpack_decode_next(decoder, &rest, &field)) == HPACK_FIELD) {
        FUZZ_CHECK(rest.size < block.size && decoder->table.size <= decoder->table.limit);
        put_field(fields, field.name, field.value);
    }
    FUZZ_CHECK(outcome != HPACK_NO_MEMORY);
    FUZZ_CHECK(outcome != HPACK_END || rest.size == 0);
    free(copy);
    return outcome;
}

/* False when nghttp2 refuses it. */
static bool inflate(nghttp2_hd_inflater *inflater, struct slice block, struct buf *fields) {
    const uint8_t *at = (const uint8_t *)(block.size > 0 ? block.data : "");
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, block.size, 1);
        if (used < 0)
            return false;
        at += used;
        block.size -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            put_field(fields, (struct slice){(char *)nv.name, nv.namelen},
                      (struct slice){(char *)nv.value, nv.valuelen});
    }
    nghttp2_hd_inflate_end_headers(inflater);
    return true;
}

/* Where the number that begins with the lowest `bits` bits of the byte at `at` ends. */
static size_t end_of_number(struct slice block, size_t at, unsigned bits) {
    unsigned char most = (unsigned char)((1u << bits) - 1);
    if (((unsigned char)block.data[at++] & most) != most)
        return at;
    while (at < block.size && (unsigned char)block.data[at] >= 0x80)
        at++;
    return at + 1;
}

/* What nghttp2 takes and ours does not: more than two size updates at the start, and numbers of more than four bytes
 * behind the first (as 0x80 0x80 0x80 0x80 0x00). The latter is looked for everywhere, so in texts, too. */
static bool may_differ(struct slice block) {
    static const unsigned widths[] = {4, 5, 6, 7};
    unsigned updates = 0;
    for (size_t at = 0; at < block.size && ((unsigned char)block.data[at] & 0xe0) == 0x20; updates++)
        at = end_of_number(block, at, 5);
    for (size_t at = 0; at < block.size; at++)
        for (size_t i = 0; i < 4; i++)
            if (end_of_number(block, at, widths[i]) > at + 5)
                return true;
    return updates > 2;
}

/* The fields through our encoder and both decoders again. */
static void check_back(struct sides *sides, struct slice fields, uint8_t choices) {
    struct buf block = BUF_EMPTY, again = BUF_EMPTY, inflated = BUF_EMPTY;
    size_t sizes[2];
    if (choices & 0x80) {
        uint32_t limit = (choices & 0x3fu) * 40;
        hpack_encoder_set_limit(&sides->encoder, limit);
        FUZZ_CHECK(nghttp2_hd_inflate_change_table_size(sides->inflater_back, limit) == 0);
    }
    hpack_encode_begin(&sides->encoder, &block);
    for (struct slice rest = fields; rest.size > 0;) {
        memcpy(sizes, rest.data, sizeof sizes);
        struct slice name = {rest.data + sizeof sizes, sizes[0]}, value = {name.data + name.size, sizes[1]};
        bool index = choices == 0 || (name.size + value.size) % 8 != (choices & 7u);
        hpack_encode(&sides->encoder, (struct hpack_field){name, value}, index, &block);
        rest.data += sizeof sizes + name.size + value.size;
        rest.size -= sizeof sizes + name.size + value.size;
    }
    FUZZ_CHECK(!buf_failed(&block));
    FUZZ_CHECK(decode(&sides->back, buf_slice(&block), &again) == HPACK_END);
    FUZZ_CHECK(slice_equal(buf_slice(&again), fields));
    FUZZ_CHECK(inflate(sides->inflater_back, buf_slice(&block), &inflated));
    FUZZ_CHECK(slice_equal(buf_slice(&inflated), fields));
    buf_free(&block);
    buf_free(&again);
    buf_free(&inflated);
}

/* False when the connection is lost. */
static bool run_block(struct sides *sides, struct slice block, uint8_t choices) {
    struct buf ours = BUF_EMPTY, theirs = BUF_EMPTY;
    bool whole = decode(&sides->decoder, block, &ours) == HPACK_END;
    bool inflated = inflate(sides->inflater, block, &theirs);
    if (whole) {
        FUZZ_CHECK(inflated && slice_equal(buf_slice(&ours), buf_slice(&theirs)));
        FUZZ_CHECK(sides->decoder.table.size == nghttp2_hd_inflate_get_dynamic_table_size(sides->inflater));
        check_back(sides, buf_slice(&ours), choices);
    } else {
        FUZZ_CHECK(!inflated || may_differ(block));
    }
    buf_free(&ours);
    buf_free(&theirs);
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct sides sides;
    struct fuzz_input input = fuzz_input_on(data, size);
    hpack_decoder_init(&sides.decoder);
    hpack_decoder_init(&sides.back);
    hpack_encoder_init(&sides.encoder);
    FUZZ_CHECK(nghttp2_hd_inflate_new(&sides.inflater) == 0 && nghttp2_hd_inflate_new(&sides.inflater_back) == 0);
    while (fuzz_left(&input) > 0) {
        size_t wanted = fuzz_u16(&input) % BLOCK_MAX;
        uint8_t choices = fuzz_byte(&input);
        if (!run_block(&sides, fuzz_take(&input, wanted), choices))
            break;
    }
    hpack_decoder_free(&sides.decoder);
    hpack_decoder_free(&sides.back);
    hpack_encoder_free(&sides.encoder);
    nghttp2_hd_inflate_del(sides.inflater);
    nghttp2_hd_inflate_del(sides.inflater_back);
    return 0;
}
