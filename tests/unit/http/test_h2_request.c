/* Header blocks as requests: what fields may be, bounds and budget of heads, trailers, Content-Length. */
#include "h2_fixture.h"

/* Appends a head of the fields given as "name: value" texts up to NULL. */
static void append_head(struct buf *out, uint32_t stream, const char *const *fields, unsigned flags) {
    struct buf block = BUF_EMPTY;
    for (; *fields; fields++) {
        char name[64] = "";
        const char *end = strstr(*fields, ": ");
        memcpy(name, *fields, (size_t)(end - *fields));
        append_field(&block, name, end + 2);
    }
    append_block(out, stream, &block, flags);
}

/* A request to /echo with one more field. */
static void append_request_with(struct buf *out, uint32_t stream, const char *name, const char *value, unsigned flags) {
    struct buf block = request_block("/echo");
    append_field(&block, name, value);
    append_block(out, stream, &block, flags);
}

/* ---- fields ---- */

/* Requests that break the rules of RFC 9113 are reset; others on the connection go on. */
static void test_malformed_requests(void **state) {
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"Upper", "x"},      {"connection", "close"}, {"transfer-encoding", "chunked"},
        {":path", "/twice"}, {":unknown", "x"},       {"content-length", "x"},
        {"te", "gzip"},      {"x-value", "a\nb"},     {"", "x"},
    };
    struct fixture *f = *state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/echo");
        append_field(&block, rows[i].name, rows[i].value);
        if (i == 0)
            append_preface(&bytes);
        append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 2 * i + 1, buf_slice(&block));
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_PROTOCOL);
        buf_free(&block);
        buf_free(&out);
    }
    assert_int_equal(f->recorder.heads, 0);
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_request(&bytes, 101, "/echo", H2_FLAG_END_STREAM);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->recorder.heads, 1);
    buf_free(&out);
}

#define METHOD ":method: GET"
#define SCHEME ":scheme: http"
#define PATH ":path: /describe"
#define AUTHORITY ":authority: test"

/* Fields that each request has, and their order (RFC 9113 section 8.3). */
static void test_heads_that_lack_something(void **state) {
    static const char *const heads[][8] = {
        {NULL},
        {METHOD, SCHEME, PATH, NULL},
        {METHOD, SCHEME, AUTHORITY, NULL},
        {METHOD, PATH, AUTHORITY, NULL},
        {SCHEME, PATH, AUTHORITY, NULL},
        {METHOD, SCHEME, PATH, "host: test", AUTHORITY, NULL},
        {METHOD, METHOD, SCHEME, PATH, AUTHORITY, NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY, NULL},
        {METHOD, SCHEME, SCHEME, PATH, AUTHORITY, NULL},
        {METHOD, SCHEME, PATH, ":authority: ", NULL},
        {METHOD, SCHEME, PATH, "host: ", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "host: a", "host: a", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, ":status: 200", NULL},
        {":method: G T", SCHEME, PATH, AUTHORITY, NULL},
        {":method: ", SCHEME, PATH, AUTHORITY, NULL},
        {METHOD, ":scheme: ", PATH, AUTHORITY, NULL},
        {METHOD, SCHEME, ":path: ", AUTHORITY, NULL},
        {METHOD, SCHEME, ":path: no/slash", AUTHORITY, NULL},
        {METHOD, SCHEME, ":path: /a ", AUTHORITY, NULL},
        {":method: CONNECT", ":scheme: http", AUTHORITY, NULL},
        {":method: CONNECT", PATH, AUTHORITY, NULL},
        {":method: CONNECT", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "content-length: 1", "content-length: 1", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "content-length: -1", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "content-length: 9223372036854775808", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "upgrade: h2c", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "keep-alive: 5", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "proxy-connection: x", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "x:y: z", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "x:  z", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "x: z\t", NULL},
        {METHOD, SCHEME, PATH, AUTHORITY, "x: a long value with a DEL \x7f in it", NULL},
    };
    struct fixture *f = *state;
    greet_client(f);
    for (uint32_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct buf bytes = BUF_EMPTY;
        char frames[16];
        append_head(&bytes, 2 * i + 1, heads[i], i % 2 ? H2_FLAG_END_STREAM : 0);
        snprintf(frames, sizeof frames, "R%u:1", 2 * i + 1);
        exchange_frames(f, &bytes, frames);
    }
    assert_int_equal(f->recorder.heads, 0);
}

