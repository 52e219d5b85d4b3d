#include <nghttp2/nghttp2.h>

#include "hpack_blocks.h"

#include "http/hpack_huffman.h"

static bool decode_hex(const char *hex, struct buf *text) {
    struct buf coded = BUF_EMPTY;
    append_hex(&coded, hex);
    char *exact = malloc(coded.size + 1);
    memcpy(exact + 1, coded.data ? coded.data : "", coded.size);
    buf_clear(text);
    bool whole = hpack_huffman_decode((struct slice){exact + 1, coded.size}, text);
    free(exact);
    buf_free(&coded);
    return whole;
}

static void test_examples(void **state) {
    (void)state;
    static const struct {
        const char *hex, *text;
    } examples[] = {
        {"f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"},
        {"a8eb10649cbf", "no-cache"},
        {"25a849e95bb8e8b4bf", "custom-value"},
        {"6402", "302"},
        {"d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"},
        {"", ""},
        {"f8", "&"},
        {"07", "0"},
    };
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        assert_true(decode_hex(examples[i].hex, &text));
        assert_text_equal(buf_slice(&text), slice_of(examples[i].text));
    }
    buf_free(&text);
}

/* Section 5.2. "0" is 00000, "a" is 00011, "&" is 11111000. */
static void test_padding(void **state) {
    (void)state;
    struct buf text = BUF_EMPTY;
    assert_true(decode_hex("07", &text));          /* 00000 and three ones */
    assert_false(decode_hex("06", &text));         /* a zero in the padding */
    assert_false(decode_hex("03", &text));         /* likewise */
    assert_true(decode_hex("f8", &text));          /* none */
    assert_false(decode_hex("f8ff", &text));       /* eight ones */
    assert_false(decode_hex("ff", &text));         /* nothing but eight ones */
    assert_false(decode_hex("07ff", &text));       /* eleven */
    assert_false(decode_hex("07ffff", &text));     /* nineteen */
    assert_false(decode_hex("fffffffc", &text));   /* the end symbol, and two zeros */
    assert_false(decode_hex("ffffffff", &text));   /* and two ones */
    assert_false(decode_hex("07ffffffff", &text)); /* behind a symbol */
    assert_false(decode_hex("fe", &text));         /* cut off in a longer code */
    assert_false(decode_hex("07fffffe", &text));   /* likewise */
    buf_free(&text);
}

/* Deflates one field whose value nghttp2 codes; false when it found that not worth it. */
static bool coded_value(struct slice value, struct buf *coded) {
    static char name[] = "x";
    nghttp2_hd_deflater *deflater;
    uint8_t block[4096];
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 0), 0);
    nghttp2_nv field = {(uint8_t *)name, (uint8_t *)value.data, 1, value.size, NGHTTP2_NV_FLAG_NO_INDEX};
    ssize_t size = nghttp2_hd_deflate_hd(deflater, block, sizeof block, &field, 1);
    nghttp2_hd_deflate_del(deflater);
    assert_true(size > 0);
    buf_clear(coded);
    /* size update, form, name's size, name, value's size: all of one byte, as is made sure below */
    const uint8_t *at = block;
    while (*at >> 5 == 1)
        at++;
    at += 3;
    if (!(*at & 0x80) || (*at & 0x7f) == 0x7f)
        return false;
    assert_int_equal(at + 1 + (*at & 0x7f) - block, size);
    buf_append(coded, at + 1, *at & 0x7f);
    return true;
}

/* Every byte among cheap ones, so that its code begins at each of the eight bits and nghttp2 finds coding worth it. */
static void test_every_symbol(void **state) {
    (void)state;
    char value[64];
    struct buf coded = BUF_EMPTY, text = BUF_EMPTY;
    for (int byte = 0; byte < 256; byte++)
        for (size_t before = 0; before < 8; before++) {
            memset(value, 'a', sizeof value);
            value[before] = (char)byte;
            struct slice whole = {value, 40 + before};
            assert_true(coded_value(whole, &coded));
            buf_clear(&text);
            assert_true(hpack_huffman_decode(buf_slice(&coded), &text));
            assert_text_equal(buf_slice(&text), whole);
        }
    buf_free(&coded);
    buf_free(&text);
}

/* It is appended to what is there, which is kept when the code is broken. */
static void test_appends(void **state) {
    (void)state;
    struct buf text = BUF_EMPTY;
    buf_append_text(&text, "before ");
    assert_true(hpack_huffman_decode(SLICE_LITERAL("\x07"), &text));
    assert_text_equal(buf_slice(&text), SLICE_LITERAL("before 0"));
    assert_false(hpack_huffman_decode(SLICE_LITERAL("\xff\xff"), &text));
    assert_text_equal(buf_slice(&text), SLICE_LITERAL("before 0"));
    buf_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_every_symbol),
        cmocka_unit_test(test_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
