/* Heads that come again and again: known from the third time on, as long as the decoder's table is what it was, and
 * never other than what the block says. */
#include "h2_fixture.h"

enum { INDEXED = 0x80, WITH_INDEXING = 0x40, NEWEST = 62 };

static void append_indexed(struct buf *block, unsigned index) {
    buf_append_char(block, (char)(INDEXED | index));
}

/* A field that becomes the newest of the table. */
static void append_added(struct buf *block, const char *name, const char *value) {
    buf_append_char(block, WITH_INDEXING);
    buf_append_char(block, (char)strlen(name));
    buf_append_text(block, name);
    buf_append_char(block, (char)strlen(value));
    buf_append_text(block, value);
}

static void give(struct fixture *f, struct buf *bytes, struct buf *ret_out) {
    struct status status = give_raw(f, bytes, ret_out);
    assert_int_equal(status.code, STATUS_OK);
}

/* What /describe says about the request of that block, with those bytes behind it: "POST /describe ? @test ...". */
static void describe_request(struct fixture *f, uint32_t stream, const struct buf *block, struct buf *ret) {
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, stream, buf_slice(block));
    give(f, &bytes, &out);
    struct slice rest = buf_slice(&out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        if (frame.type == H2_FRAME_DATA)
            buf_append_slice(ret, payload);
        else
            describe_frame(ret, &frame, payload);
    }
    buf_append_char(ret, '\0');
    buf_free(&out);
}

static void expect(struct fixture *f, uint32_t *stream, const struct buf *block, const char *text) {
    struct buf got = BUF_EMPTY;
    describe_request(f, *stream, block, &got);
    struct slice said = slice_of(got.data);
    while (said.size > 0 && said.data[0] != 'P' && said.data[0] != 'R') { /* behind the answer's head */
        said.data++;
        said.size--;
    }
    assert_string_equal(said.data, text);
    *stream += 2;
    buf_free(&got);
}

/* Whether the block is known: its fields can be told although the table does not have them any more. */
static bool is_known(struct fixture *f, uint32_t *stream, const struct buf *block) {
    struct h2_session *h2 = h2_of(f);
    struct h2_head head = {.stream = h2_stream_create(h2, *stream)};
    assert_non_null(head.stream);
    *stream += 2;
    bool known = h2_known_head_recall(h2, buf_slice(block), &head);
    h2_stream_finish(head.stream, false);
    return known;
}

static void test_the_same_head(void **state) {
    struct fixture *f = *state;
    uint32_t stream = 1;
    struct buf block = request_block("/describe?q");
    append_field(&block, "x-test", "one two");
    append_field(&block, "content-length", "0");
    greet_client(f);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(is_known(f, &stream, &block), i >= 2);
        expect(f, &stream, &block, "POST /describe ?q @test x-test=one two length=0");
    }
    struct buf other = request_block("/describe");
    expect(f, &stream, &other, "POST /describe ? @test x-test=none length=-1");
    assert_false(is_known(f, &stream, &block)); /* only the last is kept */
    for (int i = 0; i < 3; i++)
        expect(f, &stream, &block, "POST /describe ?q @test x-test=one two length=0");
    assert_true(is_known(f, &stream, &block));
    block.data[block.size - 1] = '1'; /* as long, but not the same: content-length: 1 without a body */
    expect(f, &stream, &block, (char[]){'R', (char)('0' + stream / 10), (char)('0' + stream % 10), ':', '1', '\0'});
    buf_free(&other);
    buf_free(&block);
}