static void test_heads_that_are_fine(void **state) {
    static const struct {
        const char *head[9];
        const char *told; /* by /describe, or in the answer of the session itself */
    } rows[] = {
        {{METHOD, SCHEME, PATH, AUTHORITY, NULL}, "GET /describe ? @test x-test=none length=-1"},
        {{AUTHORITY, PATH, SCHEME, METHOD, NULL}, "GET /describe ? @test x-test=none length=-1"},
        {{METHOD, SCHEME, PATH, "host: other", NULL}, "GET /describe ? @other x-test=none length=-1"},
        {{METHOD, SCHEME, PATH, AUTHORITY, "host: other", NULL}, "GET /describe ? @test x-test=none length=-1"},
        {{METHOD, SCHEME, ":path: /describe?a=b?c", AUTHORITY, "x-test: ", NULL},
         "GET /describe ?a=b?c @test x-test= length=-1"},
        {{METHOD, SCHEME, PATH, AUTHORITY, "te: Trailers", "x-test: \xc3\xa4 \t b", "content-length: 0", NULL},
         "GET /describe ? @test x-test=\xc3\xa4 \t b length=0"},
        {{METHOD, "x-scheme: y", SCHEME, NULL}, NULL},
        {{METHOD, SCHEME, ":path: /a#b", AUTHORITY, NULL}, "the request target is not a path"},
        {{METHOD, SCHEME, ":path: *", AUTHORITY, NULL}, "the request target is not a path"},
        {{METHOD, SCHEME, PATH, ":authority: a/b", NULL}, "the Host field is not a host and port"},
    };
    struct fixture *f = *state;
    greet_client(f);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        append_head(&bytes, 2 * i + 1, rows[i].head, H2_FLAG_END_STREAM);
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        if (rows[i].told)
            assert_non_null(memmem(out.data, out.size, rows[i].told, strlen(rows[i].told)));
        else
            assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_PROTOCOL);
        buf_free(&out);
    }
}

static void test_connect_is_refused(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = BUF_EMPTY;
    append_preface(&bytes);
    append_field(&block, ":method", "CONNECT");
    append_field(&block, ":authority", "test:80");
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 1, buf_slice(&block));
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->recorder.heads, 0);
    assert_non_null(memmem(out.data, out.size, "CONNECT is not implemented", 26));
    buf_free(&block);
    buf_free(&out);
}

/* A client that asks is told to go on, but not when its request is answered already or has no body. */
static void test_expect_continue(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request_with(&bytes, 1, "expect", "100-Continue", 0);
    exchange_frames(f, &bytes, "H1");
    append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, SLICE_LITERAL("body"));
    exchange_frames(f, &bytes, "H1 D1:4.");
    append_request_with(&bytes, 3, "expect", "100-continue", H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "H3.");
    append_request_with(&bytes, 5, "expect", "something else", 0);
    exchange_frames(f, &bytes, "");
    struct buf block = request_block("/refuse");
    append_field(&block, "expect", "100-continue");
    append_block(&bytes, 7, &block, 0);
    exchange_frames(f, &bytes, "H7 D7:7.");
}

/* Many fields: more than the table has room for at first. */
static void test_all_fields_are_there(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, block = request_block("/hold");
    greet_client(f);
    for (int i = 0; i < 100; i++) {
        char name[16], value[16];
        snprintf(name, sizeof name, "x-%d", i);
        snprintf(value, sizeof value, "%d", i * i);
        append_field(&block, name, value);
    }
    append_block(&bytes, 1, &block, H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "");
    const struct http_request *request = http_exchange_request(f->recorder.held);
    assert_int_equal(request->header_count, 100);
    for (size_t i = 0; i < 100; i++) {
        char name[16], value[16];
        snprintf(name, sizeof name, "x-%zu", i);
        snprintf(value, sizeof value, "%zu", i * i);
        assert_true(slice_equal_text(request->headers[i].name, name));
        assert_true(slice_equal_text(request->headers[i].value, value));
    }
    recorder_release(&f->recorder, "");
}

