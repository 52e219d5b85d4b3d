#include <nghttp2/nghttp2.h>

#include "hpack_blocks.h"

#include "http/hpack_encode.h"

/* Encodes fields given as "name: value\n" as one block. */
static void encode_texts(struct hpack_encoder *encoder, const char *texts, bool index, struct buf *out) {
    struct slice rest = slice_of(texts), line, separator, value;
    buf_clear(out);
    hpack_encode_begin(encoder, out);
    while (slice_split(rest, '\n', &line, &rest)) {
        size_t end = 1; /* a colon may begin the name */
        while (line.data[end] != ':')
            end++;
        separator = (struct slice){line.data, end};
        value = (struct slice){line.data + end + 2, line.size - end - 2};
        hpack_encode(encoder, (struct hpack_field){separator, value}, index, out);
    }
    assert_false(buf_failed(out));
}

static void assert_encodes(struct hpack_encoder *encoder, const char *texts, bool index, const char *hex) {
    struct buf wanted = BUF_EMPTY, block = BUF_EMPTY;
    append_hex(&wanted, hex);
    encode_texts(encoder, texts, index, &block);
    assert_text_equal(buf_slice(&block), buf_slice(&wanted));
    buf_free(&wanted);
    buf_free(&block);
}

/* The encoder of the RFC's examples decides as ours does. */
static void test_examples(void **state) {
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder);
    for (size_t i = 0; i < HPACK_EXAMPLES; i++)
        assert_encodes(&encoder, hpack_requests[i].fields, true, hpack_requests[i].plain);
    hpack_encoder_free(&encoder);
    hpack_encoder_init(&encoder);
    hpack_encoder_set_limit(&encoder, 256);
    for (size_t i = 0; i < HPACK_EXAMPLES; i++)
        assert_encodes(&encoder, hpack_responses[i].fields, true, hpack_responses[i].plain);
    hpack_encoder_free(&encoder);
}

static void test_forms(void **state) {
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder);
    assert_encodes(&encoder, "a: b\n", false, "00 01 61 01 62");
    assert_encodes(&encoder, "date: b\n", false, "0f 12 01 62"); /* a name of the static table */
    assert_int_equal(encoder.table.count, 0);
    assert_null(encoder.table.entries);
    assert_encodes(&encoder, "a: b\n", true, "40 01 61 01 62");
    assert_encodes(&encoder, "a: b\n", true, "be");
    assert_encodes(&encoder, "a: b\n", false, "be"); /* known already */
    assert_encodes(&encoder, "a: c\n", false, "0f 2f 01 63");
    assert_encodes(&encoder, "a: c\n", true, "7e 01 63");
    assert_encodes(&encoder, "a: b\na: c\n", true, "bf be");
    assert_encodes(&encoder, "grpc-message: \n", true, "40 0c 677270632d6d657373616765 00");
    assert_encodes(&encoder, "grpc-message: \n:status: 404\n", true, "be 8d");
    hpack_encoder_free(&encoder);
}

/* Texts of 127 bytes and more, an index of 127 and more. */
static void test_long_numbers(void **state) {
    (void)state;
    struct hpack_encoder encoder;
    struct hpack_decoder decoder;
    struct buf block = BUF_EMPTY, wanted = BUF_EMPTY, fields = BUF_EMPTY;
    static char text[1000];
    memset(text, 'v', sizeof text);
    hpack_encoder_init(&encoder);
    hpack_decoder_init(&decoder);
    for (size_t size = 120; size < sizeof text; size++) {
        struct hpack_field field = {{text, size % 137}, {text, size}};
        buf_clear(&block);
        buf_clear(&wanted);
        hpack_encode_begin(&encoder, &block);
        hpack_encode(&encoder, field, size % 3 == 0, &block);
        append_field(&wanted, field);
        assert_int_equal(decode_block(&decoder, buf_slice(&block), &fields), HPACK_END);
        assert_text_equal(buf_slice(&fields), buf_slice(&wanted));
    }
    for (size_t size = 0; size < 100; size++)
        hpack_encode(&encoder, (struct hpack_field){SLICE_LITERAL("n"), {text, size / 10}}, true, &block);
    for (char c = 'a'; c <= 'z'; c++)
        for (char d = 'a'; d <= 'd'; d++) {
            char value[2] = {c, d};
            hpack_encode(&encoder, (struct hpack_field){SLICE_LITERAL("n"), {value, 2}}, true, &block);
        }
    assert_encodes(&encoder, "n: aa\n", true, "ff 26"); /* 61 + 104 */
    assert_encodes(&encoder, "n: zd\n", true, "be");
    hpack_encoder_free(&encoder);
    hpack_decoder_free(&decoder);
    buf_free(&block);
    buf_free(&wanted);
    buf_free(&fields);
}