/* The same bytes mean something else when the table has changed, whatever changed it. */
static void test_the_table_changes(void **state) {
    struct fixture *f = *state;
    uint32_t stream = 1;
    struct buf block = request_block("/describe"), adding = BUF_EMPTY;
    append_indexed(&block, NEWEST);
    greet_client(f);
    for (int round = 0; round < 3; round++) {
        char value[] = {'v', (char)('0' + round), '\0'};
        struct buf text = BUF_EMPTY;
        buf_printf(&text, "POST /describe ? @test x-test=%s length=-1", value);
        buf_append_char(&text, '\0');
        adding = request_block("/describe");
        append_added(&adding, "x-test", value);
        expect(f, &stream, &adding, text.data);
        for (int i = 0; i < 4; i++)
            expect(f, &stream, &block, text.data);
        assert_true(is_known(f, &stream, &block));
        if (round == 1) { /* the same one once more: a block that adds is never known */
            expect(f, &stream, &adding, text.data);
            expect(f, &stream, &adding, text.data);
            assert_false(is_known(f, &stream, &adding));
        }
        buf_free(&adding);
        buf_free(&text);
    }
    struct buf empty = BUF_EMPTY, out = BUF_EMPTY, bytes = BUF_EMPTY;
    buf_append_char(&empty, 0x20); /* a table of no bytes, and again one as before */
    buf_append(&empty, "\x3f\xe1\x1f", 3);
    struct buf plain = request_block("/describe");
    buf_append_slice(&empty, buf_slice(&plain));
    expect(f, &stream, &empty, "POST /describe ? @test x-test=none length=-1");
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, stream, buf_slice(&block));
    give(f, &bytes, &out);
    assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_COMPRESSION);
    buf_free(&out);
    buf_free(&plain);
    buf_free(&empty);
    buf_free(&block);
}

/* What a head asks for besides holds for each request. */
static void test_what_else_a_head_asks_for(void **state) {
    struct fixture *f = *state;
    struct buf block = request_block("/echo"), bytes = BUF_EMPTY, text = BUF_EMPTY, out = BUF_EMPTY;
    append_field(&block, "expect", "100-continue");
    append_field(&block, "priority", "u=2, i");
    append_field(&block, "content-length", "3");
    greet_client(f);
    size_t head_bytes = 0; /* that are booked */
    for (uint32_t stream = 1; stream < 11; stream += 2) {
        append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, stream, buf_slice(&block));
        give(f, &bytes, &out);
        assert_true(h2_stream_find(h2_of(f), stream)->incremental);
        size_t booked = h2_stream_find(h2_of(f), stream)->exchange.head_bytes;
        head_bytes = head_bytes ? head_bytes : booked;
        assert_int_equal(booked, head_bytes);
        append_data(&bytes, stream, 3, H2_FLAG_END_STREAM);
        give(f, &bytes, &out);
        buf_clear(&text);
        describe(&text, &out);
        char expected[40];
        snprintf(expected, sizeof expected, "H%u H%u D%u:3.", stream, stream, stream);
        assert_string_equal(text.data, expected);
        buf_free(&out);
    }
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 11, buf_slice(&block));
    exchange_frames(f, &bytes, "R11:1"); /* its length is not kept */
    buf_free(&text);
    buf_free(&block);
}

/* Fields that the table has need few bytes. */
static void test_large_fields_of_the_table(void **state) {
    struct fixture *f = *state;
    uint32_t stream = 1;
    char value[120];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    struct buf adding = request_block("/describe"), block = request_block("/describe");
    append_added(&adding, "x-large", value);
    for (int i = 0; i < 10; i++)
        append_indexed(&block, NEWEST);
    greet_client(f);
    expect(f, &stream, &adding, "POST /describe ? @test x-test=none length=-1");
    for (int i = 0; i < 4; i++)
        expect(f, &stream, &block, "POST /describe ? @test x-test=none length=-1");
    assert_false(is_known(f, &stream, &block));
    buf_free(&adding);
    buf_free(&block);
}

