#include <nghttp2/nghttp2.h>

#include "hpack_blocks.h"

static void assert_decodes(struct hpack_decoder *decoder, const char *hex, const char *fields) {
    struct buf block = BUF_EMPTY, text = BUF_EMPTY;
    append_hex(&block, hex);
    assert_int_equal(decode_block(decoder, buf_slice(&block), &text), HPACK_END);
    assert_text_equal(buf_slice(&text), slice_of(fields));
    buf_free(&block);
    buf_free(&text);
}

/* A block of a connection of its own, with one entry "a: b" in the table. */
static enum hpack_outcome outcome_of(const char *hex) {
    struct hpack_decoder decoder;
    struct buf block = BUF_EMPTY, text = BUF_EMPTY;
    hpack_decoder_init(&decoder);
    assert_decodes(&decoder, "40 01 61 01 62", "a: b\n");
    append_hex(&block, hex);
    enum hpack_outcome outcome = decode_block(&decoder, buf_slice(&block), &text);
    buf_free(&block);
    buf_free(&text);
    hpack_decoder_free(&decoder);
    return outcome;
}

/* C.2: each form alone. */
static void test_forms(void **state) {
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder);
    assert_decodes(&decoder, "400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header\n");
    assert_int_equal(decoder.table.size, 55);
    assert_decodes(&decoder, "040c2f73616d706c652f70617468", ":path: /sample/path\n");
    assert_decodes(&decoder, "100870617373776f726406736563726574", "password: secret\n");
    assert_decodes(&decoder, "82", ":method: GET\n");
    assert_int_equal(decoder.table.count, 1);
    assert_decodes(&decoder, "be", "custom-key: custom-header\n");
    assert_decodes(&decoder, "", "");
    hpack_decoder_free(&decoder);
}

static void run_examples(const struct hpack_example examples[HPACK_EXAMPLES], bool coded, size_t size) {
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder);
    for (size_t i = 0; i < HPACK_EXAMPLES; i++)
        assert_decodes(&decoder, coded ? examples[i].coded : examples[i].plain, examples[i].fields);
    assert_int_equal(decoder.table.size, size);
    hpack_decoder_free(&decoder);
}

static void test_examples(void **state) {
    (void)state;
    run_examples(hpack_requests, false, 164);
    run_examples(hpack_requests, true, 164);
    run_examples(hpack_responses, false, 215);
    run_examples(hpack_responses, true, 215);
}

static void test_indices(void **state) {
    (void)state;
    assert_int_equal(outcome_of("be"), HPACK_END);
    assert_int_equal(outcome_of("80"), HPACK_BROKEN); /* 0 */
    assert_int_equal(outcome_of("bf"), HPACK_BROKEN); /* 63 */
    assert_int_equal(outcome_of("ff 00"), HPACK_BROKEN);
    assert_int_equal(outcome_of("ff ff ff 7f"), HPACK_BROKEN);
    assert_int_equal(outcome_of("7e 01 63"), HPACK_END);       /* names: 62 */
    assert_int_equal(outcome_of("7f 00 01 63"), HPACK_BROKEN); /* 63 */
    assert_int_equal(outcome_of("0f 2f 01 63"), HPACK_END);    /* 62 */
    assert_int_equal(outcome_of("0f 30 01 63"), HPACK_BROKEN); /* 63 */
    assert_int_equal(outcome_of("1f 30 01 63"), HPACK_BROKEN);
}

static void test_numbers(void **state) {
    (void)state;
    assert_int_equal(outcome_of("0f af 80 80 00 01 63"), HPACK_END); /* 62, in four bytes more */
    assert_int_equal(outcome_of("0f af 80 80 80 00 01 63"), HPACK_BROKEN);
    assert_int_equal(outcome_of("0f ff ff ff 7f 01 63"), HPACK_BROKEN); /* the largest, plus 15: above 2^28 */
    assert_int_equal(outcome_of("ff ff ff ff ff ff ff ff ff ff 01"), HPACK_BROKEN);
    assert_int_equal(outcome_of("00 01 61 7f ff ff ff ff 0f"), HPACK_BROKEN); /* a text of 4 GiB */
    assert_int_equal(outcome_of("00 01 61 7f ff ff ff 7e 62"), HPACK_BROKEN); /* one not there */
}

/* Every block cut off anywhere within its last field. */
static void test_cut_off(void **state) {
    (void)state;
    static const char *const whole[] = {"40 01 61 01 62", "00 01 61 82 00 7f", "44 03 2f 61 62",    "ff 80 00",
                                        "3f 81 00",       "00 7f 00",          "10 82 1c 7f 01 62", "0f 2f 01 63"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        char cut[64] = "";
        for (size_t size = 2; size < strlen(whole[i]); size += 3) {
            memcpy(cut, whole[i], size);
            cut[size] = 0;
            assert_int_equal(outcome_of(cut), HPACK_BROKEN);
        }
    }
}

static void test_size_updates(void **state) {
    (void)state;
    assert_int_equal(outcome_of("20 82"), HPACK_END);
    assert_int_equal(outcome_of("20"), HPACK_END);
    assert_int_equal(outcome_of("20 be"), HPACK_BROKEN);       /* which emptied the table */
    assert_int_equal(outcome_of("3f e1 1f be"), HPACK_END);    /* 4096 */
    assert_int_equal(outcome_of("3f e2 1f 82"), HPACK_BROKEN); /* 4097 */
    assert_int_equal(outcome_of("20 3f e1 1f 82"), HPACK_END); /* down and up */
    assert_int_equal(outcome_of("20 20 20 82"), HPACK_BROKEN); /* three of them */
    assert_int_equal(outcome_of("82 20"), HPACK_BROKEN);       /* behind a field */
    assert_int_equal(outcome_of("82 20 01 61 01 62"), HPACK_BROKEN);
    assert_int_equal(outcome_of("20 82 20 82"), HPACK_BROKEN); /* likewise */
    assert_int_equal(outcome_of("00 01 61 01 62 3f e1 1f"), HPACK_BROKEN);
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder);
    assert_decodes(&decoder, "20 40 01 61 01 62", "a: b\n"); /* too large for the table */
    assert_int_equal(decoder.table.count, 0);
    assert_decodes(&decoder, "3f e1 1f 40 01 61 01 62 be", "a: b\na: b\n");
    hpack_decoder_free(&decoder);
}

