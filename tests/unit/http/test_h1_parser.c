/* The HTTP/1.1 parser: what it takes, what it refuses and with which status, however the bytes are split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/h1_parser.h"
#include "http/http_text.h"

static const struct http_limits test_limits = {.max_head_bytes = 1024, .max_header_count = 10};

/* One parse: the outcome and where the head ended. */
struct outcome {
    int status; /* of the error; 0: parsed; -1: more bytes wanted */
    size_t size;
    struct arena *arena;
    struct http_request request;
    struct h1_head head;
};

/* Gives the scan `step` bytes more each time; 0: all at once. */
static struct outcome parse(struct slice text, size_t step) {
    struct outcome outcome = {.status = -1, .arena = arena_create(0)};
    assert_non_null(outcome.arena);
    struct h1_scan scan = {0};
    struct h1_error error = {0, NULL};
    size_t n = step ? 0 : text.size;
    do {
        n = step && text.size - n > step ? n + step : text.size;
        outcome.size = h1_scan_head(&scan, text.data, n, &test_limits, &error);
    } while (n < text.size && outcome.size == 0 && error.status == 0);
    if (outcome.size > 0) {
        char *copy = arena_alloc(outcome.arena, outcome.size);
        assert_non_null(copy);
        memcpy(copy, text.data, outcome.size);
        outcome.request.content_length = -1;
        error = h1_parse_head(&scan, copy, outcome.size, outcome.arena, &test_limits, &outcome.request, &outcome.head);
        outcome.status = error.status;
    } else if (error.status) {
        outcome.status = error.status;
    }
    return outcome;
}

static struct outcome parse_text(const char *text) {
    return parse(slice_of(text), 0);
}

static void done(struct outcome *outcome) {
    arena_destroy(outcome->arena);
}

#define HOST "Host: h\r\n"
#define END "\r\n\r\n"

struct refusal {
    int status;
    const char *head;
};