/* Those over the limits of a connection are so each time. */
static void test_too_large(void **state) {
    struct fixture *f = *state;
    char value[101];
    memset(value, 'M', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int kind = 0; kind < 3; kind++) {
        struct buf block = BUF_EMPTY, head = request_block("/describe");
        if (kind == 2) { /* the first is fine */
            append_field(&block, ":method", "POST");
            append_field(&block, "x-field", value);
        } else {
            buf_append_slice(&block, buf_slice(&head));
        }
        buf_free(&head);
        f->limits = http_limits_default();
        f->limits.max_header_count = kind == 0 ? 3 : 128;
        f->limits.max_head_bytes = kind == 0 ? 1000 : kind == 1 ? 100 : 20;
        reopen(f);
        greet_client(f);
        for (int i = 0; i < 5; i++)
            append_field(&block, "x-field", "value");
        for (uint32_t stream = 1; stream < 9; stream += 2) {
            struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
            append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, stream, buf_slice(&block));
            give(f, &bytes, &out);
            if (kind < 2)
                assert_non_null(memmem(out.data, out.size, "the request head is longer", 26));
            else
                assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_ENHANCE_YOUR_CALM);
            buf_free(&out);
        }
        buf_free(&block);
    }
}

/* Those that are wrong are wrong each time, and large ones are not kept. */
static void test_not_kept(void **state) {
    struct fixture *f = *state;
    uint32_t stream = 1;
    char value[120];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    greet_client(f);
    for (int kind = 0; kind < 4; kind++) {
        struct buf block = request_block("/describe");
        if (kind == 0)
            append_field(&block, "connection", "close");
        else if (kind == 1)
            buf_consume(&block, 3 + strlen(":method") + strlen("POST")); /* no method */
        for (int i = 0; kind == 2 && i < 2; i++)
            append_field(&block, "x-large", value);
        for (int i = 0; kind == 3 && i < 17; i++)
            append_field(&block, "x", "y");
        for (int i = 0; i < 4; i++) {
            struct buf got = BUF_EMPTY;
            describe_request(f, stream, &block, &got);
            assert_int_equal(got.data[0], kind < 2 ? 'R' : 'H');
            stream += 2;
            buf_free(&got);
        }
        if (kind != 1)
            assert_false(is_known(f, &stream, &block));
        buf_free(&block);
    }
}

/* A block of no bytes, in one frame and in two: it lies nowhere. */
static void test_nothing(void **state) {
    struct fixture *f = *state;
    const struct slice nothing = {NULL, 0};
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    for (uint32_t stream = 1; stream < 17; stream += 2) {
        if (stream < 9) {
            append_frame(&bytes, H2_FRAME_HEADERS, 0, stream, nothing);
            append_frame(&bytes, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, stream, nothing);
        } else {
            append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, stream, nothing);
        }
        give(f, &bytes, &out);
        assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_PROTOCOL);
        buf_free(&out);
    }
}

/* ---- whatever comes ---- */

enum { STORIES = 300, HEADS = 60 };

/* One of few heads, most of which leave the table alone. */
static void append_some_head(struct buf *block, uint64_t *random) {
    uint64_t chance = random_next(random);
    struct buf head = request_block(chance % 4 ? "/describe" : "/describe?x");
    if (chance >> 8 & 1 && (chance >> 9) % 8 == 0)
        buf_append_char(block, 0x20), buf_append(block, "\x3f\xe1\x1f", 3);
    buf_append_slice(block, buf_slice(&head));
    buf_free(&head);
    if ((chance >> 16) % 8 == 0)
        append_added(block, "x-test", (char[]){(char)('a' + (chance >> 24) % 3), '\0'});
    else if ((chance >> 16) % 8 < 5)
        append_indexed(block, NEWEST + (chance >> 32) % 2);
    if ((chance >> 40) % 16 == 0)
        append_field(block, "te", "gzip");
}

/* The block as one of the ways that there are to send it: in pieces, with what HEADERS may have besides, or in the
 * middle of requests, whose trailers may be blocks like others. */
