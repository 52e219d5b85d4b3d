/* Length-prefixed messages in every split, compressed ones within their limit, and bytes that are no messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../base/packed.h"
#include "grpc/message_reader.h"
#include "grpc/message_unpack.h"

static void append_message(struct buf *out, unsigned flag, struct slice message) {
    const unsigned char prefix[MESSAGE_PREFIX_BYTES] = {
        (unsigned char)flag, (unsigned char)(message.size >> 24), (unsigned char)(message.size >> 16),
        (unsigned char)(message.size >> 8), (unsigned char)message.size};
    buf_append(out, prefix, sizeof prefix);
    buf_append_slice(out, message);
}

/* Reads all messages, `step` bytes at a time; "<first><second>..." in ret, with "+" when an unfinished one is left. */
static struct status read_all(enum grpc_encoding encoding, size_t max, struct slice bytes, size_t step,
                              struct buf *ret) {
    struct message_reader reader = {.encoding = encoding, .max_bytes = max};
    struct status status = status_ok();
    for (size_t at = 0; at < bytes.size && status_is_ok(&status);) {
        size_t n = step && step < bytes.size - at ? step : bytes.size - at, taken = 0;
        bool complete = false;
        status = message_reader_take(&reader, bytes.data + at, n, &taken, &complete);
        at += taken;
        if (!status_is_ok(&status))
            break;
        assert_true(taken > 0);
        if (complete && message_reader_is_packed(&reader))
            status = message_unpack(encoding, max, (struct inflate_gate){NULL, NULL}, &reader.message);
        if (complete && status_is_ok(&status)) {
            buf_append_char(ret, '<');
            buf_append_slice(ret, buf_slice(&reader.message));
            buf_append_char(ret, '>');
            message_reader_next(&reader);
        }
    }
    if (!message_reader_is_empty(&reader))
        buf_append_char(ret, '+');
    message_reader_free(&reader);
    return status;
}

static void expect(enum grpc_encoding encoding, size_t max, struct slice bytes, const char *expected) {
    for (size_t step = 0; step < 8; step++) {
        struct buf out = BUF_EMPTY;
        struct status status = read_all(encoding, max, bytes, step, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_true(slice_equal_text(buf_slice(&out), expected));
        buf_free(&out);
    }
}

static void expect_error(enum grpc_encoding encoding, size_t max, struct slice bytes, enum status_code code) {
    for (size_t step = 0; step < 8; step++) {
        struct buf out = BUF_EMPTY;
        struct status status = read_all(encoding, max, bytes, step, &out);
        assert_int_equal(status.code, code);
        assert_true(status.message[0] != '\0');
        buf_free(&out);
    }
}

static void test_plain_messages(void **state) {
    (void)state;
    struct buf bytes = BUF_EMPTY;
    append_message(&bytes, 0, SLICE_LITERAL("first"));
    append_message(&bytes, 0, SLICE_LITERAL(""));
    append_message(&bytes, 0, SLICE_LITERAL("third one"));
    expect(GRPC_ENCODING_IDENTITY, 9, buf_slice(&bytes), "<first><><third one>");
    expect_error(GRPC_ENCODING_IDENTITY, 8, buf_slice(&bytes), STATUS_RESOURCE_EXHAUSTED);
    /* Cut anywhere, it is all of the messages before and an unfinished one. */
    for (size_t n = 0; n < bytes.size; n++) {
        struct buf out = BUF_EMPTY;
        char *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, bytes.data, n);
        struct status status = read_all(GRPC_ENCODING_IDENTITY, 9, (struct slice){exact, n}, 0, &out);
        assert_int_equal(status.code, STATUS_OK);
        bool between = n == 0 || n == 10 || n == 15;
        assert_int_equal(out.size > 0 && out.data[out.size - 1] == '+', !between);
        buf_free(&out);
        free(exact);
    }
    buf_free(&bytes);
}