/* What would drive too much out of the table is not indexed. */
static void test_large_fields(void **state) {
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder);
    hpack_encoder_set_limit(&encoder, 80);
    assert_encodes(&encoder, "a: 1234567\n", true, "3f 31 40 01 61 07 31323334353637"); /* 40 bytes */
    assert_encodes(&encoder, "a: 12345678\n", true, "0f 2f 08 3132333435363738");
    assert_int_equal(encoder.table.count, 1);
    hpack_encoder_set_limit(&encoder, 0);
    assert_encodes(&encoder, "a: 1\n", true, "20 00 01 61 01 31");
    assert_int_equal(encoder.table.count, 0);
    hpack_encoder_free(&encoder);
}

/* Section 4.2. */
static void test_limits(void **state) {
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder);
    hpack_encoder_set_limit(&encoder, HPACK_TABLE_DEFAULT); /* nothing new */
    hpack_encoder_set_limit(&encoder, UINT32_MAX);          /* no use made of it */
    assert_encodes(&encoder, "a: b\n", true, "40 01 61 01 62");
    hpack_encoder_set_limit(&encoder, 100);
    assert_encodes(&encoder, "a: b\n", true, "3f 45 be"); /* lower, and only once */
    assert_encodes(&encoder, "a: b\n", true, "be");
    hpack_encoder_set_limit(&encoder, 10);
    hpack_encoder_set_limit(&encoder, 0);
    hpack_encoder_set_limit(&encoder, 50);
    hpack_encoder_set_limit(&encoder, 100);
    assert_encodes(&encoder, "a: b\n", true, "20 3f 45 40 01 61 01 62"); /* the lowest emptied it */
    hpack_encoder_set_limit(&encoder, 200);
    hpack_encoder_set_limit(&encoder, 150);
    assert_encodes(&encoder, "a: b\n", true, "3f 77 be"); /* higher: none in between was lower */
    hpack_encoder_set_limit(&encoder, 200);
    hpack_encoder_set_limit(&encoder, 150);
    assert_encodes(&encoder, "a: b\n", true, "be"); /* as it was */
    hpack_encoder_free(&encoder);
}

/* Appends the fields that nghttp2 finds in a block; it is strict about sizes that it told and that were not taken up.
 */
static void inflate(nghttp2_hd_inflater *inflater, struct slice block, struct buf *fields) {
    const uint8_t *at = (const uint8_t *)block.data;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, block.size, 1);
        assert_true(used >= 0);
        at += used;
        block.size -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            append_field(fields, (struct hpack_field){{(char *)nv.name, nv.namelen}, {(char *)nv.value, nv.valuelen}});
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
        assert_true((flags & NGHTTP2_HD_INFLATE_EMIT) || block.size > 0);
    }
    assert_int_equal(block.size, 0);
    nghttp2_hd_inflate_end_headers(inflater);
}

static void test_against_nghttp2(void **state) {
    (void)state;
    static struct random_fields random = {.seed = 5};
    struct hpack_encoder encoder;
    struct buf wanted = BUF_EMPTY, fields = BUF_EMPTY, block = BUF_EMPTY;
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    hpack_encoder_init(&encoder);
    for (int round = 0; round < 1500; round++) {
        for (uint32_t changes = next_random(&random.seed) % 16; changes >= 13; changes--) {
            uint32_t limit = next_random(&random.seed) % (HPACK_TABLE_DEFAULT + 1);
            assert_int_equal(nghttp2_hd_inflate_change_table_size(inflater, limit), 0);
            hpack_encoder_set_limit(&encoder, limit);
        }
        next_fields(&random);
        buf_clear(&block);
        buf_clear(&wanted);
        buf_clear(&fields);
        hpack_encode_begin(&encoder, &block);
        for (size_t i = 0; i < random.count; i++)
            hpack_encode(&encoder, random.fields[i], next_random(&random.seed) % 4 > 0, &block);
        append_fields(&wanted, &random);
        inflate(inflater, buf_slice(&block), &fields);
        assert_text_equal(buf_slice(&fields), buf_slice(&wanted));
        assert_int_equal(encoder.table.size, nghttp2_hd_inflate_get_dynamic_table_size(inflater));
    }
    nghttp2_hd_inflate_del(inflater);
    hpack_encoder_free(&encoder);
    buf_free(&wanted);
    buf_free(&fields);
    buf_free(&block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),     cmocka_unit_test(test_forms),  cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_large_fields), cmocka_unit_test(test_limits), cmocka_unit_test(test_against_nghttp2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