static void test_texts(void **state) {
    (void)state;
    assert_int_equal(outcome_of("00 81 1f 00"), HPACK_END);    /* "a": 00011 and ones */
    assert_int_equal(outcome_of("00 81 1e 00"), HPACK_BROKEN); /* padding with a zero */
    assert_int_equal(outcome_of("00 01 61 82 1f ff"), HPACK_BROKEN);
    assert_int_equal(outcome_of("00 01 61 84 ff ff ff ff"), HPACK_BROKEN); /* the end symbol */
    assert_int_equal(outcome_of("00 00 00"), HPACK_END); /* empty texts are none of HPACK's business */
    assert_int_equal(outcome_of("00 80 80"), HPACK_END);
}

/* A long text that was coded leaves no memory behind, a short one leaves its own for the next. */
static void test_memory_between_blocks(void **state) {
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder);
    for (size_t size = 240; size <= 4000; size += 3760) { /* of 'a': five bits each */
        struct buf block = BUF_EMPTY, text = BUF_EMPTY, wanted = BUF_EMPTY;
        size_t coded = size * 5 / 8;
        append_hex(&block, "00 01 78 ff");
        for (size_t left = coded - 127;; left >>= 7) {
            buf_append_char(&block, (char)(left < 0x80 ? left : 0x80 | (left & 0x7f)));
            if (left < 0x80)
                break;
        }
        for (size_t i = 0; i < coded; i++)
            buf_append_char(&block, "\x18\xc6\x31\x8c\x63"[i % 5]);
        assert_int_equal(decode_block(&decoder, buf_slice(&block), &text), HPACK_END);
        buf_append_text(&wanted, "x: ");
        for (size_t i = 0; i < size; i++)
            buf_append_char(&wanted, 'a');
        buf_append_char(&wanted, '\n');
        assert_text_equal(buf_slice(&text), buf_slice(&wanted));
        assert_true(size < 1000 ? decoder.value.capacity > 0 : decoder.value.capacity == 0);
        buf_free(&block);
        buf_free(&text);
        buf_free(&wanted);
    }
    hpack_decoder_free(&decoder);
}

/* Section 4.4: the name is of the entry that makes room for the field, or for which even the empty table is too small.
 */
static void test_name_of_an_evicted_entry(void **state) {
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder);
    assert_decodes(&decoder, "3f 09 40 01 61 02 62 62", "a: bb\n"); /* 40 bytes */
    assert_decodes(&decoder, "7e 03 63 63 63", "a: ccc\n");
    assert_int_equal(decoder.table.count, 1);
    assert_decodes(&decoder, "be", "a: ccc\n");
    assert_decodes(&decoder, "7e 08 64 64 64 64 64 64 64 64", "a: dddddddd\n");
    assert_int_equal(decoder.table.count, 0);
    hpack_decoder_free(&decoder);
}

/* What nghttp2 makes of random fields, its table and ours in step, through changes of the limit. */
static void test_against_nghttp2(void **state) {
    (void)state;
    static struct random_fields random = {.seed = 11};
    struct hpack_decoder decoder;
    struct buf wanted = BUF_EMPTY, fields = BUF_EMPTY;
    nghttp2_hd_deflater *deflater;
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, HPACK_TABLE_DEFAULT), 0);
    hpack_decoder_init(&decoder);
    for (int round = 0; round < 1500; round++) {
        static uint8_t block[1 << 16];
        nghttp2_nv nva[RANDOM_FIELDS];
        for (uint32_t changes = next_random(&random.seed) % 16; changes >= 13; changes--)
            assert_int_equal(
                nghttp2_hd_deflate_change_table_size(deflater, next_random(&random.seed) % (HPACK_TABLE_DEFAULT + 1)),
                0);
        next_fields(&random);
        for (size_t i = 0; i < random.count; i++) {
            struct hpack_field field = random.fields[i];
            uint8_t flags = next_random(&random.seed) % 4 ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX;
            nva[i] = (nghttp2_nv){(uint8_t *)field.name.data, (uint8_t *)field.value.data, field.name.size,
                                  field.value.size, flags};
        }
        ssize_t size = nghttp2_hd_deflate_hd(deflater, block, sizeof block, nva, random.count);
        assert_true(size >= 0);
        buf_clear(&wanted);
        append_fields(&wanted, &random);
        assert_int_equal(decode_block(&decoder, (struct slice){(char *)block, (size_t)size}, &fields), HPACK_END);
        assert_text_equal(buf_slice(&fields), buf_slice(&wanted));
        assert_int_equal(decoder.table.size, nghttp2_hd_deflate_get_dynamic_table_size(deflater));
    }
    nghttp2_hd_deflate_del(deflater);
    hpack_decoder_free(&decoder);
    buf_free(&wanted);
    buf_free(&fields);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_indices),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_size_updates),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_memory_between_blocks),
        cmocka_unit_test(test_name_of_an_evicted_entry),
        cmocka_unit_test(test_against_nghttp2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