static void test_bad_prefixes(void **state) {
    (void)state;
    expect_error(GRPC_ENCODING_GZIP, 100, (struct slice){"\2\0\0\0\0", 5}, STATUS_INTERNAL);
    expect_error(GRPC_ENCODING_GZIP, 100, (struct slice){"\xff\0\0\0\0", 5}, STATUS_INTERNAL);
    expect_error(GRPC_ENCODING_IDENTITY, 100, (struct slice){"\1\0\0\0\0", 5}, STATUS_INTERNAL);
    expect_error(GRPC_ENCODING_IDENTITY, 100, (struct slice){"\0\xff\xff\xff\xff", 5}, STATUS_RESOURCE_EXHAUSTED);
}

static void test_promised_messages_take_no_memory(void **state) {
    (void)state;
    struct message_reader reader = {.max_bytes = UINT32_MAX};
    size_t taken;
    bool complete;
    struct status status = message_reader_take(&reader,
                                               "\0\xff\xff\xff\xff"
                                               "x",
                                               6, &taken, &complete);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(complete);
    assert_true(reader.message.capacity <= 2 << 20);
    message_reader_free(&reader);
}

static void test_compressed_messages(void **state) {
    (void)state;
    static const struct {
        enum grpc_encoding encoding;
        int window_bits;
    } rows[] = {{GRPC_ENCODING_DEFLATE, 15}, {GRPC_ENCODING_GZIP, 31}};
    for (size_t i = 0; i < 2; i++) {
        struct buf packed = pack(SLICE_LITERAL("hello hello hello"), rows[i].window_bits), bytes = BUF_EMPTY;
        append_message(&bytes, 1, buf_slice(&packed));
        append_message(&bytes, 0, SLICE_LITERAL("plain")); /* the flag is per message */
        append_message(&bytes, 1, SLICE_LITERAL(""));
        expect(rows[i].encoding, 100, buf_slice(&bytes), "<hello hello hello><plain><>");
        /* The limit holds for what it unpacks to: 17 bytes fit, 16 do not hold it. */
        struct buf alone = BUF_EMPTY;
        append_message(&alone, 1, (struct slice){packed.data, packed.size});
        expect_error(rows[i].encoding, 16, buf_slice(&alone), STATUS_RESOURCE_EXHAUSTED);
        expect_error(rows[1 - i].encoding, 100, buf_slice(&alone), STATUS_INTERNAL); /* the wrong kind */
        /* Cut short, and with bytes behind its end. */
        struct buf cut = BUF_EMPTY;
        append_message(&cut, 1, (struct slice){packed.data, packed.size - 1});
        expect_error(rows[i].encoding, 100, buf_slice(&cut), STATUS_INTERNAL);
        buf_append_char(&packed, 'x');
        buf_clear(&cut);
        append_message(&cut, 1, buf_slice(&packed));
        expect_error(rows[i].encoding, 100, buf_slice(&cut), STATUS_INTERNAL);
        buf_free(&cut);
        buf_free(&alone);
        buf_free(&bytes);
        buf_free(&packed);
    }
}

static void test_large_compressed_messages(void **state) {
    (void)state;
    size_t size = 3 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)((i * i) >> 7);
    struct buf packed = pack((struct slice){text, size}, 31), bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_message(&bytes, 1, buf_slice(&packed));
    struct status status = read_all(GRPC_ENCODING_GZIP, size, buf_slice(&bytes), 10000, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(out.size, size + 2);
    assert_memory_equal(out.data + 1, text, size);
    buf_free(&out);
    status = read_all(GRPC_ENCODING_GZIP, size - 1, buf_slice(&bytes), 10000, &out);
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    buf_free(&out);
    buf_free(&bytes);
    buf_free(&packed);
    free(text);
}

static void test_mutated_compressed_messages(void **state) {
    (void)state;
    struct buf packed = pack(SLICE_LITERAL("some text, some text, some other text"), 31), bytes = BUF_EMPTY;
    append_message(&bytes, 1, buf_slice(&packed));
    uint64_t random = 0x9e3779b97f4a7c15;
    size_t errors = 0;
    for (int round = 0; round < 5000; round++) {
        struct buf broken = BUF_EMPTY, out = BUF_EMPTY;
        buf_append_slice(&broken, buf_slice(&bytes));
        random = random * 6364136223846793005u + 1442695040888963407u;
        broken.data[(random >> 33) % broken.size] ^= (char)(1u << (random >> 60) % 8);
        struct status status = read_all(GRPC_ENCODING_GZIP, 1000, buf_slice(&broken), 1 + (random >> 20) % 9, &out);
        errors += !status_is_ok(&status);
        buf_free(&out);
        buf_free(&broken);
    }
    assert_true(errors > 3000);
    buf_free(&bytes);
    buf_free(&packed);
}

