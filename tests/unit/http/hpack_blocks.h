/* hpack_blocks.h: for the tests of HPACK: the examples of RFC 7541 Appendix C, header blocks as texts, and random
 * fields. */
#ifndef INFERD_TESTS_HPACK_BLOCKS_H
#define INFERD_TESTS_HPACK_BLOCKS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "http/hpack_decode.h"

/* A block and its fields, "name: value\n" each; plain and coded are of the same fields. */
struct hpack_example {
    const char *plain, *coded, *fields;
};

#define GET_EXAMPLE(scheme, path) ":method: GET\n:scheme: " scheme "\n:path: " path "\n:authority: www.example.com\n"

static const struct hpack_example hpack_requests[] = {
    /* C.3 and C.4 */
    {"828684410f7777772e6578616d706c652e636f6d", "828684418cf1e3c2e5f23a6ba0ab90f4ff", GET_EXAMPLE("http", "/")},
    {"828684be58086e6f2d6361636865", "828684be5886a8eb10649cbf", GET_EXAMPLE("http", "/") "cache-control: no-cache\n"},
    {"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
     GET_EXAMPLE("https", "/index.html") "custom-key: custom-value\n"},
};

static const struct hpack_example hpack_responses[] = {
    /* C.5 and C.6, with a table of 256 bytes, which they begin with */
    {"3fe10148033330325807707269766174656"
     "11d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
     "3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d"
     "3",
     ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n"},
    {"4803333037c1c0bf", "4883640effc1c0bf",
     ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n"},
    {"88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a5"
     "84f"
     "5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
     "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f367"
     "2"
     "c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
     ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\n"
     "content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"},
};

enum { HPACK_EXAMPLES = 3 };

static inline unsigned hex_digit(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Appends the bytes that a text of hexadecimal digits, blanks between them or not, stands for. */
static inline void append_hex(struct buf *out, const char *hex) {
    for (; *hex; hex += 2) {
        if (*hex == ' ')
            hex++;
        buf_append_char(out, (char)(hex_digit(hex[0]) << 4 | hex_digit(hex[1])));
    }
}

static inline void append_field(struct buf *out, struct hpack_field field) {
    buf_append_slice(out, field.name);
    buf_append_text(out, ": ");
    buf_append_slice(out, field.value);
    buf_append_char(out, '\n');
}

/* Decodes a whole block, from memory of just its size; *fields is set to its fields as texts. */
static inline enum hpack_outcome decode_block(struct hpack_decoder *decoder, struct slice block, struct buf *fields) {
    char *copy = malloc(block.size + 1);
    if (block.size > 0)
        memcpy(copy + 1, block.data, block.size);
    struct slice rest = {copy + 1, block.size};
    struct hpack_field field;
    enum hpack_outcome outcome;
    buf_clear(fields);
    hpack_decode_begin(decoder);
    while ((outcome = hpack_decode_next(decoder, &rest, &field)) == HPACK_FIELD)
        append_field(fields, field);
    free(copy);
    return outcome;
}

static inline uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

enum { RANDOM_FIELDS = 12, RANDOM_TEXT = 512 };

/* Fields of a message: names and values that come again, some that never do, all bytes in values, now and then a long
 * one. */
struct random_fields {
    uint32_t seed;
    size_t count;
    struct hpack_field fields[RANDOM_FIELDS];
    char texts[RANDOM_FIELDS][RANDOM_TEXT];
};

static inline struct hpack_field random_field(uint32_t *seed, char room[RANDOM_TEXT]) {
    static const char *const names[] = {":status", ":path", "content-type", "date",     "grpc-status", "x",
                                        "te",      "age",   "user-agent",   "accept-x", "grpc-trace",  "y-y"};
    static const char *const values[] = {"", "200", "application/grpc", "trailers", "0", "gzip, deflate", "/a/b"};
    struct slice name = slice_of(names[next_random(seed) % 12]), value = slice_of(values[next_random(seed) % 7]);
    uint32_t kind = next_random(seed) % 8;
    if (kind < 3) {
        size_t size = next_random(seed) % (kind == 0 ? RANDOM_TEXT : 24);
        for (size_t i = 0; i < size; i++)
            room[i] = (char)(next_random(seed) % (kind == 2 ? 256 : 4) + (kind == 2 ? 0 : 'a'));
        value = (struct slice){room, size};
    }
    return (struct hpack_field){name, value};
}

static inline void next_fields(struct random_fields *random) {
    random->count = next_random(&random->seed) % (RANDOM_FIELDS + 1);
    for (size_t i = 0; i < random->count; i++)
        random->fields[i] = random_field(&random->seed, random->texts[i]);
}

static inline void append_fields(struct buf *out, const struct random_fields *random) {
    for (size_t i = 0; i < random->count; i++)
        append_field(out, random->fields[i]);
}

#define assert_text_equal(a, b)                                                                                        \
    do {                                                                                                               \
        struct slice left = (a), right = (b);                                                                          \
        assert_int_equal(left.size, right.size);                                                                       \
        assert_true(slice_equal(left, right));                                                                         \
    } while (0)

#endif