/* ---- bounds ---- */

static void test_head_far_over_the_limit(void **state) {
    struct fixture *f = *state;
    f->limits.max_head_bytes = 1000;
    char value[101];
    memset(value, 'v', 100);
    value[100] = '\0';
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/echo");
    for (int i = 0; i < 60; i++)
        append_field(&block, "x-flood", value);
    append_preface(&bytes);
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 1, buf_slice(&block));
    append_request(&bytes, 3, "/echo", H2_FLAG_END_STREAM);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, H2_FRAME_RST_STREAM, 0), H2_ERROR_ENHANCE_YOUR_CALM);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|close /echo|"); /* of stream 3 alone */
    buf_free(&block);
    buf_free(&out);
}

/* A block of few bytes that stand for many is not read to its end, whoever's it is: that would take long. */
static void test_bombs(void **state) {
    enum { NAME = 3000, TIMES = 1000 };
    struct fixture *f = *state;
    for (uint32_t stream = 1; stream <= 5; stream += 2) { /* closed, open, new */
        struct buf bytes = BUF_EMPTY, block = BUF_EMPTY;
        append_request(&bytes, 1, "/echo", H2_FLAG_END_STREAM);
        append_request(&bytes, 3, "/idle", 0);
        buf_append(&block, "\x40\x7f\xb9\x16", 4); /* a name of so many bytes enters the table */
        for (int i = 0; i < NAME; i++)
            buf_append_char(&block, 'n');
        buf_append_char(&block, 0);
        for (int i = 0; i < TIMES; i++)
            buf_append_char(&block, (char)0xbe);
        buf_append_char(&block, (char)0x80); /* broken, but nobody gets there */
        append_block(&bytes, stream, &block, H2_FLAG_END_STREAM);
        expect_goaway(f, &bytes, H2_ERROR_ENHANCE_YOUR_CALM);
        reopen(f);
    }
}