/* Bytes may be put where the message lies, as far as it goes and there is memory. */
static void test_places(void **state) {
    (void)state;
    enum { SIZE = 5 << 20 };
    struct message_reader reader = {.max_bytes = SIZE};
    size_t room = 0, taken = 0;
    bool complete = false;
    struct status status = message_reader_take(&reader, "\0\0\x50\0", 4, &taken, &complete);
    assert_int_equal(status.code, STATUS_OK);
    assert_null(message_reader_place(&reader, &room)); /* its size is not known */
    status = message_reader_take(&reader, "\0ab", 3, &taken, &complete);
    assert_int_equal(status.code, STATUS_OK);
    for (size_t at = 2, n; !complete; at += n) {
        char *place = message_reader_place(&reader, &room);
        assert_non_null(place);
        assert_ptr_equal(place, reader.message.data + at);
        assert_true(room <= SIZE - at && room <= (at < (1 << 20) ? (size_t)2 << 20 : 2 * at));
        n = room > 100000 ? room - 70000 : room; /* some is left to be copied */
        memset(place, 'x', n);
        status = message_reader_take(&reader, place, n, &taken, &complete);
        assert_int_equal(status.code, STATUS_OK);
        assert_int_equal(taken, n);
        assert_ptr_equal(place, reader.message.data + at);
        if (room > n && n > 0 && at % 2 == 0) {
            status = message_reader_take(&reader, "y", 1, &taken, &complete);
            assert_int_equal(status.code, STATUS_OK);
            at++;
        }
    }
    assert_int_equal(reader.message.size, SIZE);
    assert_null(message_reader_place(&reader, &room));
    size_t others = 0;
    for (size_t i = 0; i < SIZE; i++)
        others += reader.message.data[i] != 'x';
    assert_true(others >= 3 && others < 20);
    message_reader_next(&reader);
    assert_null(message_reader_place(&reader, &room));
    message_reader_free(&reader);
}

/* Memory that other bytes were put into is used until the message has come as far. */
static void test_misplaced(void **state) {
    (void)state;
    enum { SIZE = 100000, CAME = 20000 };
    struct message_reader reader = {.encoding = GRPC_ENCODING_IDENTITY, .max_bytes = SIZE};
    struct buf bytes = BUF_EMPTY;
    char *message = calloc(1, SIZE);
    assert_non_null(message);
    append_message(&bytes, 0, (struct slice){message, SIZE});
    size_t taken = 0, room = 0, at = MESSAGE_PREFIX_BYTES + CAME;
    bool complete = false;
    struct status status = message_reader_take(&reader, bytes.data, at, &taken, &complete);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(message_reader_used(&reader), CAME);
    message_reader_misplaced(&reader, message_reader_place(&reader, &room) + 5000);
    assert_int_equal(message_reader_used(&reader), CAME + 5000);
    message_reader_misplaced(&reader, message_reader_place(&reader, &room) + 10);
    assert_int_equal(message_reader_used(&reader), CAME + 5000);
    status = message_reader_take(&reader, bytes.data + at, 6000, &taken, &complete);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(message_reader_used(&reader), CAME + 6000);
    message_reader_misplaced(&reader, message_reader_place(&reader, &room) + room);
    assert_int_equal(message_reader_used(&reader), SIZE);
    status = message_reader_take(&reader, bytes.data + at + 6000, SIZE - CAME - 6000, &taken, &complete);
    assert_int_equal(status.code, STATUS_OK);
    assert_true(complete);
    buf_free(&reader.message); /* taken out */
    message_reader_next(&reader);
    assert_int_equal(message_reader_used(&reader), 0);
    message_reader_free(&reader);
    buf_free(&bytes);
    free(message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_messages),
        cmocka_unit_test(test_bad_prefixes),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_misplaced),
        cmocka_unit_test(test_promised_messages_take_no_memory),
        cmocka_unit_test(test_compressed_messages),
        cmocka_unit_test(test_large_compressed_messages),
        cmocka_unit_test(test_mutated_compressed_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