static const struct refusal refusals[] = {
    /* request line */
    {400, " GET / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET  / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /  HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1 \r\n" HOST "\r\n"},
    {400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /\tHTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /\r\n" HOST "\r\n"},
    {400, "GET" END},
    {400, "GET HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET / http/1.1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1.10\r\n" HOST "\r\n"},
    {400, "GET / HTTP/11\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1,1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/x.1\r\n" HOST "\r\n"},
    {400, "GET / HTTPS/1.1\r\n" HOST "\r\n"},
    {505, "GET / HTTP/2.0\r\n" HOST "\r\n"},
    {505, "GET / HTTP/0.9\r\n" HOST "\r\n"},
    {505, "PRI * HTTP/2.0" END},
    {400, "G@T / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "G\xc3\xa9T / HTTP/1.1\r\n" HOST "\r\n"},
    {501, "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET * HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET index.html HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET http:///x HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET http://u@h/x HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /#part HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"},
    /* line ends and control characters */
    {400, "GET / HTTP/1.1\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h\n\r\n"},
    {400, "GET / HTTP/1.1\r" HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h\x01\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h\x7f\r\n\r\n"},
    {400, "\nGET / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "\x16\x03\x01\x02"}, /* a TLS client: refused at its first byte */
    /* fields */
    {400, "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "\tfolded\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n folded: first\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Name : x\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Na me: x\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Name\t: x\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Name\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "N(me: x\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "N\xc3\xa9: x\r\n\r\n"},
    {431, "GET / HTTP/1.1\r\n" HOST "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\ni:\r\nj:\r\n\r\n"},
    /* host */
    {400, "GET / HTTP/1.1" END},
    {400, "GET http://h/ HTTP/1.1" END},
    {400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"},
    {400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n"},
    /* lengths, and what requests are smuggled with */
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: , ,\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,,chunked\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: , chunked, x\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,\r\nContent-Length: 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: ,\r\n\r\n"},
    {400, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"},
    {417, "POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n"},
};

static void test_refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        for (size_t step = 0; step < 4; step++) {
            struct outcome outcome = parse(slice_of(refusals[i].head), step);
            if (outcome.status != refusals[i].status)
                fail_msg("%d in place of %d for: %s", outcome.status, refusals[i].status, refusals[i].head);
            done(&outcome);
        }
    }
}

static void test_nul_is_refused(void **state) {
    (void)state;
    static const char head[] = "GET / HTTP/1.1\r\nHost: h\0\r\n\r\n";
    struct outcome outcome = parse((struct slice){head, sizeof head - 1}, 0);
    assert_int_equal(outcome.status, 400);
    done(&outcome);
}

static void test_empty_elements_of_codings(void **state) {
    (void)state;
    static const char *const values[] = {"chunked", "CHUNKED", "chunked,", "chunked, ", ", chunked", ",\t, Chunked ,,"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: %s\r\n\r\n", values[i]);
        struct outcome outcome = parse(slice_of(text), 0);
        assert_int_equal(outcome.status, 0);
        assert_true(outcome.head.chunked);
        done(&outcome);
    }
}

static void test_a_full_head(void **state) {
    (void)state;
    static const char text[] = "\r\n\r\nPOST /v2/models/m%20/infer?x=1&y=? HTTP/1.1\r\n"
                               "HOST:\t [::1]:8000 \t\r\nX-Empty:\r\nX-Mixed-Case: A  b\xc3\xa9\t c \r\n"
                               "content-length: 007\r\nConnection: TE, Keep-Alive\r\nExpect: 100-continue\r\n\r\nrest";
    for (size_t step = 0; step < 5; step++) {
        struct outcome outcome = parse(slice_of(text), step);
        assert_int_equal(outcome.status, 0);
        assert_int_equal(outcome.size, sizeof text - 1 - 4);
        const struct http_request *request = &outcome.request;
        assert_true(slice_equal_text(request->method, "POST"));
        assert_true(slice_equal_text(request->path, "/v2/models/m%20/infer"));
        assert_true(slice_equal_text(request->query, "x=1&y=?"));
        assert_true(slice_equal_text(request->authority, "[::1]:8000"));
        assert_int_equal(request->version, 11);
        assert_int_equal(request->header_count, 6);
        assert_int_equal(request->content_length, 7);
        struct slice value;
        assert_true(http_request_header(request, "x-mixed-case", &value));
        assert_true(slice_equal_text(value, "A  b\xc3\xa9\t c"));
        assert_true(http_request_header(request, "x-empty", &value));
        assert_int_equal(value.size, 0);
        assert_false(http_request_header(request, "x-mixed", &value));
        assert_true(outcome.head.keep_alive);
        assert_true(outcome.head.expect_continue);
        assert_false(outcome.head.chunked);
        done(&outcome);
    }
}

static void test_targets(void **state) {
    (void)state;
    static const struct {
        const char *head, *path, *query, *authority;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", "/", "", "h"},
        {"GET //x//y HTTP/1.1\r\n" HOST "\r\n", "//x//y", "", "h"},
        {"GET /? HTTP/1.1\r\n" HOST "\r\n", "/", "", "h"},
        {"GET http://other:1/x?y HTTP/1.1\r\n" HOST "\r\n", "/x", "y", "other:1"},
        {"GET HTTPS://other HTTP/1.1\r\n" HOST "\r\n", "/", "", "other"},
        {"GET http://other?q HTTP/1.1\r\n" HOST "\r\n", "/", "q", "other"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "*", "", "h"},
        {"GET /{a}|\"b\" HTTP/1.1\r\n" HOST "\r\n", "/{a}|\"b\"", "", "h"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "/", "", ""},
        {"GET / HTTP/1.0\r\n\r\n", "/", "", ""},
        {"GET / HTTP/1.7\r\n" HOST "\r\n", "/", "", "h"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome = parse_text(rows[i].head);
        assert_int_equal(outcome.status, 0);
        assert_true(slice_equal_text(outcome.request.path, rows[i].path));
        assert_true(slice_equal_text(outcome.request.query, rows[i].query));
        assert_true(slice_equal_text(outcome.request.authority, rows[i].authority));
        done(&outcome);
    }
}

static void test_keep_alive(void **state) {
    (void)state;
    static const struct {
        const char *head;
        bool keep_alive;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x, CLOSE ,y\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome = parse_text(rows[i].head);
        assert_int_equal(outcome.status, 0);
        assert_int_equal(outcome.head.keep_alive, rows[i].keep_alive);
        done(&outcome);
    }
}

static void test_truncated_heads_want_more(void **state) {
    (void)state;
    static const char text[] = "\r\nPOST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *copy = malloc(n + 1); /* exactly n bytes, so that a sanitizer sees any read behind them */
        assert_non_null(copy);
        char *exact = realloc(copy, n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, text, n);
        struct outcome outcome = parse((struct slice){exact, n}, 1);
        assert_int_equal(outcome.status, -1);
        done(&outcome);
        free(exact);
    }
}

/* A head of exactly `size` bytes, made so by its target or by a field. */
static char *head_of_size(size_t size, bool by_target) {
    const char *begin = by_target ? "GET /" : "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    const char *end = by_target ? " HTTP/1.1\r\nHost: h\r\n\r\n" : "\r\n\r\n";
    char *head = malloc(size + 1);
    assert_non_null(head);
    memset(head, 'x', size);
    memcpy(head, begin, strlen(begin));
    strcpy(head + size - strlen(end), end);
    return head;
}

static void test_head_size_limit(void **state) {
    (void)state;
    for (int by_target = 0; by_target <= 1; by_target++) {
        for (size_t step = 0; step <= 100; step += 50) {
            char *fits = head_of_size(test_limits.max_head_bytes, by_target);
            struct outcome outcome = parse(slice_of(fits), step);
            assert_int_equal(outcome.status, 0);
            done(&outcome);
            free(fits);
            char *large = head_of_size(test_limits.max_head_bytes + (by_target ? 100 : 1), by_target);
            outcome = parse(slice_of(large), step);
            assert_int_equal(outcome.status, by_target ? 414 : 431);
            done(&outcome);
            free(large);
        }
    }
}

/* ---- bodies ---- */

struct body_outcome {
    int status; /* 0: done; -1: more wanted */
    size_t taken;
    struct buf data;
};

static struct body_outcome take_body(struct slice text, bool chunked, int64_t length, size_t step) {
    struct body_outcome outcome = {.status = -1};
    struct http_request request = {.content_length = length};
    struct h1_head head = {.chunked = chunked};
    struct h1_body body;
    h1_body_begin(&body, &request, &head, &test_limits);
    while (body.state != H1_BODY_DONE && outcome.taken < text.size) {
        size_t left = text.size - outcome.taken, taken;
        struct slice piece;
        struct h1_error error =
            h1_body_take(&body, text.data + outcome.taken, step && step < left ? step : left, &taken, &piece);
        if (error.status) {
            outcome.status = error.status;
            return outcome;
        }
        assert_true(taken > 0);
        buf_append_slice(&outcome.data, piece);
        outcome.taken += taken;
    }
    if (body.state == H1_BODY_DONE)
        outcome.status = 0;
    return outcome;
}

static const struct {
    int status; /* as in body_outcome */
    const char *text, *data;
    size_t left; /* bytes behind the body */
} chunked_rows[] = {
    {0, "0\r\n\r\n", "", 0},
    {0, "3\r\nabc\r\n0\r\n\r\nGET /", "abc", 5},
    {0, "000a\r\n0123456789\r\nA\r\nabcdefghij\r\n00\r\n\r\n", "0123456789abcdefghij", 0},
    {0, "1;name=value;q=\"x y\"\r\na\r\n0;last\r\n\r\n", "a", 0},
    {0, "1 ;x\r\na\r\n2\t \t; y = z\r\nbc\r\n0 ;\r\n\r\n", "abc", 0},
    {0, "1\r\na\r\n0\r\nX-Sum: 5\r\nEmpty:\r\n\r\n", "a", 0},
    {-1, "", "", 0},
    {-1, "3\r\nabc\r\n", "abc", 0},
    {-1, "3\r\nabc\r\n0\r\nX: y\r\n", "abc", 0},
    {400, "\r\n", "", 0},
    {400, "x\r\n", "", 0},
    {400, "-1\r\n", "", 0},
    {400, "0x1\r\na\r\n", "", 0},
    {400, " 1\r\na\r\n", "", 0},
    {400, "1 \r\na\r\n", "", 0},
    {400, "1 2\r\na\r\n", "", 0},
    {400, "1 \n;x\r\na\r\n", "", 0},
    {400, "1 x;x\r\na\r\n", "", 0},
    {400, " ;x\r\na\r\n", "", 0},
    {400, "1\na\r\n", "", 0},
    {400, "1\r\nab\r\n", "", 0},
    {400, "1\r\na\n0\r\n\r\n", "", 0},
    {400, "1\r\na\r\r\n", "", 0},
    {400, "1;\x01\r\na\r\n", "", 0},
    {400, "1;x\ny\r\na\r\n", "", 0},
    {400, "1000000000000000\r\n", "", 0},
    {400, "ffffffffffffffffffff\r\n", "", 0},
    {400, "0\r\nX y: z\r\n\r\n", "", 0},
    {400, "0\r\n folded\r\n\r\n", "", 0},
    {400, "0\r\nX\r\n\r\n", "", 0},
    {400, "0\r\nX: y\n\r\n", "", 0},
    {400, "0\r\n\rX", "", 0},
};

static void test_chunked_bodies(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof chunked_rows / sizeof chunked_rows[0]; i++) {
        for (size_t step = 0; step < 5; step++) {
            struct slice text = slice_of(chunked_rows[i].text);
            struct body_outcome outcome = take_body(text, true, -1, step);
            if (outcome.status != chunked_rows[i].status)
                fail_msg("%d in place of %d for: %s", outcome.status, chunked_rows[i].status, chunked_rows[i].text);
            if (outcome.status <= 0) {
                assert_true(slice_equal_text(buf_slice(&outcome.data), chunked_rows[i].data));
                assert_int_equal(text.size - outcome.taken, chunked_rows[i].left);
            }
            buf_free(&outcome.data);
        }
    }
}

static void test_plain_bodies(void **state) {
    (void)state;
    for (size_t step = 0; step < 4; step++) {
        struct body_outcome outcome = take_body(SLICE_LITERAL("abcdef"), false, 5, step);
        assert_int_equal(outcome.status, 0);
        assert_true(slice_equal_text(buf_slice(&outcome.data), "abcde"));
        buf_free(&outcome.data);
        outcome = take_body(SLICE_LITERAL("abcd"), false, 5, step);
        assert_int_equal(outcome.status, -1);
        buf_free(&outcome.data);
        outcome = take_body(SLICE_LITERAL("GET"), false, 0, step);
        assert_int_equal(outcome.status, 0);
        assert_int_equal(outcome.taken, 0);
        outcome = take_body(SLICE_LITERAL("GET"), false, -1, step);
        assert_int_equal(outcome.status, 0);
        assert_int_equal(outcome.taken, 0);
    }
}

/* Extensions and trailers are bounded over the whole body, not only per chunk. */
static void test_chunk_overhead_is_bounded(void **state) {
    (void)state;
    struct buf text = BUF_EMPTY;
    for (int i = 0; i < 200; i++)
        buf_append_text(&text, "1;extension=1\r\na\r\n");
    buf_append_text(&text, "0\r\n\r\n");
    struct body_outcome outcome = take_body(buf_slice(&text), true, -1, 0);
    assert_int_equal(outcome.status, 431);
    buf_free(&outcome.data);
    buf_clear(&text);
    buf_append_text(&text, "0\r\n");
    for (int i = 0; i < 200; i++)
        buf_append_text(&text, "x-trailer: y\r\n");
    outcome = take_body(buf_slice(&text), true, -1, 0);
    assert_int_equal(outcome.status, 431);
    buf_free(&outcome.data);
    buf_clear(&text);
    buf_append_text(&text, "1");
    for (int i = 0; i < 2000; i++)
        buf_append_text(&text, " ");
    outcome = take_body(buf_slice(&text), true, -1, 0);
    assert_int_equal(outcome.status, 431);
    buf_free(&outcome.data);
    buf_free(&text);
}

/* As much as may be, and one byte more. */
static void test_chunk_overhead_at_its_bound(void **state) {
    (void)state;
    for (int trailer = 0; trailer <= 1; trailer++) {
        /* Of the extension its text and CR count, of the trailer the name, the colon, the value and CR; and the last
         * CR. */
        size_t fits = test_limits.max_head_bytes - (trailer ? 4 : 2);
        for (size_t size = fits; size <= fits + 1; size++) {
            struct buf text = BUF_EMPTY;
            buf_append_text(&text, trailer ? "0\r\nx:" : "1;");
            for (size_t i = 0; i < size; i++)
                buf_append_char(&text, 'e');
            buf_append_text(&text, trailer ? "\r\n\r\n" : "\r\na\r\n0\r\n\r\n");
            struct body_outcome outcome = take_body(buf_slice(&text), true, -1, 0);
            assert_int_equal(outcome.status, size == fits ? 0 : 431);
            buf_free(&outcome.data);
            buf_free(&text);
        }
    }
}

/* ---- random input ---- */

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* What must hold of every head that is taken. */
static void check_invariants(const struct outcome *outcome) {
    const struct http_request *request = &outcome->request;
    unsigned hosts = 0, lengths = 0, codings = 0;
    assert_true(http_is_token(request->method));
    assert_true(request->path.size > 0 && (request->path.data[0] == '/' || slice_equal_text(request->path, "*")));
    assert_true(request->version == 10 || request->version == 11);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *field = &request->headers[i];
        assert_true(http_is_token(field->name));
        assert_true(http_all_chars(field->value, HTTP_CHAR_VALUE));
        for (size_t k = 0; k < field->name.size; k++)
            assert_false(field->name.data[k] >= 'A' && field->name.data[k] <= 'Z');
        hosts += slice_equal_text(field->name, "host");
        lengths += slice_equal_text(field->name, "content-length");
        codings += slice_equal_text(field->name, "transfer-encoding");
    }
    assert_true(hosts == 1 || (hosts == 0 && request->version == 10));
    assert_true(lengths + codings <= 1);
    assert_int_equal(request->content_length >= 0, lengths == 1);
    assert_int_equal(outcome->head.chunked, codings == 1);
}

static void test_mutated_heads(void **state) {
    (void)state;
    static const char *const seeds[] = {
        "POST /v2/models/m/infer?x=1 HTTP/1.1\r\nHost: h:8000\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
        "PUT http://h/x HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nAccept: a;q=1, b\r\n\r\n",
    };
    static const char spice[] = "\r\n\t :,;/?#@0159aAzZ\x00\x7f\x80\xff";
    uint64_t random = 0x9e3779b97f4a7c15;
    size_t taken = 0;
    for (int round = 0; round < 20000; round++) {
        char text[256];
        const char *seed = seeds[random_next(&random) % 3];
        size_t size = strlen(seed);
        memcpy(text, seed, size);
        for (uint64_t edits = 1 + random_next(&random) % 3; edits > 0; edits--) {
            size_t at = random_next(&random) % size;
            char c = spice[random_next(&random) % (sizeof spice - 1)];
            if (random_next(&random) % 3 == 0) { /* insert */
                memmove(text + at + 1, text + at, size - at);
                size++;
            }
            text[at] = c;
        }
        struct outcome whole = parse((struct slice){text, size}, 0);
        struct outcome split = parse((struct slice){text, size}, 1 + random_next(&random) % 9);
        assert_int_equal(whole.status, split.status);
        assert_int_equal(whole.size, split.size);
        if (whole.status == 0) {
            check_invariants(&whole);
            taken++;
        }
        done(&whole);
        done(&split);
    }
    assert_true(taken > 1000 && taken < 19000); /* mutations of both kinds have been seen */
}

static void test_mutated_chunks(void **state) {
    (void)state;
    static const char seed[] = "5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n";
    uint64_t random = 0x2545f4914f6cdd1d;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof seed];
        memcpy(text, seed, sizeof seed);
        for (uint64_t edits = 1 + random_next(&random) % 2; edits > 0; edits--)
            text[random_next(&random) % (sizeof seed - 1)] = (char)random_next(&random);
        struct slice bytes = {text, sizeof seed - 1};
        struct body_outcome whole = take_body(bytes, true, -1, 0);
        struct body_outcome split = take_body(bytes, true, -1, 1 + random_next(&random) % 7);
        assert_int_equal(whole.status, split.status);
        if (whole.status <= 0)
            assert_true(slice_equal(buf_slice(&whole.data), buf_slice(&split.data)));
        buf_free(&whole.data);
        buf_free(&split.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nul_is_refused),
        cmocka_unit_test(test_a_full_head),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_truncated_heads_want_more),
        cmocka_unit_test(test_head_size_limit),
        cmocka_unit_test(test_chunked_bodies),
        cmocka_unit_test(test_empty_elements_of_codings),
        cmocka_unit_test(test_plain_bodies),
        cmocka_unit_test(test_chunk_overhead_is_bounded),
        cmocka_unit_test(test_chunk_overhead_at_its_bound),
        cmocka_unit_test(test_mutated_heads),
        cmocka_unit_test(test_mutated_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