/* A field takes 4 bytes beside its texts. */
static void test_heads_at_the_limit(void **state) {
    struct fixture *f = *state;
    const size_t bytes = strlen(":methodPOST:schemehttp:authoritytest:path/echo") + 4 * 4;
    for (size_t less = 0; less <= 1; less++) {
        struct buf in = BUF_EMPTY, out = BUF_EMPTY;
        f->limits.max_head_bytes = bytes - less;
        append_preface(&in);
        append_request(&in, 1, "/echo", H2_FLAG_END_STREAM);
        struct status status = give_raw(f, &in, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_int_equal(f->recorder.heads, 1);
        buf_free(&out);
        reopen(f);
    }
}

/* Over the limit, in bytes or in fields: answered 431, whatever fields were left out. */
static void test_heads_over_the_limit(void **state) {
    struct fixture *f = *state;
    f->limits.max_head_bytes = 200;
    f->limits.max_header_count = 10;
    greet_client(f);
    for (uint32_t i = 0; i < 3; i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = BUF_EMPTY;
        if (i == 0)
            block = request_block("/echo");
        for (int k = 0; k < 11; k++)
            append_field(&block, "x", i == 2 ? "a value so long that all of them pass the bound" : "y");
        if (i == 1) { /* pseudo-fields come first, too late or not */
            buf_free(&block);
            block = request_block("/echo");
            append_field(&block, "x", "sixty bytes and sixty bytes and sixty bytes and sixty bytes.");
            append_field(&block, "x", "sixty bytes and sixty bytes and sixty bytes and sixty bytes.");
            append_field(&block, "x", "sixty bytes and sixty bytes and sixty bytes and sixty bytes.");
        }
        append_block(&bytes, 2 * i + 1, &block, H2_FLAG_END_STREAM);
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        bool refused = memmem(out.data, out.size, "the request head is longer than the limit", 41) != NULL;
        assert_int_equal(refused, true);
        buf_free(&out);
    }
    assert_int_equal(f->recorder.heads, 0);
}

/* Streams for whose heads there is no room are refused, which tells clients that they may try again. */
static void test_heads_are_booked(void **state) {
    struct fixture *f = *state;
    f->budget.max_bytes = 100000;
    f->limits.budget = &f->budget;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    size_t head = atomic_load(&f->budget.held_bytes);
    f->budget.max_bytes = head + EXCHANGE_COST - 1;
    struct peer_response *refused = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    assert_true(refused->reset);
    assert_int_equal(refused->error_code, H2_ERROR_REFUSED_STREAM);
    f->budget.max_bytes = head + EXCHANGE_COST + 10; /* not for the fields */
    refused = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    assert_true(refused->reset);
    assert_int_equal(refused->error_code, H2_ERROR_REFUSED_STREAM);
    assert_int_equal(atomic_load(&f->budget.held_bytes), head);
    recorder_release(&f->recorder, "");
    peer_run(&f->peer);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
}

/* ---- what is not taken is read ---- */

/* The literal "x-test: kept" in the client's table, and that entry by its number. */
static const struct slice remembered = {"\x40\6x-test\4kept", 13}, recalled = {"\xbe", 1};

/* Blocks of streams that are refused, reset, closed or malformed enter the table all the same. */
static void test_tables_stay_in_step(void **state) {
    struct fixture *f = *state;
    f->limits.max_concurrent_streams = 1;
    reopen(f);
    for (int kind = 0; kind < 4; kind++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block(kind == 0 ? "/hold" : "/echo");
        greet_client(f);
        append_request(&bytes, 1, kind == 0 ? "/hold" : "/echo", kind == 2 ? 0 : H2_FLAG_END_STREAM);
        if (kind == 1)
            append_field(&block, "Bad", "name");
        buf_append_slice(&block, remembered);
        append_block(&bytes, kind < 2 ? 3 : 1, &block, H2_FLAG_END_STREAM); /* too many; malformed; trailers; closed */
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        if (kind == 0)
            append_reset(&bytes, 1);
        block = request_block("/describe");
        buf_append_slice(&block, recalled);
        append_block(&bytes, 5, &block, H2_FLAG_END_STREAM);
        status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_non_null(memmem(out.data, out.size, "x-test=kept", 11));
        buf_free(&out);
        reopen(f);
    }
}

static void test_broken_blocks_end_the_connection(void **state) {
    static const char *const broken[] = {"\x80", "\xff\xff\xff\xff\xff\x7f", "\x40\5ab", "\x3f\xe2\x1f",
                                         "\x40\x81\1\1"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        for (uint32_t stream = 1; stream <= 5; stream += 2) { /* closed, open: trailers, new */
            struct buf bytes = BUF_EMPTY;
            append_request(&bytes, 1, "/echo", H2_FLAG_END_STREAM);
            append_request(&bytes, 3, "/echo", 0);
            struct buf out = BUF_EMPTY, all = BUF_EMPTY;
            append_preface(&all);
            buf_append_slice(&all, buf_slice(&bytes));
            buf_free(&bytes);
            struct status status = give_raw(f, &all, &out);
            assert_int_equal(status.code, STATUS_OK);
            buf_free(&out);
            append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, stream,
                         slice_of(broken[i]));
            status = give_raw(f, &bytes, &out);
            assert_int_equal(status.code, STATUS_OK);
            assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), H2_ERROR_COMPRESSION);
            buf_free(&out);
            reopen(f);
        }
    }
}

/* ---- bodies and trailers ---- */

static void test_trailers_of_requests_are_taken(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, trailers = BUF_EMPTY;
    append_preface(&bytes);
    append_request(&bytes, 1, "/echo", 0);
    append_frame(&bytes, H2_FRAME_DATA, 0, 1, SLICE_LITERAL("body"));
    append_field(&trailers, "x-trailer", "dropped");
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 1, buf_slice(&trailers));
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|close /echo|");
    buf_free(&trailers);
    buf_free(&out);
}