static void append_in_some_way(struct buf *bytes, uint64_t *random, uint32_t *stream, const struct buf *block) {
    uint64_t chance = random_next(random);
    size_t cut = (size_t)(chance >> 8) % (block->size + 1);
    struct slice whole = buf_slice(block);
    struct buf padded = BUF_EMPTY;
    *stream += 2;
    switch (chance % 8) {
    case 0:
        append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, *stream, (struct slice){whole.data, cut});
        append_frame(bytes, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, *stream,
                     (struct slice){whole.data + cut, whole.size - cut});
        break;
    case 1:
        buf_append(&padded, "\x02\0\0\0\0\0", 6);
        buf_append_slice(&padded, whole);
        buf_append(&padded, "ab", 2);
        append_frame(bytes, H2_FRAME_HEADERS,
                     H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM | H2_FLAG_PADDED | H2_FLAG_PRIORITY, *stream,
                     buf_slice(&padded));
        break;
    case 2: /* it stays open, and others may be refused */
        append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, *stream, whole);
        break;
    case 3: /* of a request that may be open, or have been refused, or ended */
        append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, *stream - 2, whole);
        *stream -= 2;
        break;
    case 4:
        append_added(&padded, "x-trailer", "t");
        append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, *stream, whole);
        append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, *stream, buf_slice(&padded));
        break;
    case 5:
        if ((chance >> 32) % 8 == 0) /* its end is missing */
            whole.size = cut;
        append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, *stream, whole);
        break;
    default:
        append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, *stream, whole);
        break;
    }
    buf_free(&padded);
}

/* All that the session sends, counts and books. */
static void tell(struct fixture *f, const struct buf *out, struct buf *ret) {
    const struct h2_session *h2 = h2_of(f);
    const struct hpack_table *table = &h2->decoder.table;
    struct slice rest = buf_slice(out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        describe_frame(ret, &frame, payload);
        if (frame.type == H2_FRAME_DATA)
            buf_append_slice(ret, payload);
    }
    buf_printf(ret, " glitches %u refusals %u streams %zu held %zu last %u table %u %u %zu\n", h2->glitches,
               h2->refusals, h2->stream_count, h2->pool.account.held, h2->last_taken_id, table->added, table->count,
               table->size);
}

static void run_story(struct fixture *f, uint64_t seed, bool forgetful, struct buf *ret) {
    uint64_t random = seed * 2654435761 + 7;
    peer_close(&f->peer);
    f->limits.max_concurrent_streams = 4;
    f->limits.budget = seed % 4 == 0 ? &f->budget : NULL;
    f->budget.max_bytes = 10000 + seed * 20;
    peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
    greet_client(f);
    struct buf first = request_block("/describe"), last = BUF_EMPTY;
    append_added(&first, "x-test", "first");
    append_added(&first, "x-test", "second");
    uint32_t stream = 1;
    describe_request(f, stream, &first, ret);
    for (int i = 0; i < HEADS && !finished(f); i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        if (random_next(&random) % 3 == 0 || last.size == 0) {
            buf_clear(&last);
            append_some_head(&last, &random);
        }
        if (forgetful) {
            free(h2_of(f)->known_head);
            h2_of(f)->known_head = NULL;
        }
        append_in_some_way(&bytes, &random, &stream, &last);
        if (random_next(&random) % 16 == 0 && stream > 9)
            append_reset(&bytes, stream - 2 * (uint32_t)(random_next(&random) % 4));
        give(f, &bytes, &out);
        tell(f, &out, ret);
        buf_free(&out);
    }
    buf_free(&first);
    buf_free(&last);
}

static void test_the_same_as_without(void **state) {
    struct fixture *f = *state;
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        struct buf with = BUF_EMPTY, without = BUF_EMPTY;
        run_story(f, seed, false, &with);
        run_story(f, seed, true, &without);
        assert_int_equal(with.size, without.size);
        assert_memory_equal(with.data, without.data, with.size);
        buf_free(&with);
        buf_free(&without);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_the_same_head), TEST(test_the_table_changes),         TEST(test_what_else_a_head_asks_for),
        TEST(test_not_kept),      TEST(test_large_fields_of_the_table), TEST(test_too_large),
        TEST(test_nothing),       TEST(test_the_same_as_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