static void test_trailers_that_are_not(void **state) {
    static const struct {
        const char *name, *value;
        unsigned flags;
        const char *frames;
    } rows[] = {
        {"x-sum", "1", 0, "R1:1"},
        {":path", "/", H2_FLAG_END_STREAM, "R1:1"},
        {"Upper", "1", H2_FLAG_END_STREAM, "R1:1"},
        {"connection", "close", H2_FLAG_END_STREAM, "R1:1"},
        {"te", "trailers", H2_FLAG_END_STREAM, "R1:1"},
        {"content-length", "7", H2_FLAG_END_STREAM, "H1 D1:4."}, /* too late to mean anything */
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, trailers = BUF_EMPTY;
        greet_client(f);
        append_request(&bytes, 1, "/echo", 0);
        append_frame(&bytes, H2_FRAME_DATA, 0, 1, SLICE_LITERAL("body"));
        append_field(&trailers, rows[i].name, rows[i].value);
        append_block(&bytes, 1, &trailers, rows[i].flags);
        exchange_frames(f, &bytes, rows[i].frames);
        reopen(f);
    }
}

static void test_trailers_that_flood(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, trailers = BUF_EMPTY;
    f->limits.max_head_bytes = 100;
    greet_client(f);
    append_request(&bytes, 1, "/echo", 0);
    for (int i = 0; i < 12; i++)
        append_field(&trailers, "x-long", "forty bytes or so of what nobody reads..");
    append_block(&bytes, 1, &trailers, H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "R1:11");
}

/* Frames of a request behind its end, while its answer is open. */
static void test_requests_that_go_on(void **state) {
    struct fixture *f = *state;
    for (int data = 0; data <= 1; data++) {
        struct buf bytes = BUF_EMPTY;
        greet_client(f);
        append_request(&bytes, 1, "/hold", H2_FLAG_END_STREAM);
        if (data)
            append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, SLICE_LITERAL("more"));
        else
            append_request(&bytes, 1, "/hold", H2_FLAG_END_STREAM);
        exchange_frames(f, &bytes, "R1:5");
        recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
        reopen(f);
    }
}

/* More than that ends the request before its end comes. */
static void test_more_than_content_length(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request_with(&bytes, 1, "content-length", "4", 0);
    append_data(&bytes, 1, 4, 0);
    exchange_frames(f, &bytes, "");
    append_data(&bytes, 1, 1, 0);
    exchange_frames(f, &bytes, "R1:1");
}

/* What Content-Length tells must come, not less and not more. */
static void test_content_length(void **state) {
    static const struct {
        const char *told, *frames;
        unsigned ends_in; /* 0: the head; 1: DATA; 2: trailers */
    } rows[] = {
        {"4", "H1 D1:4.", 1}, {"4", "H1 D1:4.", 2}, {"5", "R1:1", 1}, {"5", "R1:1", 2},
        {"3", "R1:1", 1},     {"0", "R1:1", 1},     {"4", "R1:1", 0}, {"0", "H1.", 0},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, trailers = BUF_EMPTY;
        greet_client(f);
        append_request_with(&bytes, 1, "content-length", rows[i].told, rows[i].ends_in == 0 ? H2_FLAG_END_STREAM : 0);
        if (rows[i].ends_in > 0)
            append_frame(&bytes, H2_FRAME_DATA, rows[i].ends_in == 1 ? H2_FLAG_END_STREAM : 0, 1,
                         SLICE_LITERAL("body"));
        if (rows[i].ends_in == 2) {
            append_field(&trailers, "x", "y");
            append_block(&bytes, 1, &trailers, H2_FLAG_END_STREAM);
        }
        exchange_frames(f, &bytes, rows[i].frames);
        reopen(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_malformed_requests),
        TEST(test_heads_that_lack_something),
        TEST(test_heads_that_are_fine),
        TEST(test_connect_is_refused),
        TEST(test_expect_continue),
        TEST(test_all_fields_are_there),
        TEST(test_head_far_over_the_limit),
        TEST(test_bombs),
        TEST(test_heads_over_the_limit),
        TEST(test_heads_at_the_limit),
        TEST(test_heads_are_booked),
        TEST(test_tables_stay_in_step),
        TEST(test_broken_blocks_end_the_connection),
        TEST(test_trailers_of_requests_are_taken),
        TEST(test_trailers_that_are_not),
        TEST(test_trailers_that_flood),
        TEST(test_requests_that_go_on),
        TEST(test_more_than_content_length),
        TEST(test_content_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
